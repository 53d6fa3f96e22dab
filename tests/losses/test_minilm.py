"""MiniLM's losses against the paper's equations in NumPy float64."""

import gc

import keras
import numpy as np
import pytest

from tfminilm import losses
from tfminilm.losses import relations as relations_of

LENGTHS = (7, 3, 1)
HEADS = 2
LOSSES = (losses.attention_transfer, losses.value_relation)
PARAMETRIZE_LOSSES = pytest.mark.parametrize(
    "loss", LOSSES, ids=lambda loss: loss.__name__
)


def softmax(scores):
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def oracle(teacher_scores, student_scores, lengths, sample_weight=None):
    """Equation 4, example by example, on the real tokens alone."""
    per_example = []
    for teacher, student, length in zip(
        teacher_scores, student_scores, lengths, strict=True
    ):
        p = softmax(teacher[:, :length, :length].astype("float64"))
        q = softmax(student[:, :length, :length].astype("float64"))
        divergences = (p * (np.log(p) - np.log(q))).sum(-1)
        per_example.append(divergences.sum() / (len(teacher) * length))
    if sample_weight is None:
        return np.mean(per_example)
    return np.mean(per_example * sample_weight)  # As Keras counts.


def relations(values):
    """Equation 5 before its softmax."""
    values = values.astype("float64")
    return values @ values.swapaxes(-1, -2) / np.sqrt(values.shape[-1])


def expected(loss, teacher, student, lengths, sample_weight=None):
    if loss is losses.value_relation:
        teacher, student = relations(teacher), relations(student)
    return oracle(teacher, student, lengths, sample_weight)


def mask_of(lengths, total):
    return (np.arange(total) < np.array(lengths)[:, None]).astype("int32")


def inputs(loss, lengths=LENGTHS, total=7, seed=0, dtype="float32"):
    """Teacher's and student's tensors; head sizes of values differ."""
    random = np.random.default_rng(seed)
    wide, narrow = (total, total)
    if loss is losses.value_relation:
        wide, narrow = 6, 4
    shape = (len(lengths), HEADS, total)
    teacher = random.normal(scale=2.0, size=(*shape, wide)).astype(dtype)
    student = random.normal(scale=2.0, size=(*shape, narrow)).astype(dtype)
    return teacher, student, mask_of(lengths, total)


def fill_padding(loss, tensor, mask, value, total=None):
    """The tensor with `value` at padded positions, padded on to `total`."""
    more = (total or mask.shape[1]) - mask.shape[1]
    widths = [(0, 0), (0, 0), (0, more), (0, more)]
    real = np.pad(mask, ((0, 0), (0, more)))[:, None, :, None].astype(bool)
    if loss is losses.attention_transfer:
        real = real & real.swapaxes(-1, -2)
    else:
        widths[-1] = (0, 0)
    return np.where(real, np.pad(tensor, widths), value).astype(tensor.dtype)


@PARAMETRIZE_LOSSES
@pytest.mark.parametrize("seed", range(3))
def test_equals_the_papers_equations(loss, seed):
    teacher, student, mask = inputs(loss, seed=seed)
    value = loss(teacher, student, mask)
    assert keras.backend.standardize_dtype(value.dtype) == "float32"
    assert value.shape == ()
    np.testing.assert_allclose(
        value, expected(loss, teacher, student, LENGTHS), rtol=1e-5
    )


def test_equals_the_reference(gradient):
    teacher, student, mask = inputs(losses.attention_transfer)
    fused, plain = (
        relations_of.score_divergence,
        relations_of.reference_divergence,
    )
    values = [
        float(divergence(teacher, student, mask))
        for divergence in (fused, plain)
    ]
    assert values[0] == pytest.approx(values[1], rel=1e-5)
    slopes = [
        gradient(lambda x, f=f: f(teacher, x, mask), student)[0]
        for f in (fused, plain)
    ]
    np.testing.assert_allclose(*slopes, atol=1e-6)
    # And so the vectors' one is the reference of their self-relations.
    teacher, student, mask = inputs(losses.value_relation)
    wanted = plain(relations(teacher), relations(student), mask)
    made = relations_of.vector_divergence(teacher, student, mask)
    assert float(made) == pytest.approx(float(wanted), rel=1e-5)


