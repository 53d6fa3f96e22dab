"""The other papers' losses against their equations in NumPy float64."""

import keras
import numpy as np
import pytest
import scipy.special

from tfminilm import losses

MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]])


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def softmax(x):
    return scipy.special.softmax(x.astype("float64"), axis=-1)


def kl(p, q):
    return (p * np.log(p / q)).sum(-1)


def weighted(rows, weights):
    """The mean of `rows` as Keras weighs it."""
    return np.mean(rows if weights is None else rows * np.array(weights))


def real(x):
    """The rows of `[batch, length, ...]` at real tokens, one by one."""
    return x[MASK.astype(bool)].astype("float64")


def with_noise(x):
    """The same at real tokens, something else at padded ones."""
    noise = 1e3 * np.random.default_rng(9).normal(size=x.shape)
    return np.where(MASK[..., None], x, noise).astype("float32")


@pytest.mark.parametrize("temperature", [1.0, 2.0, 10.0])
@pytest.mark.parametrize("weights", [None, np.array([0.5, 0.0, 3.0])])
def test_soft_targets(temperature, weights):
    teacher, student = 4 * normal(3, 7), 4 * normal(3, 7, seed=1)
    divergence = kl(
        softmax(teacher / temperature), softmax(student / temperature)
    )
    expected = temperature**2 * weighted(divergence, weights)
    found = losses.soft_targets(teacher, student, temperature, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_soft_targets_on_tokens_is_the_mean_over_real_ones():
    teacher, student = normal(3, 5, 7), normal(3, 5, 7, seed=1)
    expected = kl(softmax(real(teacher)), softmax(real(student))).mean()
    found = losses.soft_targets(
        with_noise(teacher), student, sample_weight=MASK
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_keras_own_logits_distillation_is_not_the_papers_loss():
    # Its default loss skips the softmax and the factor T².
    teacher = np.array([[2.0, -1.0, 0.5]], "float32")
    student = np.array([[0.1, 0.2, -0.3]], "float32")
    expected = 4 * kl(softmax(teacher / 2), softmax(student / 2)).mean()
    ours = float(losses.soft_targets(teacher, student, 2.0))
    theirs = float(
        keras.distillation.LogitsDistillation(temperature=2.0).compute_loss(
            keras.ops.convert_to_tensor(teacher),
            keras.ops.convert_to_tensor(student),
        )
    )
    assert ours == pytest.approx(expected, rel=1e-5)
    assert theirs != pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_soft_targets_refuses_a_temperature(temperature):
    with pytest.raises(ValueError, match="expected above 0"):
        losses.soft_targets(normal(2, 3), normal(2, 3), temperature)


@pytest.mark.parametrize("weights", [None, [1.0, 0.0, 3.0]])
def test_hard_labels(weights):
    logits, labels = normal(3, 4), np.array([0, 3, 2])
    rows = -scipy.special.log_softmax(logits.astype("float64"), axis=-1)
    expected = weighted(rows[np.arange(3), labels], weights)
    found = losses.hard_labels(labels, logits, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_logits_mse():
    teacher, student = normal(3, 7), normal(3, 7, seed=1)
    weights = np.array([1.0, 0.0, 2.0])
    squares = ((teacher - student).astype("float64") ** 2).mean(-1)
    np.testing.assert_allclose(
        losses.logits_mse(teacher, student, weights),
        weighted(squares, weights),
        rtol=1e-5,
    )


def heads(x, count):
    """The paper's split of one example's `[heads, length, dim]`, by hand."""
    joined = np.concatenate(list(x.astype("float64")), axis=-1)
    return np.split(joined, count, axis=-1)


@pytest.mark.parametrize("count", [1, 2, 6])
def test_relation_splits_the_joined_heads_again(count):
    teacher, student = normal(3, 4, 5, 3), normal(3, 2, 5, 6, seed=1)
    expected = []
    for t, s, length in zip(teacher, student, MASK.sum(-1), strict=True):
        rows = []
        for x, y in zip(heads(t, count), heads(s, count), strict=True):
            x, y = x[:length], y[:length]
            p = softmax(x @ x.T / np.sqrt(x.shape[-1]))
            q = softmax(y @ y.T / np.sqrt(y.shape[-1]))
            rows.append(kl(p, q).mean())
        expected.append(np.mean(rows))
    found = losses.relation(teacher, student, MASK, count)
    np.testing.assert_allclose(found, np.mean(expected), rtol=1e-5)


def test_relation_of_the_models_own_heads_is_the_value_relation():
    teacher, student = normal(3, 4, 5, 6), normal(3, 4, 5, 3, seed=1)
    np.testing.assert_allclose(
        losses.relation(teacher, student, MASK, 4),
        losses.value_relation(teacher, student, MASK),
        rtol=1e-6,
    )


def test_relation_refuses_heads_that_do_not_divide():
    with pytest.raises(ValueError, match="5 relation heads do not divide"):
        losses.relation(normal(1, 4, 5, 3), normal(1, 4, 5, 3), MASK[:1], 5)


def test_hidden_mse():
    teacher, student = normal(3, 5, 4), normal(3, 5, 4, seed=1)
    expected = ((real(teacher) - real(student)) ** 2).mean()
    found = losses.hidden_mse(teacher, with_noise(student), MASK)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_cosine_distance():
    teacher, student = normal(3, 5, 4), normal(3, 5, 4, seed=1)
    t, s = real(teacher), real(student)
    cosine = (t * s).sum(-1) / np.linalg.norm(t, axis=-1)
    expected = (1 - cosine / np.linalg.norm(s, axis=-1)).mean()
    found = losses.cosine_distance(teacher, with_noise(student), MASK)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_attention_scores_mse_counts_real_pairs_only():
    teacher, student = normal(3, 2, 5, 5), normal(3, 2, 5, 5, seed=1)
    squares = [
        (t[:, :n, :n].astype("float64") - s[:, :n, :n]) ** 2
        for t, s, n in zip(teacher, student, MASK.sum(-1), strict=True)
    ]
    expected = np.concatenate([x.mean(0).ravel() for x in squares]).mean()
    found = losses.attention_scores_mse(teacher, student, MASK)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_patient():
    teacher, student = normal(3, 2, 4), normal(3, 2, 4, seed=1)
    t, s = (
        x.astype("float64") / np.linalg.norm(x, axis=-1, keepdims=True)
        for x in (teacher, student)
    )
    expected = ((s - t) ** 2).sum((1, 2)).mean()
    found = losses.patient(teacher, student)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_masked_lm_and_next_sentence():
    logits, labels = normal(3, 5, 7), np.arange(15).reshape(3, 5) % 7
    entropy = -np.log(
        np.take_along_axis(softmax(logits), labels[..., None], -1)
    )
    np.testing.assert_allclose(
        losses.masked_lm(logits, labels, MASK),
        entropy[..., 0][MASK.astype(bool)].mean(),
        rtol=1e-5,
    )
    logits, labels = normal(3, 2), np.array([0, 1, 1])
    entropy = -np.log(softmax(logits)[range(3), labels])
    np.testing.assert_allclose(
        losses.next_sentence(logits, labels), entropy.mean(), rtol=1e-5
    )


def test_zero_vectors_and_empty_batches_stay_finite():
    zeros, nothing = np.zeros((3, 5, 4), "float32"), np.zeros_like(MASK)
    assert float(losses.cosine_distance(zeros, zeros, MASK)) == 1.0
    assert float(losses.patient(zeros, zeros)) == 0.0
    assert float(losses.hidden_mse(zeros, zeros + 1, nothing)) == 0.0


def sigmoid(x):
    return scipy.special.expit(x.astype("float64"))


@pytest.mark.parametrize("temperature", [1.0, 2.0, 10.0])
@pytest.mark.parametrize("weights", [None, np.array([0.5, 0.0, 3.0])])
def test_soft_targets_of_several_labels(temperature, weights):
    teacher, student = 4 * normal(3, 7), 4 * normal(3, 7, seed=1)
    p, q = sigmoid(teacher / temperature), sigmoid(student / temperature)
    both = [np.stack([x, 1 - x], axis=-1) for x in (p, q)]
    expected = temperature**2 * weighted(kl(*both).mean(1), weights)
    result = losses.soft_several_labels(teacher, student, temperature, weights)
    np.testing.assert_allclose(result, expected, rtol=1e-5)
    with pytest.raises(ValueError, match="temperature is 0"):
        losses.soft_several_labels(teacher, student, 0)


@pytest.mark.parametrize("weights", [None, np.array([0.5, 0.0, 3.0])])
def test_hard_targets_of_several_labels(weights):
    student, labels = 4 * normal(3, 7), normal(3, 7, seed=1) > 0
    q = sigmoid(student)
    rows = -np.log(np.where(labels, q, 1 - q)).mean(1)
    result = losses.hard_several_labels(labels, student, weights)
    np.testing.assert_allclose(result, weighted(rows, weights), rtol=1e-5)


def test_logits_that_float32_has_no_sigmoid_of():
    student = np.array([[200.0, -200.0]], "float32")
    labels = np.array([[1.0, 1.0]])
    result = losses.hard_several_labels(labels, student)
    np.testing.assert_allclose(result, 100.0)
