"""How weights and masks count: as in Keras' own losses."""

import keras
import numpy as np
import pytest
from keras import ops

from tfminilm import losses
from tfminilm.losses import means

RANDOM = np.random.default_rng(0)
TAUGHT, LEARNT = RANDOM.normal(size=(2, 3, 5, 4)).astype("float32")
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]])
WEIGHTS = np.array([0.5, 0.0, 3.0], "float32")
SCORES = RANDOM.normal(size=(2, 3, 2, 5, 5)).astype("float32")


def mean_squares(taught, learnt, mask, weights):
    """`keras.losses.MeanSquaredError` behind a mask on its predictions."""
    learnt = ops.convert_to_tensor(learnt)
    loss = keras.losses.MeanSquaredError(reduction="none")
    rows = ops.convert_to_numpy(loss(taught, learnt))
    return float(
        keras.src.losses.loss.reduce_weighted_values(
            ops.convert_to_tensor(rows),
            sample_weight=np.broadcast_to(weights[:, None], rows.shape),
            mask=ops.convert_to_tensor(mask.astype("float32")),
            reduction="sum_over_batch_size",
        )
    )


@pytest.mark.parametrize("weights", [WEIGHTS, np.ones(3, "float32")])
@pytest.mark.parametrize("column", [False, True])
def test_masked_tokens_count_as_in_keras(weights, column):
    expected = mean_squares(TAUGHT, LEARNT, MASK, weights)
    given = weights[:, None] if column else weights
    found = losses.hidden_mse(TAUGHT, LEARNT, MASK, given)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_pairs_of_tokens_count_as_in_keras():
    taught, learnt = SCORES
    squares = ((taught - learnt).astype("float64") ** 2).mean(1)
    pairs = MASK[:, :, None] * MASK[:, None]
    expected = (squares * pairs * WEIGHTS[:, None, None]).sum() / pairs.sum()
    found = losses.attention_scores_mse(taught, learnt, MASK, WEIGHTS[:, None])
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_fillers_change_no_mean():
    """Rows without tokens and weight, as the last batch of an epoch has."""
    mask = np.concatenate([MASK, np.zeros((2, 5), "int64")])
    weights = np.array([1, 1, 1, 0, 0], "float32") * (5 / 3)
    taught, learnt = (np.concatenate([x, x[:2]]) for x in (TAUGHT, LEARNT))
    scores = [np.concatenate([x, x[:2]]) for x in SCORES]
    for loss, filled, plain in (
        (losses.hidden_mse, (taught, learnt), (TAUGHT, LEARNT)),
        (losses.cosine_distance, (taught, learnt), (TAUGHT, LEARNT)),
        (losses.attention_scores_mse, scores, SCORES),
        (losses.attention_transfer, scores, SCORES),
    ):
        found = float(loss(*filled, mask, weights))
        assert found == pytest.approx(float(loss(*plain, MASK)), rel=1e-5)


@pytest.mark.parametrize("weighs", [False, True])
def test_nothing_of_no_example(weighs):
    """A replica may get none of a batch."""
    weights = WEIGHTS[:0] if weighs else None
    none, mask, scores = TAUGHT[:0], MASK[:0], SCORES[0, :0]
    classes, labels = TAUGHT[:0, 0], np.zeros(0, "int32")
    found = {
        "hidden": losses.hidden_mse(none, none, mask, weights),
        "cosine": losses.cosine_distance(none, none, mask, weights),
        "scores": losses.attention_scores_mse(scores, scores, mask, weights),
        "patient": losses.patient(none[:, :2], none[:, :2], weights),
        "transfer": losses.attention_transfer(scores, scores, mask, weights),
        "values": losses.value_relation(scores, scores, mask, weights),
        "relation": losses.relation(scores, scores, mask, 1, weights),
        "soft": losses.soft_targets(classes, classes, 2.0, weights),
        "squares": losses.logits_mse(classes, classes, weights),
        "hard": losses.hard_labels(labels, classes, weights),
        "next": losses.next_sentence(classes, labels, weights),
        "masked": losses.masked_lm(none, mask, mask),
    }
    assert {name: float(value) for name, value in found.items()} == (
        dict.fromkeys(found, 0.0)
    )


def test_weights_of_tokens_are_a_mask_as_well():
    values = RANDOM.normal(size=(3, 5)).astype("float32")
    weights = MASK * np.array([[1.0], [2.0], [0.5]])
    expected = (values * weights).sum() / MASK.sum()
    found = means.weighted_mean(values, weights)
    assert float(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shape", [(3, 2), (3, 1, 1)])
def test_refuses_weights_of_another_shape(shape):
    for loss, values in (
        (losses.soft_targets, TAUGHT[:, 0]),
        (losses.logits_mse, TAUGHT[:, 0]),
    ):
        with pytest.raises(ValueError, match="one weight for each example"):
            loss(values, values, sample_weight=np.ones(shape, "float32"))


def test_labels_are_classes_or_their_probabilities():
    logits = TAUGHT[:, 0]
    classes = np.array([3, 0, 1])
    one_hot = np.eye(4, dtype="float32")[classes]
    expected = keras.losses.CategoricalCrossentropy(from_logits=True)(
        one_hot, logits
    )
    for labels in (classes, one_hot):
        found = losses.hard_labels(labels, logits)
        assert float(found) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("label", [-1, 4])
def test_what_is_no_class_has_no_loss(label):
    labels = np.array([3, label, 1])
    assert np.isnan(float(losses.hard_labels(labels, TAUGHT[:, 0])))
    found = losses.hard_labels(labels, TAUGHT[:, 0], WEIGHTS)
    assert np.isfinite(float(found))  # Its weight is 0.
