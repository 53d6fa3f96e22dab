"""Quantisation-aware training rounds as int8 would, and leaves no trace."""

import keras
import numpy as np
import pytest

from tfminilm import UserError, students
from tfminilm.compress.fake_quantization import FakeQuantization
from tfminilm.private.encoders import encoder_parts
from tfminilm.teachers import expose
from tfminilm.teachers.faster import faster


@pytest.fixture
def student():
    model = students.bert(
        num_layers=1, hidden_dim=8, num_heads=2, intermediate_dim=12,
        vocabulary_size=20, max_sequence_length=8, dropout=0.0,
    )  # fmt: skip
    random = np.random.default_rng(0)
    for weight in model.weights:
        value = 0.5 * random.normal(size=weight.shape)
        weight.assign(value + (weight.name == "gamma"))
    return model


@pytest.fixture
def batch():
    ids = np.arange(16, dtype="int32").reshape(2, 8)
    return {
        "token_ids": ids,
        "segment_ids": 0 * ids,
        "padding_mask": 1 + 0 * ids,
    }


def states(model, batch):
    output = model(batch, training=False)
    output = output["sequence_output"] if isinstance(output, dict) else output
    return keras.ops.convert_to_numpy(output)


def kernels(model):
    (layer,) = model.transformer_layers
    return {w.path: w.numpy() for w in layer.weights if w.name == "kernel"}


def grid(kernel, units):
    """The kernel in steps of its columns' scales."""
    flat = kernel.reshape(-1, units).astype(np.float64)
    return flat / (np.abs(flat).max(0) / 127)


def rounded_in(measured, x):
    """On a grid of 256 numbers from the whole range, and the grid's step."""
    low, high = measured.min(), measured.max()
    assert low < 0 < high
    step = (high - low) / 255
    zero = np.round(-low / step)
    return (np.clip(np.round(x / step + zero), 0, 255) - zero) * step, step


def test_the_query_is_of_rounded_numbers(student, batch):
    before = states(student, batch)
    layer = encoder_parts(student.transformer_layers[0]).attention.query_dense
    bias = layer.bias.numpy()
    kernel = layer.kernel.numpy().reshape(8, 8).astype(np.float64)
    FakeQuantization(student, [batch])
    inside = expose(student, {"hidden_states": [0], "queries": [0]})(batch)
    x = inside["hidden_states/0"].numpy().astype(np.float64)
    rounded, _ = rounded_in(x, x)
    scales = np.abs(kernel).max(0) / 127
    kernel = np.round(kernel / scales) * scales
    wanted = rounded @ kernel + bias.reshape(-1)
    wanted, step = rounded_in(wanted, wanted)
    wanted = wanted.reshape(2, 8, 2, 4)
    got = inside["queries/0"].numpy().transpose(0, 2, 1, 3)
    # A number between two steps may go either way.
    assert np.mean(np.abs(got - wanted) < 1e-4) > 0.95
    assert np.abs(got - wanted).max() < 2 * step
    assert 1e-4 < np.abs(states(student, batch) - before).max() < 0.6


def test_the_model_that_trains_rounds_as_well(student, batch):
    FakeQuantization(student, [batch])
    np.testing.assert_allclose(
        states(faster(student), batch), states(student, batch), atol=1e-5
    )


def test_it_learns_and_ends_on_the_grid(student, batch):
    weights = [weight.path for weight in student.weights]
    start = kernels(student)
    rounding = FakeQuantization(student, [batch])
    ranges = rounding.ranges()
    fast = faster(student)
    model = keras.Model(fast.input, fast.output["sequence_output"])
    model.compile(keras.optimizers.SGD(0.05), "mse", jit_compile=False)
    target = np.zeros((2, 8, 8), "float32")
    losses = model.fit(batch, target, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert rounding.ranges() == ranges
    rounding.remove()
    assert [weight.path for weight in student.weights] == weights
    for layer in student.transformer_layers[0]._flatten_layers():
        assert not type(layer).__name__.startswith("_")
    for path, kernel in kernels(student).items():
        assert np.abs(kernel - start[path]).max() > 0
        units = 12 if "intermediate" in path else 8
        steps = grid(kernel, units)
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)


def test_its_ranges_are_named_and_hold_what_was_read(student, batch):
    rounding = FakeQuantization(student, [batch])
    inside = expose(student, {"queries": [0]})(batch)
    ranges = rounding.ranges()
    assert set(ranges) == {
        f"layer_0/{name}"
        for name in (
            "query", "key", "value", "attention_output",
            "feedforward_intermediate_dense", "feedforward_output_dense",
        )
    }  # fmt: skip
    x = inside["queries/0"].numpy()
    # Those inside are rounded.
    found = ranges["layer_0/query"]["outputs"]
    np.testing.assert_allclose(found, (x.min(), x.max()), rtol=2 / 255)


def test_what_feedforward_blocks_write_is_in_units_of_channels(student, batch):
    (layer,) = student.transformer_layers
    dense = encoder_parts(layer).output
    kernel = dense.kernel.numpy()
    kernel[:, 3] *= 1000
    dense.kernel.assign(kernel)
    x = np.random.default_rng(1).normal(size=(2, 8, 12)).astype("float32")
    rounding = FakeQuantization(student, [batch])
    found = rounding.ranges()["layer_0/feedforward_output_dense"]
    units = np.array(found["units"])
    assert units.argmax() == 3
    assert units[3] > 100 * np.sort(units)[-2]
    written = dense(x).numpy()
    low, high = found["outputs"]
    steps = written / units / ((high - low) / 255)
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
    # More than two or three steps in every channel.
    assert min(len(set(np.round(c))) for c in steps.reshape(-1, 8).T) > 5


def test_a_block_that_writes_nothing(student, batch):
    (layer,) = student.transformer_layers
    for weight in encoder_parts(layer).output.weights:
        weight.assign(0 * weight)
    FakeQuantization(student, [batch])
    assert np.isfinite(states(student, batch)).all()


def test_a_layer_without_a_bias_is_refused(batch):
    model = students.modernbert(1, 8, num_heads=2, vocabulary_size=20)
    with pytest.raises(UserError, match="its layer qkv has no bias; expected"):
        FakeQuantization(model, [batch])