@PARAMETRIZE_LOSSES
@pytest.mark.parametrize("kind", ["bool", "float32"])
def test_takes_masks_of_other_dtypes(loss, kind):
    teacher, student, mask = inputs(loss)
    np.testing.assert_array_equal(
        loss(teacher, student, mask.astype(kind)),
        loss(teacher, student, mask),
    )


@PARAMETRIZE_LOSSES
def test_is_zero_with_a_zero_gradient_at_the_teacher(loss, gradient):
    teacher, _, mask = inputs(loss)
    assert abs(float(loss(teacher, teacher, mask))) < 1e-6
    (slope,) = gradient(lambda student: loss(teacher, student, mask), teacher)
    assert keras.ops.max(keras.ops.abs(slope)) < 1e-7


@PARAMETRIZE_LOSSES
@pytest.mark.parametrize("value", [3e4, -3e4])
@pytest.mark.parametrize("total", [7, 12])
def test_ignores_what_stands_in_padding(loss, value, total, gradient):
    teacher, student, mask = inputs(loss)
    (slope,) = gradient(lambda x: loss(teacher, x, mask), student)
    slope = fill_padding(loss, np.asarray(slope), mask, 0.0, total)
    long_mask = mask_of(LENGTHS, total)
    padded = [
        fill_padding(loss, x, mask, fill, total)
        for x, fill in ((teacher, value), (student, -value))
    ]
    np.testing.assert_allclose(
        loss(*padded, long_mask), loss(teacher, student, mask), rtol=1e-6
    )
    (padded_slope,) = gradient(
        lambda x: loss(padded[0], x, long_mask), padded[1]
    )
    np.testing.assert_allclose(padded_slope, slope, rtol=1e-5, atol=1e-7)


@PARAMETRIZE_LOSSES
def test_gradient_agrees_with_finite_differences(loss, gradient):
    teacher, student, mask = inputs(loss)
    weight = np.array([0.5, 2.0, 1.0])
    (slope,) = gradient(
        lambda x: 3.0 * loss(teacher, x, mask, weight.astype("float32")),
        student,
    )
    exact = student.astype("float64")
    numeric = np.zeros_like(exact)
    for index in np.ndindex(exact.shape):
        step = np.zeros_like(exact)
        step[index] = 1e-5
        up, down = (
            expected(loss, teacher, exact + s, LENGTHS, weight)
            for s in (step, -step)
        )
        numeric[index] = 3.0 * (up - down) / 2e-5
    np.testing.assert_allclose(slope, numeric, rtol=1e-4, atol=1e-6)


@PARAMETRIZE_LOSSES
def test_no_gradient_reaches_the_teacher(loss, gradient):
    teacher, student, mask = inputs(loss)
    slopes = gradient(lambda t, s: loss(t, s, mask), teacher, student)
    assert not keras.ops.any(slopes[0])
    assert keras.ops.any(slopes[1])


@PARAMETRIZE_LOSSES
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_low_precision_inputs_are_computed_in_float32(loss, dtype, gradient):
    teacher, student, mask = inputs(loss)
    low = [keras.ops.cast(x, dtype) for x in (teacher, student)]
    rounded = [
        keras.ops.convert_to_numpy(keras.ops.cast(x, "float32")) for x in low
    ]
    value = loss(*low, mask)
    assert keras.backend.standardize_dtype(value.dtype) == "float32"
    np.testing.assert_allclose(
        value, expected(loss, *rounded, LENGTHS), rtol=1e-5
    )
    (slope,) = gradient(lambda x: loss(low[0], x, mask), low[1])
    assert keras.backend.standardize_dtype(slope.dtype) == dtype
    (full,) = gradient(lambda x: loss(rounded[0], x, mask), rounded[1])
    slope = keras.ops.convert_to_numpy(keras.ops.cast(slope, "float32"))
    np.testing.assert_allclose(slope, full, rtol=0.02, atol=1e-3)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_long_rows_of_large_scores_stay_finite(dtype, gradient):
    random = np.random.default_rng(0)
    scores = random.uniform(-1e3, 1e3, (2, 1, 1, 2048, 2048))
    teacher, student = (keras.ops.cast(x, dtype) for x in scores)
    mask = mask_of([2000], 2048)
    value = losses.attention_transfer(teacher, student, mask)
    rounded = [
        keras.ops.convert_to_numpy(keras.ops.cast(x, "float32"))
        for x in (teacher, student)
    ]
    shifted = [x.astype("float64")[0, 0, :2000, :2000] for x in rounded]
    # Probabilities underflow here, so the oracle's logarithms do not do.
    logs = [x - x.max(-1, keepdims=True) for x in shifted]
    logs = [x - np.log(np.exp(x).sum(-1, keepdims=True)) for x in logs]
    exact = (np.exp(logs[0]) * (logs[0] - logs[1])).sum(-1).mean()
    np.testing.assert_allclose(value, exact, rtol=1e-5)
    (slope,) = gradient(
        lambda x: losses.attention_transfer(teacher, x, mask), student
    )
    assert keras.ops.all(keras.ops.isfinite(slope))


