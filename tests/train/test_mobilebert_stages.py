"""MobileBERT's strategies as stages of a recipe."""

import os
import signal

import numpy as np
import pytest

from tfminilm import students
from tfminilm.commands import main
from tfminilm.errors import UsageError, UserError
from tfminilm.methods import MLMKD, MobileBERT
from tfminilm.teachers import build_masked_lm, load_backbone
from tfminilm.teachers.masked_lm import copy_head
from tfminilm.train.distillation import select_job
from tfminilm.train.mobilebert import mobilebert_stages
from tfminilm.train.progress import StepBar
from tfminilm.train.recipe import (
    DataSpec,
    Recipe,
    Stage,
    StudentSpec,
    TrainSpec,
)

STUDENT = StudentSpec(kind="mobilebert", num_layers=3, num_heads=4)
TRANSFER, PRETRAINING = TrainSpec(steps=10), TrainSpec(steps=20)


def stages(strategy):
    return mobilebert_stages(
        strategy, "teacher", STUDENT, DataSpec(), TRANSFER, PRETRAINING
    )


def starts(found):
    return {
        name: (stage.student.init, stage.student.init_from)
        for name, stage in found.items()
    }


def test_auxiliary_is_one_stage():
    found = stages("auxiliary")
    assert starts(found) == {"pretraining": ("embeddings", "")}
    (stage,) = found.values()
    assert stage.method == MobileBERT(next_sentence_weight=1.0)
    assert (stage.teacher, stage.train) == ("teacher", PRETRAINING)


def test_joint_transfers_first():
    found = stages("joint")
    assert starts(found) == {
        "transfer": ("embeddings", ""),
        "pretraining": ("bottom", "transfer"),
    }
    assert found["transfer"].method == MobileBERT.transfer(masked_pairs=True)
    assert found["pretraining"].method == MobileBERT.pretraining(
        next_sentence_weight=1.0
    )
    assert found["transfer"].train == TRANSFER
    assert not found["transfer"].student.frozen


def test_progressive_goes_up_layer_by_layer():
    found = stages("progressive")
    assert starts(found) == {
        "layer_1": ("embeddings", ""),
        "layer_2": ("bottom", "layer_1"),
        "layer_3": ("bottom", "layer_2"),
        "pretraining": ("bottom", "layer_3"),
    }
    # In the authors' code the embeddings' rate is 0 in all of these stages.
    assert [stage.student.frozen for stage in found.values()] == [
        "embeddings",
        "embeddings,0",
        "embeddings,0,1",
        "",
    ]
    assert [stage.method.layer for stage in found.values()] == [0, 1, 2, None]
    assert {stage.method.reads for stage in found.values()} == {"masked_pairs"}


def test_progressive_may_slow_the_layers_below():
    rest = ("teacher", STUDENT, DataSpec(), TRANSFER, PRETRAINING)
    found = mobilebert_stages("progressive", *rest, lower_rate=0.1)
    frozen = [stage.student.frozen for stage in found.values()]
    assert frozen == ["embeddings"] * 3 + [""]
    assert [stage.train.layer_rates for stage in found.values()] == [
        "",
        "0:0.1",
        "0:0.1,1:0.1",
        "",
    ]
    with pytest.raises(UsageError, match="'joint' trains all layers at once"):
        mobilebert_stages("joint", *rest, lower_rate=0.1)


def test_smoke_mode_keeps_the_layers_that_there_are():
    teacher = Stage(
        student=StudentSpec(kind="ib_bert", num_layers=3, num_heads=4),
        method=MLMKD(alpha=0.0),
    )
    recipe = Recipe(
        name="a", stages={"teacher": teacher, **stages("progressive")}
    )
    found = Recipe.parse(recipe.config("smoke")).stages
    assert [*found] == ["teacher", "layer_1", "layer_2", "pretraining"]
    assert found["pretraining"].student.init_from == "layer_2"


def test_refuses_other_strategies():
    with pytest.raises(UsageError, match="'all', expected auxiliary or joint"):
        stages("all")


def test_who_gives_the_vocabulary_alone_needs_no_head(make_encoder, tmp_path):
    make_encoder(num_layers=1).save_to_preset(tmp_path)

    def load(alpha):
        recipe = Recipe(method=MLMKD(alpha=alpha))
        return select_job(recipe).kind.load_teacher(tmp_path, "float32")

    assert hasattr(load(0.0), "masked_lm_head")
    with pytest.raises(UserError, match="has no masked-language-model head"):
        load(0.5)


def small():
    return students.mobilebert(
        num_layers=1,
        num_heads=1,
        hidden_dim=4,
        bottleneck_dim=4,
        intermediate_dim=4,
        embedding_dim=4,
        vocabulary_size=10,
    )


def test_a_student_starts_with_both_of_its_teachers_heads():
    teacher = build_masked_lm(small(), next_sentence=True)
    for weight in teacher.weights:
        weight.assign(weight + 1.0)
    kind = select_job(
        Recipe(
            student=StudentSpec(init="embeddings"),
            method=MobileBERT(next_sentence_weight=1.0),
        )
    ).kind
    student = kind.attach_head(small(), teacher)
    for mine, of_teacher in zip(
        student.get_layer("next_sentence").get_weights(),
        teacher.get_layer("next_sentence").get_weights(),
        strict=True,
    ):
        np.testing.assert_array_equal(mine, of_teacher)
    # A teacher without that head leaves the student's as it is.
    before = student.get_layer("next_sentence").get_weights()
    assert copy_head(student, build_masked_lm(small()))
    after = student.get_layer("next_sentence").get_weights()
    assert all(map(np.array_equal, before, after))


def test_pairs_take_a_head_on_next_sentences():
    backbone = small()
    for weight, expected in ((1.0, True), (0.0, False)):
        method = MLMKD(alpha=0.0, next_sentence_weight=weight)
        kind = select_job(Recipe(method=method)).kind
        assert kind.attach_head(backbone).next_sentence is expected


@pytest.mark.slow
def test_stopped_in_a_layers_stage_it_ends_the_same(
    tmp_path, monkeypatch, capsys
):
    """Every stage's student has the weights of the whole run's, bit for bit."""

    def run(workdir):
        config = "--config=mobilebert_l6_progressive:smoke"
        return main(["distill", config, f"--workdir={workdir}"])

    assert run(tmp_path / "whole") == 0
    capsys.readouterr()
    update, steps = StepBar.update, []

    def updated(bar, done, loss):
        update(bar, done, loss)
        steps.append(done)
        if len(steps) == 4 + 4 + 2:  # The teacher's, layer_1's, layer_2's.
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(StepBar, "update", updated)
    assert run(tmp_path / "run") == 75
    said = capsys.readouterr().err
    assert said.rindex(": layer_2\n") < said.index("interrupted at step 2")
    assert not (tmp_path / "run/layer_2/student").exists()
    assert run(tmp_path / "run") == 0
    assert "resumed at step 2" in capsys.readouterr().err
    for stage in ("teacher", "layer_1", "layer_2", "pretraining"):
        one, other = (
            load_backbone(tmp_path / name / stage).get_weights()
            for name in ("whole", "run")
        )
        assert all(map(np.array_equal, one, other)), stage
