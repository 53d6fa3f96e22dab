"""Fused chains compute what their operations compute one by one."""

import keras
import numpy as np
import pytest
from keras import ops

from tfminilm.layers import fused
from tfminilm.private import optimizers

WIDTH = 8
SHAPE = (2, 3, WIDTH)


@pytest.fixture
def tensors():
    random = np.random.default_rng(0)
    shapes = (SHAPE, (WIDTH,), SHAPE, (WIDTH,), (WIDTH,))
    return [
        ops.convert_to_tensor(random.normal(size=shape), "float32")
        for shape in shapes
    ]


def numpy(tensors):
    return keras.tree.map_structure(ops.convert_to_numpy, tensors)


def plain_norm(x, bias, residual, gamma, beta):
    total = x + bias + residual
    mean = ops.mean(total, axis=-1, keepdims=True)
    variance = ops.var(total, axis=-1, keepdims=True)
    return (total - mean) / ops.sqrt(variance + 1e-5) * gamma + beta


CHAINS = pytest.mark.parametrize(
    ("chain", "plain"),
    [
        (fused.residual_norm(1e-5), plain_norm),
        (
            fused.bias_activation(keras.activations.gelu),
            lambda x, bias: keras.activations.gelu(x + bias),
        ),
    ],
    ids=["residual_norm", "bias_activation"],
)


def arguments_of(chain, tensors):
    return tensors if chain is fused.residual_norm(1e-5) else tensors[:2]


@CHAINS
def test_value_and_gradient_are_those_of_the_chain(
    chain, plain, tensors, gradient
):
    arguments = arguments_of(chain, tensors)
    np.testing.assert_allclose(
        *numpy([chain(*arguments), plain(*arguments)]), rtol=1e-5, atol=1e-5
    )
    weight = ops.reshape(ops.arange(np.prod(SHAPE), dtype="float32"), SHAPE)
    ours, theirs = (
        gradient(lambda *x, f=f: ops.sum(weight * f(*x)), *arguments)
        for f in (chain, plain)
    )
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-3)


@CHAINS
def test_takes_variables(chain, plain, tensors):
    arguments = arguments_of(chain, tensors)
    variables = [keras.Variable(x) for x in arguments]
    np.testing.assert_allclose(
        *numpy([chain(*variables), plain(*arguments)]), rtol=1e-5, atol=1e-5
    )


def test_norms_are_computed_in_float32(tensors):
    low = [ops.cast(x, "bfloat16") for x in tensors[:3]]
    output = fused.residual_norm(1e-5)(*low, *tensors[3:])
    assert keras.backend.standardize_dtype(output.dtype) == "bfloat16"
    rounded = [ops.cast(x, "float32") for x in low]
    np.testing.assert_allclose(
        *numpy(
            [ops.cast(output, "float32"), plain_norm(*rounded, *tensors[3:])]
        ),
        rtol=0.02,
        atol=0.05,
    )


def test_dropout_drops_its_share_and_keeps_the_mean():
    layer = keras.layers.Dropout(0.3, seed=5)
    before = ops.convert_to_numpy(layer.seed_generator.state)
    shape = (7, 11, 101)
    first, second = (
        ops.convert_to_numpy(fused.dropout_bits(layer, shape)).astype(int)
        for _ in range(2)
    )
    assert first.shape == shape
    assert first.min() >= 0
    assert 2**15 < first.max() < 2**16
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.05
    layer.seed_generator.state.assign(before)
    again = fused.dropout_bits(layer, shape)
    np.testing.assert_array_equal(ops.convert_to_numpy(again), first)

    x = np.random.default_rng(2).normal(size=shape).astype("float32")
    output = ops.convert_to_numpy(fused.dropout(0.3)(x, again))
    kept = first >= round(0.3 * 2**16)
    assert kept.mean() == pytest.approx(0.7, abs=0.02)
    np.testing.assert_allclose(output, np.where(kept, x / 0.7, 0), rtol=1e-4)


def test_dropout_gradient_passes_what_was_kept(gradient):
    bits = np.array([0, 2**15 - 1, 2**15, 2**16 - 1], "int32")
    x = np.arange(4, dtype="float32")
    (slope,) = gradient(lambda x: ops.sum(fused.dropout(0.5)(x, bits)), x)
    np.testing.assert_array_equal(slope, [0, 0, 2, 2])


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_large_tables_are_updated_alike(weight_decay):
    random = np.random.default_rng(1)
    start = random.normal(size=(4, 3)).astype("float32")
    gradients = random.normal(size=(3, 4, 3)).astype("float32")
    tables = []
    for fuse in (True, False):
        table = keras.Variable(start)
        optimizer = keras.optimizers.AdamW(0.1, weight_decay=weight_decay)
        optimizer.build([table])
        if fuse:
            optimizers.prepare(optimizer, 8)
            optimizers.prepare(optimizer, 8)  # Once more changes nothing.
        for slope in gradients:
            optimizer.apply([ops.convert_to_tensor(slope)])
        tables.append(ops.convert_to_numpy(table))
    assert np.abs(tables[0] - start).max() > 0.1
    np.testing.assert_allclose(*tables, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow's scheduling"
)
def test_one_thing_after_the_other():
    import tensorflow as tf

    with tf.Graph().as_default():
        first, other = tf.random.uniform([2]), tf.random.uniform([2])
        with fused.after(first):
            second = ops.square(other)
        assert first.op in second.op.control_inputs
