"""Scores of translations' embeddings, against SciPy and loops."""

import numpy as np
import pytest
from scipy.spatial.distance import cosine
from scipy.stats import spearmanr

from tfminilm.tasks.retrieval import likeness_correlation, retrieval_accuracy


def test_accuracy_is_of_both_directions():
    random = np.random.default_rng(0)
    first = random.normal(size=(12, 5))
    second = first + random.normal(size=(12, 5))
    table = np.array([[1 - cosine(a, b) for b in second] for a in first])
    forward = np.mean(table.argmax(1) == np.arange(12))
    backward = np.mean(table.argmax(0) == np.arange(12))
    assert 0 < forward != backward
    expected = (forward + backward) / 2
    assert retrieval_accuracy(first, second) == pytest.approx(expected)
    # Lengths do not count, and embeddings that are all one find nothing.
    assert retrieval_accuracy(3 * first, second) == pytest.approx(expected)
    assert retrieval_accuracy(first, first) == 1
    assert retrieval_accuracy(first * 0 + 1, first * 0 + 1) == 0


def test_likeness_compares_the_same_pairs_of_texts():
    random = np.random.default_rng(0)
    texts, others = random.normal(size=(7, 5)), random.normal(size=(7, 3))
    rows = [
        [
            1 - cosine(each[i], each[j])
            for i in range(7)
            for j in range(i + 1, 7)
        ]
        for each in (texts, others)
    ]
    expected = spearmanr(*rows).statistic
    assert likeness_correlation(texts, others) == pytest.approx(expected)
    assert likeness_correlation(texts, -2 * texts) == pytest.approx(1)
