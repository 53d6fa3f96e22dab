"""Figures of evidence, against plain loops and known values."""

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from tfminilm.tasks import certainty, evidence


@pytest.fixture(name="data")
def _data():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 200)
    logits = generator.normal(size=(200, 3))
    logits[np.arange(200), labels] += 1
    return logits, labels


def test_probabilities_are_the_softmax():
    probs = evidence.probabilities(np.array([[0.0, np.log(3.0)]]))
    np.testing.assert_allclose(probs, [[0.25, 0.75]])
    halved = evidence.probabilities(np.array([[0.0, 2 * np.log(3.0)]]), 2.0)
    np.testing.assert_allclose(halved, probs)
    assert np.isfinite(evidence.probabilities(np.array([[1e30, 0.0]]))).all()


def test_classes_by_hand(data):
    logits, labels = data
    answers = logits.argmax(axis=1)
    for index, score in enumerate(evidence.per_class(labels, answers, "abc")):
        right = np.sum((labels == index) & (answers == index))
        assert score.precision == pytest.approx(
            right / np.sum(answers == index)
        )
        assert score.recall == pytest.approx(right / np.sum(labels == index))
        f1 = 2 * right / (np.sum(answers == index) + np.sum(labels == index))
        assert score.f1 == pytest.approx(f1)
        assert score.support == np.sum(labels == index)
    counts = evidence.confusion(labels, answers, 3)
    for i in range(3):
        for j in range(3):
            assert counts[i, j] == np.sum((labels == i) & (answers == j))


def test_a_class_that_is_never_predicted_scores_0():
    scores = evidence.per_class(np.array([0, 0, 1]), np.zeros(3, int), "abc")
    assert [score.f1 for score in scores] == [pytest.approx(0.8), 0, 0]


def test_calibration_error_by_hand():
    probs = np.array([[0.9, 0.1], [0.88, 0.12], [0.6, 0.4], [0.5, 0.5]])
    labels = np.array([0, 1, 0, 1])
    # Bins of a tenth: two at about 0.89 with one right, and two alone.
    wanted = (2 * abs(0.89 - 0.5) + abs(0.6 - 1) + abs(0.5 - 0)) / 4
    # 0.9 opens a bin of its own.
    wanted = (abs(0.9 - 1) + 0.88 + abs(0.6 - 1) + 0.5) / 4
    error = evidence.calibration_error(probs, labels, bins=10)
    assert error == pytest.approx(wanted)


def test_temperature_mends_what_was_scaled(data):
    logits, _ = data
    generator = np.random.default_rng(1)
    probs = evidence.probabilities(np.repeat(logits, 50, axis=0))
    labels = (generator.random((len(probs), 1)) > probs.cumsum(1)).sum(axis=1)
    for scale in (0.5, 1, 4):
        fitted = evidence.fit_temperature(
            scale * np.repeat(logits, 50, axis=0), labels
        )
        assert fitted == pytest.approx(scale, rel=0.05)
    assert evidence.fit_temperature(np.zeros((0, 3)), np.zeros(0, int)) == 1


def test_labels_against_scikit_learn():
    generator = np.random.default_rng(3)
    labels, picks = generator.random((2, 50, 4)) < [0.5, 0.2, 0.0, 0.9]
    picks[:, 1] = False
    columns = precision_recall_fscore_support(labels, picks, zero_division=0)
    scores = evidence.per_label(labels, picks, "abcd")
    for place, one in enumerate(scores):
        wanted = [column[place] for column in columns]
        found = [one.precision, one.recall, one.f1, one.support]
        assert found == pytest.approx(wanted)


def test_interval_covers_as_often_as_it_says():
    generator = np.random.default_rng(2)
    covered = 0
    for seed in range(200):
        right = generator.random(150) < 0.8
        bounds = evidence.interval(
            lambda at, right=right: right[at].mean(), 150, seed, draws=200
        )
        assert bounds.low <= bounds.value <= bounds.high
        covered += bounds.low <= 0.8 <= bounds.high
    assert 178 <= covered <= 199


def test_rejection_by_hand():
    probs = np.array([[0.9, 0.1], [0.3, 0.7], [0.3, 0.7], [0.6, 0.4]])
    labels = np.array([0, 1, 0, 1])
    rows = evidence.rejection(probs, labels)
    assert rows == [(0.9, 0.25, 1.0), (0.7, 0.75, 2 / 3), (0.6, 1.0, 0.5)]
    assert evidence.threshold_for(probs, labels, 0.6) == 0.7
    assert evidence.threshold_for(probs, labels, 0.4) == 0.6
    assert evidence.threshold_for(probs, 1 - labels, 0.9) is None


def test_samples_are_the_same_for_all_models():
    labels = np.arange(30)
    scores = [lambda at: [labels[at].mean()], lambda at: [labels[at].mean()]]
    samples = evidence.resample(scores, 30, draws=200)
    assert samples.shape == (200, 2, 1)
    assert (samples[:, 0] == samples[:, 1]).all()
    assert samples.std() > 0
    (one,) = evidence.bounds([14.5], samples[:, 0])
    wanted = np.percentile(samples[:, 0], [2.5, 97.5])
    assert [one.value, one.low, one.high] == pytest.approx([14.5, *wanted])


def test_right_answers_alone_tell_no_temperature(data):
    logits, _ = data
    labels = logits.argmax(axis=1)
    assert evidence.fit_temperature(logits, labels) == 1


def test_no_answers_have_no_threshold():
    nothing = np.zeros(0)
    assert certainty.rejection(nothing, nothing) == []
    assert certainty.threshold_for(nothing, nothing, 0.9) is None
