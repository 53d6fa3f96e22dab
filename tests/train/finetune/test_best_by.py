"""The best model by a metric is kept, and a run that gets no better ends."""

import json

import numpy as np
import pytest

from tfminilm import UserError
from tfminilm.tasks import csv_task, get_task, heads
from tfminilm.train import fine_tuning
from tfminilm.train.checkpoint import restore_first
from tfminilm.train.finetune import FineTuning, finetune

SCORES = (0.5, 0.9, 0.7, 0.6, 0.8, 0.8)


@pytest.fixture
def task(tmp_path):
    rows = [f"text {i},{'ab'[i % 2]}" for i in range(20)]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["text,label", *rows]))
    return csv_task(path, ["text"], "label")


def spec(task, **changes):
    how = {"epochs": 6, "max_length": 8, "batch_size": 9}
    how |= {"precision": "float32", "best_by": "accuracy"}
    return FineTuning(model="tiny:bert", task=task.name, **how | changes)


@pytest.mark.parametrize(
    ("patience", "last"),
    [(2, 4), pytest.param(0, 6, marks=pytest.mark.slow)],
)
def test_the_best_is_saved(patience, last, task, tmp_path, monkeypatch):
    scores = iter(SCORES)

    def scorer(*arguments):
        return lambda head: {"accuracy": next(scores), "f1": 0.0}

    monkeypatch.setattr(fine_tuning, "Scorer", scorer)
    run = tmp_path / "run"
    finetune(task, spec(task, patience=patience), run)
    each = 2  # Steps of an epoch.
    best = json.loads((run / "checkpoints/best.json").read_text())
    assert best["step"] == 2 * each
    events = (run / "events.jsonl").read_text().splitlines()
    assert json.loads(events[-1])["step"] == last * each
    head = heads.load_head(run / "student")
    weights = head.get_weights()
    path = run / "checkpoints" / best["checkpoint"]
    assert restore_first(path, head.variables[: len(head.weights)])
    for ours, theirs in zip(head.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"best_by": "loss"}, "best_by is 'loss', expected accuracy or f1"),
        ({"best_by": "", "patience": 1}, "patience is 1, expected 0 without"),
        ({"patience": -1}, "patience is -1, expected 0 or more"),
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0, expected 0 to"),
        ({"focal_gamma": -1.0}, "focal_gamma is -1.0, expected 0 to 10"),
    ],
)
def test_numbers_out_of_range(changes, told, task):
    with pytest.raises(UserError, match=told):
        spec(task, **changes).resolved(task)


@pytest.mark.parametrize(
    ("name", "value"), [("class_weights", "balanced"), ("focal_gamma", 2.0)]
)
def test_a_score_has_no_classes(name, value):
    stsb = get_task("stsb")
    with pytest.raises(UserError, match=f"--{name} is .*as stsb"):
        spec(stsb, best_by="", **{name: value}).resolved(stsb)
