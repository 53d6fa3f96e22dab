"""Weights of classes, and losses of smoothed labels, by their definitions."""

import dataclasses

import keras
import numpy as np
import pytest

from tfminilm.errors import UserError
from tfminilm.tasks import class_weights
from tfminilm.tasks.encoded import Encoded, join
from tfminilm.tasks.example import Example
from tfminilm.tasks.kinds import KINDS

LABELS = ("a", "b", "c")


def encoded(labels):
    count = len(labels)
    return Encoded(
        np.zeros(count, np.int32), np.zeros(count, np.int8),
        np.arange(count + 1), {"labels": np.array(labels)}, 0,
    )  # fmt: skip


def shares(written, labels):
    return class_weights.weighted(written, LABELS, encoded(labels)).shares


def test_each_class_counts_alike():
    # c has no example: it takes nothing from the others.
    weights = shares("balanced", [0, 0, 0, 1])
    np.testing.assert_allclose(weights, [2 / 3, 2 / 3, 2 / 3, 2])
    soft = shares("balanced", [[0.5, 0.5, 0], [1, 0, 0]])
    np.testing.assert_allclose(soft.mean(), 1)


def test_weights_by_name():
    weights = shares("b:3, c:0", [0, 1, 2])
    np.testing.assert_allclose(weights, [1, 3, 0])
    plain = encoded([0, 1, 2])
    assert class_weights.weighted("", LABELS, plain) is plain


def test_a_batch_has_them():
    rows = class_weights.weighted("b:3", LABELS, encoded([0, 1, 2]))
    assert rows.lengths.tolist() == [1, 1, 1]
    # A filler weighs nothing, and the others as much more.
    weights = rows.weights(np.array([1, 0, -1]), 1)
    np.testing.assert_allclose(weights, [4.5, 1.5, 0])


def test_texts_without_labels_count_one_each():
    labelled = class_weights.weighted("b:3,c:0", LABELS, encoded([0, 1, 2]))
    more = dataclasses.replace(encoded([0, 0]), labels={})
    weights = join([labelled, more]).weights(np.arange(5), 1)
    np.testing.assert_allclose(weights, [1, 3, 0, 1, 1])


def test_rare_labels_count_where_they_are_true():
    # "a" is true in 3 of 4, "b" in 1, "c" in none.
    values = np.float32([[1, 0, 0], [1, 1, 0], [1, 0, 0], [0, 0, 0]])
    rows = class_weights.weighted(
        "balanced", LABELS, encoded(values), are_several=True
    )
    found = rows.weights(np.arange(4), 1)
    wanted = np.where(values > 0, [[1 / 3, 3, 4]], 1)
    np.testing.assert_allclose(found, wanted / wanted.mean(), rtol=1e-6)
    true = (found * values)[:, :2].sum(axis=0)
    false = (found * (1 - values))[:, :2].sum(axis=0)
    np.testing.assert_allclose(true, false, rtol=1e-6)
    # A filler weighs nothing.
    assert not rows.weights(np.array([0, -1]), 1)[1].any()


@pytest.mark.parametrize(
    ("share", "labels", "wanted"),
    [
        (0.0, [0] * 8 + [1, 1], [8, 2]),
        (1.0, [0] * 8 + [1, 1] + [2] * 3, [8, 8, 8]),
        (0.5, [0] * 8 + [1, 1], [8, 4]),
        (1.0, [(1.0, 0.0)] * 6 + [(1.0, 1.0)] * 2, [14, 8]),
        (1.0, [(1.0, 0.0)] * 2 + [(0.0, 0.0)], [2, 0]),
    ],
)
def test_rare_classes_come_more_often(share, labels, wanted):
    examples = [Example(str(n), ("",), label) for n, label in enumerate(labels)]
    found = class_weights.oversampled(share, examples)
    assert {*found} == {*examples}
    for place, count in enumerate(wanted):
        has = [
            x.label[place] if isinstance(x.label, tuple) else x.label == place
            for x in found
        ]
        assert sum(has) == count


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_losses_of_each_label(gamma):
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(5, 3)).astype("float32")
    labels = (generator.random((5, 3)) < 0.5).astype("float32")
    weights = generator.random((5, 3)).astype("float32")
    loss = KINDS["multi_label"].losses_of_each(0.1, gamma)["loss"]
    model = keras.Sequential([keras.layers.Identity()])
    model.compile(loss=loss)
    got = model.test_on_batch(logits, labels, sample_weight=weights)
    shares = 1 / (1 + np.exp(-logits.astype(np.float64)))
    smooth = labels * 0.9 + 0.05
    right = smooth * shares + (1 - smooth) * (1 - shares)
    each = -smooth * np.log(shares) - (1 - smooth) * np.log(1 - shares)
    each = each * (1 - right) ** gamma
    np.testing.assert_allclose(got, (each * weights).mean(), rtol=1e-5)


@pytest.mark.parametrize("written", ["d:2", "b", "b:x", "b:-1", "b:inf", "b:"])
def test_weights_that_are_none(written):
    with pytest.raises(UserError, match=r"expected balanced, or .* as a:2"):
        shares(written, [0])


def softmax(x):
    shifted = np.exp(x - x.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_shaped_losses(smoothing, gamma):
    random = np.random.default_rng(0)
    logits, labels = random.normal(size=(5, 3)), np.array([0, 2, 1, 1, 0])
    loss = KINDS["classification"].shaped_losses(smoothing, gamma)["loss"]
    p = softmax(logits)
    q = np.eye(3)[labels] * (1 - smoothing) + smoothing / 3
    expected = -(q * (1 - p) ** gamma * np.log(p)).sum(-1)
    for given in (labels, np.eye(3)[labels]):
        given = keras.ops.convert_to_tensor(given)
        result = loss(given, keras.ops.convert_to_tensor(logits))
        np.testing.assert_allclose(result, expected, rtol=1e-5)
    truth = np.eye(3)[labels]
    loss = KINDS["multi_label"].shaped_losses(smoothing, gamma)["loss"]
    p, q = 1 / (1 + np.exp(-logits)), truth * (1 - smoothing) + smoothing / 2
    sure = q * p + (1 - q) * (1 - p)
    entropy = -(q * np.log(p) + (1 - q) * np.log(1 - p))
    expected = ((1 - sure) ** gamma * entropy).mean()
    np.testing.assert_allclose(loss(truth, logits), expected, rtol=1e-5)
