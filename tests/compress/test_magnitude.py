"""Magnitude pruning, and the manners of the package it takes from."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from tfminilm import students
from tfminilm.compress.magnitude import MagnitudePruning
from tfminilm.compress.optimization import import_tfmot
from tfminilm.teachers.expose import encoder_calls

STEPS = 8
ALONE = """
import os
import tensorflow as tf
before = dict(os.environ)
from tfminilm.compress.optimization import import_tfmot
assert import_tfmot().sparsity.keras.PolynomialDecay
assert dict(os.environ) == before, set(os.environ) ^ set(before)
import keras
assert tf.keras.__version__ == keras.__version__
assert issubclass(keras.layers.Dense, tf.keras.layers.Layer)
os.environ["TF_USE_LEGACY_KERAS"] = "0"
import_tfmot.cache_clear()
import_tfmot()
assert os.environ["TF_USE_LEGACY_KERAS"] == "0"
"""


@pytest.fixture
def student():
    return students.bert(
        num_layers=1, hidden_dim=8, num_heads=2, intermediate_dim=12,
        vocabulary_size=20, max_sequence_length=8, dropout=0.0,
    )  # fmt: skip


def kernels(student):
    (call,) = encoder_calls(student)
    return [w for w in call.layer.weights if w.name == "kernel"]


def zeros(student):
    return [np.array(kernel) == 0 for kernel in kernels(student)]


def train(student, sparsity, steps, **options):
    ids = np.arange(8, dtype="int32")[None] % 5
    inputs = {
        "token_ids": ids,
        "segment_ids": 0 * ids,
        "padding_mask": 1 + 0 * ids,
    }
    states = student.output["sequence_output"]
    model = keras.Model(student.input, states)
    model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=True)
    target = np.ones((1, 8, 8), "float32")
    pruning = MagnitudePruning(student, sparsity, STEPS, **options)
    model.fit(
        inputs, target, epochs=steps, verbose=0, callbacks=[pruning],
    )  # fmt: skip
    return pruning


def test_the_smallest_weights_become_zero_and_stay(student):
    start = [np.abs(np.array(kernel)) for kernel in kernels(student)]
    train(student, 0.5, 1)
    first = zeros(student)
    assert 0 < np.mean([z.mean() for z in first]) < 0.5
    for size, zero in zip(start, first, strict=True):
        # One small update does not change which are small.
        assert size[zero].max() < np.quantile(size, 0.4)
    for weight in student.weights:
        if weight.name in ("gamma", "embeddings"):
            assert np.array(weight).all()


def test_the_share_at_the_end(student):
    train(student, 0.5, STEPS)
    for zero in zeros(student):
        np.testing.assert_allclose(zero.mean(), 0.5, atol=0.5 / zero.size)


def test_a_constant_share_is_there_from_the_first_step(student):
    train(student, 0.5, 1, schedule="constant")
    for zero in zeros(student):
        np.testing.assert_allclose(zero.mean(), 0.5, atol=0.5 / zero.size)


def test_a_run_that_goes_on_keeps_its_zeros(student):
    train(student, 0.5, STEPS)
    before = zeros(student)
    pruning = MagnitudePruning(student, 0.5, STEPS)
    pruning.on_train_begin()
    for kernel in kernels(student):
        kernel.assign(np.array(kernel) + 1.0)

    class Trained:
        class optimizer:
            iterations = np.array(STEPS + 1)

    pruning.set_model(Trained)
    pruning.on_train_batch_end(0)
    for ours, theirs in zip(zeros(student), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_its_import_leaves_no_trace_in_this_process():
    import tensorflow as tf

    import_tfmot()
    assert "TF_USE_LEGACY_KERAS" not in os.environ
    assert tf.keras.__version__ == keras.__version__


@pytest.mark.slow  # TensorFlow is imported anew.
def test_its_import_leaves_no_trace_in_a_new_process():
    done = subprocess.run(
        [sys.executable, "-c", ALONE], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
