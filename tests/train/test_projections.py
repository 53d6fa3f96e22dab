"""TinyBERT's projections go on where the stage before has left them."""

import json
import os
import signal

import keras
import numpy as np
import pytest
import safetensors.numpy

import tfminilm
from tfminilm.errors import UserError
from tfminilm.methods import TinyBERT
from tfminilm.train import projections
from tfminilm.train.distill import distill
from tfminilm.train.progress import StepBar
from tfminilm.train.recipe import (
    DataSpec,
    Recipe,
    Stage,
    StudentSpec,
    TrainSpec,
)


@pytest.fixture(scope="module")
def distill_from(make_encoder):
    """A new distiller; teachers differ in width. Shared: built once each."""

    def make(width=32):
        teacher = make_encoder(num_layers=1, hidden_dim=width)
        student = make_encoder(num_layers=1, hidden_dim=16)
        return tfminilm.Distiller(teacher, student, TinyBERT())

    return make


def kernels(distiller):
    return {
        name: keras.ops.convert_to_numpy(layer.kernel)
        for name, layer in distiller.projections.items()
    }


def test_they_are_read_back_where_they_fit(distill_from, tmp_path):
    before, after = distill_from(), distill_from()
    assert projections.load(after, tmp_path) == ()
    projections.save(before, tmp_path)
    (said,) = projections.load(after, tmp_path)
    assert said.startswith("2 of 2 projections start as")
    expected = kernels(before)
    assert [*expected] == [
        "embedding_mse_projection",
        "hidden_mse_1_projection",
    ]
    for name, value in kernels(after).items():
        np.testing.assert_array_equal(value, expected[name])
    wide = distill_from(64)
    new = kernels(wide)
    (said,) = projections.load(wide, tmp_path)
    assert said.startswith("0 of 2")
    for name, value in kernels(wide).items():
        np.testing.assert_array_equal(value, new[name])
    # A name of a model, and a folder without them, are nothing to read.
    assert projections.load(after, "bert_base_en_uncased") == ()
    (tmp_path / projections.NAME).write_bytes(b"no tensors")
    with pytest.raises(UserError, match="is damaged: expected the projections"):
        projections.load(after, tmp_path)


def stage(**student):
    return Stage(
        teacher="tiny:bert",
        student=StudentSpec(
            num_layers=1, hidden_dim=24, intermediate_dim=24, **student
        ),
        method=TinyBERT(),
        data=DataSpec(
            source="docs",
            sequence_length=16,
            max_tokens=20_000,
            held_out_fraction=0.2,
        ),
        train=TrainSpec(
            steps=4,
            batch_size=2,
            warmup_steps=0,
            learning_rate=1e-2,
            log_every=2,
            checkpoint_every=2,
            held_out_sequences=2,
            precision="float32",
        ),
    )


RECIPE = Recipe(
    name="two",
    stages={
        "general": stage(),
        "task": stage(init="uniform", init_from="general"),
    },
)


@pytest.mark.slow
def test_a_stage_starts_with_the_projections_of_the_one_before(
    tmp_path, monkeypatch
):
    """The held-out loss is the same at its start; so it is when stopped."""

    def rows(run, name):
        lines = (run / name / "metrics.jsonl").read_text().splitlines()
        rows = map(json.loads, lines)
        return [row for row in rows if row["split"] == "held_out"]

    whole, run = tmp_path / "whole", tmp_path / "run"
    distill(RECIPE, whole)
    last, first = rows(whole, "general")[-1], rows(whole, "task")[0]
    assert (last["step"], first["step"]) == (4, 0)
    assert first["loss"] == pytest.approx(last["loss"], rel=1e-6)

    update, steps = StepBar.update, []

    def updated(bar, done, loss):
        update(bar, done, loss)
        steps.append(done)
        if len(steps) == 4 + 2:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(StepBar, "update", updated)
    with pytest.raises(UserError, match="interrupted at step 2"):
        distill(RECIPE, run)
    distill(RECIPE, run)
    one, other = (
        safetensors.numpy.load_file(folder / "task" / projections.NAME)
        for folder in (whole, run)
    )
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[key], other[key]) for key in one)