@PARAMETRIZE_LOSSES
def test_an_empty_example_adds_nothing(loss, gradient):
    teacher, student, mask = inputs(loss, lengths=(7, 0, 1))
    value = loss(teacher, student, mask)
    some = loss(teacher[::2], student[::2], mask[::2])
    np.testing.assert_allclose(value, some * 2 / 3, rtol=1e-6)
    (slope,) = gradient(lambda x: loss(teacher, x, mask), student)
    assert keras.ops.all(keras.ops.isfinite(slope))
    assert not keras.ops.any(slope[1])


@PARAMETRIZE_LOSSES
def test_sample_weight_makes_a_weighted_mean(loss):
    teacher, student, mask = inputs(loss)
    weight = np.array([0.5, 0.0, 2.0], "float32")
    np.testing.assert_allclose(
        loss(teacher, student, mask, weight),
        expected(loss, teacher, student, LENGTHS, weight),
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        loss(teacher, student, mask, 5 * weight[:, None]),
        5 * loss(teacher, student, mask, weight),
        rtol=1e-6,
    )
    assert float(loss(teacher, student, mask, 0 * weight)) == 0.0


def kept_for_backward(loss, teacher, student, mask):
    """The tensors that the forward pass keeps for the backward pass."""
    if keras.backend.backend() == "jax":
        import jax

        _, backward = jax.vjp(lambda x: loss(teacher, x, mask), student)
        return [leaf.shape for leaf in jax.tree.leaves(backward)]
    if keras.backend.backend() == "torch":
        import torch

        teacher, student = map(torch.from_numpy, (teacher, student))
        value = loss(teacher, student.requires_grad_(), mask)
        gc.collect()
        alive = [x for x in gc.get_objects() if type(x) is torch.Tensor]
        assert any(x is value for x in alive)
        # A view takes no memory of its own.
        given = {x.untyped_storage().data_ptr() for x in (teacher, student)}
        return [
            tuple(x.shape)
            for x in alive
            if x.untyped_storage().data_ptr() not in given
        ]
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        teacher, student = (
            tf.compat.v1.placeholder(x.dtype, x.shape)
            for x in (teacher, student)
        )
        with tf.GradientTape() as tape:
            tape.watch(student)
            value = loss(teacher, student, mask)
        forward = {id(op) for op in graph.get_operations()}
        tape.gradient(value, student)
    backward = [op for op in graph.get_operations() if id(op) not in forward]
    kept = {
        tensor.ref(): tensor.shape
        for op in backward
        for tensor in op.inputs
        if id(tensor.op) in forward
    }
    return [tuple(shape) for shape in kept.values() if shape.rank is not None]


@PARAMETRIZE_LOSSES
def test_at_most_one_tensor_of_scores_is_kept_for_the_backward_pass(loss):
    teacher, student, mask = inputs(loss)
    shapes = kept_for_backward(loss, teacher, student, mask)
    scores = (len(LENGTHS), HEADS, 7, 7)
    kept = [shape for shape in shapes if tuple(shape[-2:]) == scores[-2:]]
    # A relation of vectors keeps their gradient, which is much smaller.
    assert kept == ([scores] if loss is losses.attention_transfer else [])
