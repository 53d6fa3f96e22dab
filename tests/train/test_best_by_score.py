"""A stage on a task may end with the model that its dev set likes best."""

import json
import types

import numpy as np
import pytest

from tfminilm import methods
from tfminilm.tasks import heads
from tfminilm.train.checkpoint import restore_first
from tfminilm.train.distill import distill
from tfminilm.train.distillation import select_job
from tfminilm.train.recipe import DataSpec, Recipe, StudentSpec, TrainSpec
from tfminilm.train.sources import task as task_source


def recipe(**train):
    settings = {"steps": 6, "batch_size": 4, "precision": "float32"}
    settings |= {"evaluate_every": 2, "checkpoint_every": 6, "log_every": 6}
    settings |= {"held_out_sequences": 4, "warmup_steps": 0}
    return Recipe(
        name="a",
        teacher="tiny:bert",
        student=StudentSpec(num_layers=1, hidden_dim=24, intermediate_dim=24),
        method=methods.SoftTargets(),
        data=DataSpec(source="task:mrpc", folder="tiny:", sequence_length=32),
        train=TrainSpec(**settings | train),
    )


@pytest.mark.slow
def test_it_ends_with_the_best_of_the_first_metric(tmp_path, monkeypatch):
    scores = iter([0.1, 0.5, 0.9, 0.7])  # At steps 0, 2, 4 and 6.

    def scorer(*arguments):
        return lambda head: {"accuracy": 0.5, "f1": next(scores)}

    monkeypatch.setattr(task_source, "Scorer", scorer)
    distill(recipe(best_by="score"), tmp_path)
    best = json.loads((tmp_path / "checkpoints/best.json").read_text())
    assert (best["step"], best["loss"]) == (4, -0.9)
    head = heads.load_head(tmp_path / "student")
    found = [np.array(x) for x in head.get_weights()]
    path = tmp_path / "checkpoints" / best["checkpoint"]
    assert restore_first(path, head.variables[: len(head.weights)])
    assert all(map(np.array_equal, found, head.get_weights()))


@pytest.mark.parametrize(("metric", "expected"), [("f1", "f1"), ("", "loss")])
def test_without_a_metric_it_is_the_loss(metric, expected):
    job = select_job(recipe(best_by="score"))
    data = types.SimpleNamespace(metric=metric)
    assert job.train_spec(data, "float32").best_by == expected
