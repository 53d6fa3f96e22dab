"""What a made model's training is planned to be."""

import numpy as np
import pytest

from tfminilm.methods import SoftTargets
from tfminilm.pipeline.options import Options
from tfminilm.pipeline.plan import plan, recipe, within

TEACHER = {"kind": "bert", "num_layers": 6, "hidden_dim": 384}


def _planned(examples, classes, **options):
    lengths = np.full(examples, 12)
    chosen = Options(**options)
    return plan(chosen, lengths, examples, TEACHER, 512, classes)


@pytest.mark.parametrize(
    ("examples", "classes", "epochs"),
    [
        # 135 steps a round: 3 rounds are 400 steps, 12 are 1,500.
        (4_300, 6, 3),
        (4_300, 50, 12),
        # Never more rounds than help, and never fewer than three.
        (320, 50, 15),
        (100_000, 50, 3),
    ],
)
def test_many_classes_take_more_rounds(examples, classes, epochs):
    chosen = _planned(examples, classes)
    assert chosen.epochs == epochs
    assert chosen.student_steps == 2 * epochs * -(-examples // 32)


def test_a_flag_overrides_the_rounds():
    chosen = _planned(4_300, 50, epochs=2)
    assert chosen.epochs == 2
    assert chosen.reasons["epochs"] == "as told"


@pytest.mark.parametrize("seconds", [-60, 0, 5])
def test_without_time_a_round_is_learned(seconds):
    chosen = within(_planned(4_300, 6), 1.0, seconds)
    assert chosen.student_steps == 135
    assert "0 minutes are left" in chosen.reasons["student_steps"]


@pytest.mark.parametrize(
    ("width", "told", "rate"), [(384, 0, 1e-4), (768, 0, 5e-5), (768, 3, 3)]
)
def test_narrow_teachers_take_longer_steps(width, told, rate):
    options = Options(learning_rate=told)
    teacher = TEACHER | {"hidden_dim": width}
    chosen = plan(options, np.full(64, 12), 64, teacher, 512, 2)
    assert chosen.learning_rate == rate
    files = {"train": "a.csv", "validation": "b.csv"}
    data = {"source": "task:csv:a.csv"}
    train = recipe(chosen, options, files, data, "t").stages["task"].train
    assert train.learning_rate == 2 * rate
    assert train.shares() == {"head": 10}


def test_all_texts_without_labels_are_seen():
    lengths = np.full(64, 12)
    few, many = (
        plan(Options(), lengths, 64, TEACHER, 512, 2, unlabelled=count)
        for count in (100, 20_000)
    )
    # 2 steps a round, 15 rounds of the teacher.
    assert few.student_steps == 2 * 30
    assert many.student_steps == 2 * 627
    assert many.reasons["student_steps"] == "2 rounds of all 20,064 texts"
    assert within(many, 1.0, 0).student_steps == 2


def test_of_texts_without_labels_the_teachers_states_are_learned():
    lengths = np.full(64, 12)
    chosen = plan(Options(), lengths, 64, TEACHER, 512, 2)
    files = {"train": "a.csv", "validation": "b.csv"}
    data = {"source": "task:csv:a.csv"}
    alone, more = (
        recipe(chosen, Options(), files | others, data, "t").stages["task"]
        for others in ({}, {"unlabeled": "c.txt"})
    )
    assert alone.method == SoftTargets(temperature=2.0, alpha=0.5)
    assert more.method.hidden_weight > 0
    assert more.method.prediction_weight > 0
    assert more.data.unlabeled == "c.txt"
