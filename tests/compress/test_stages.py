"""Stages that compress their students."""

import dataclasses
import shutil

import numpy as np
import pytest

from tfminilm import methods
from tfminilm.errors import UsageError, UserError
from tfminilm.export.litert import trained_ranges
from tfminilm.private.encoders import encoder_parts
from tfminilm.tasks.task import get_task
from tfminilm.train import models
from tfminilm.train.distill import distill
from tfminilm.train.distributed import DistributedContext
from tfminilm.train.recipe import (
    CompressSpec,
    DataSpec,
    Recipe,
    Stage,
    StudentSpec,
    TrainSpec,
)


def recipe(**student):
    """One step on a made-up task, which moves no weight."""
    made = Recipe(
        teacher="tiny:bert",
        student=StudentSpec(
            hidden_dim=48, num_layers=2, intermediate_dim=24, **student
        ),
        method=methods.SoftTargets(),
        data=DataSpec(source="task:sst2", folder="tiny:", sequence_length=32),
        train=TrainSpec(
            steps=1, batch_size=4, learning_rate=0.0, weight_decay=0.0,
            warmup_steps=0, precision="float32",
        ),
    )  # fmt: skip
    return Recipe.parse(made.config())


def columns(kernel):
    return {tuple(column) for column in np.array(kernel).T}


@pytest.mark.slow  # It trains; that it runs, the recipe's smoke run shows.
def test_a_pruned_student_is_made_of_its_teacher(tmp_path, monkeypatch):
    teachers = []
    load = models.TaskHead.load_teacher

    def remember(self, *args):
        teachers.append(load(self, *args))
        return teachers[-1]

    monkeypatch.setattr(models.TaskHead, "load_teacher", remember)
    student = distill(recipe(init="pruned", kept_heads=5), tmp_path / "run")
    (teacher,) = teachers
    parts = [
        columns(encoder_parts(layer).intermediate.kernel)
        for layer in teacher.backbone.transformer_layers
    ]
    found = []
    for layer in student.backbone.transformer_layers:
        output = np.array(encoder_parts(layer).attention.output_dense.kernel)
        assert output.any((1, 2)).sum() == 5
        kept = columns(encoder_parts(layer).intermediate.kernel)
        assert len(kept) == 24
        found.append([kept <= part for part in parts].index(True))
    assert found == sorted(set(found))
    for name in ("pooled_dense", "token_embedding"):
        for ours, theirs in zip(
            student.backbone.get_layer(name).weights,
            teacher.backbone.get_layer(name).weights,
            strict=True,
        ):
            np.testing.assert_array_equal(np.array(ours), np.array(theirs))
    ours, theirs = (m.get_layer("logits").kernel for m in (student, teacher))
    np.testing.assert_array_equal(np.array(ours), np.array(theirs))
    assert student.num_classes == len(get_task("sst2").labels)


def test_what_cannot_be_pruned_is_refused_before_any_data_is_read(tmp_path):
    with pytest.raises(UserError, match="expected one that differs in layers"):
        distill(recipe(init="pruned", num_heads=6), tmp_path / "run")
    spec = dataclasses.replace(recipe(), student=StudentSpec(init="pruned"))
    config = spec.config()
    config.student.init_from = "bert_base_en_uncased"
    with pytest.raises(UsageError, match="the teacher is pruned"):
        Recipe.parse(config)
    config = recipe(init="pruned", kept_heads=5).config()
    config.student.kept_heads = 13
    with pytest.raises(UsageError, match="kept_heads is 13, expected 0 to 12"):
        Recipe.parse(config)
    config.student.update(kept_heads=5, init="uniform")
    with pytest.raises(UsageError, match="expected 0, or student"):
        Recipe.parse(config)


def test_a_trimmed_student_is_no_start_below_another_teacher():
    stages = {
        "one": Stage(compress=CompressSpec(trim_vocabulary=True)),
        "two": Stage(teacher="one", student=StudentSpec(init_from="one")),
    }
    Recipe.parse(Recipe(stages=stages).config())
    stages["two"] = Stage(student=StudentSpec(init_from="one"))
    with pytest.raises(UsageError, match="in 'two', not in 'one'"):
        Recipe.parse(Recipe(stages=stages).config())


@pytest.mark.parametrize(
    "what", [{"sparsity": 0.5}, {"quantization_aware": True}]
)
def test_what_is_no_encoder_is_refused(what):
    config = Recipe(student=StudentSpec(kind="bilstm", init="random")).config()
    config.compress.update(what)
    with pytest.raises(UsageError, match="an encoder, to be compressed"):
        Recipe.parse(config)


@pytest.mark.slow
def test_what_is_sparse_and_rounded_goes_on_after_a_kill(tmp_path):
    config = recipe(init="pruned", kept_heads=5).config()
    config.compress.update(sparsity=0.5, quantization_aware=True)
    config.train.update(steps=4, learning_rate=1e-3, checkpoint_every=2)
    config.train.gradient_accumulation = 2
    made = Recipe.parse(config)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    student = distill(made, whole)
    shutil.copytree(whole, killed)
    shutil.rmtree(killed / "student")
    shutil.rmtree(killed / "checkpoints" / "step-000000004")
    (killed / "checkpoints" / "best.json").unlink(missing_ok=True)
    again = distill(made, killed)
    for ours, theirs in zip(again.weights, student.weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    state = "checkpoints/step-000000004/state.safetensors"
    for name in (state, "student/ranges.json"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()
    ranges = trained_ranges.load(killed / "student", student)
    assert len(ranges) == 6 * 2
    assert (ranges["layer_1/feedforward"].units > 0).all()
    layer = student.backbone.transformer_layers[0]
    heads = encoder_parts(layer).attention.output_dense.kernel.numpy()
    assert heads.any((1, 2)).sum() == 5
    values = encoder_parts(layer).output.kernel.numpy()
    assert np.mean(values == 0) >= 0.5
    steps = values / (np.abs(values).max(0) / 127)
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)


def test_what_measures_ranges_is_not_shared(tmp_path):
    made = recipe()
    made = dataclasses.replace(
        made, compress=CompressSpec(quantization_aware=True)
    )

    class Two(DistributedContext):
        num_replicas = 2

    with pytest.raises(UserError, match="the ranges of one replica, and 2 wou"):
        distill(made, tmp_path / "run", Two())
    assert not (tmp_path / "run").exists()
