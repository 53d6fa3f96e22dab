"""Thresholds against all that there are, and F1 against its definition."""

import numpy as np

from tfminilm.tasks import thresholds
from tfminilm.tasks.example import Example
from tfminilm.tasks.kinds import KINDS
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task


def f1(labels, given):
    hits = (labels & given).sum()
    return 2 * hits / max(labels.sum() + given.sum(), 1)


def test_no_threshold_is_better():
    random = np.random.default_rng(0)
    labels = random.random((40, 6)) < [0.5, 0.5, 0.1, 0.0, 1.0, 0.5]
    # Few values, so that some are equal.
    probabilities = random.integers(0, 20, (40, 6)) / 20
    probabilities[:, 5] = 0.02 + 0.02 * labels[:, 5]
    limits = thresholds.best(labels, probabilities)
    for place, limit in enumerate(limits):
        truth, values = labels[:, place], probabilities[:, place]
        tried = [f1(truth, values >= one) for one in np.linspace(0, 1, 201)]
        assert f1(truth, values >= limit) == max(tried)
    assert limits[3] == 0.5  # No example has the label.
    np.testing.assert_allclose(limits[5], 0.03)  # Half way.


def test_half_is_kept_where_it_is_as_good():
    labels = np.array([[True], [False], [True]])
    probabilities = np.array([[0.9], [0.4], [0.6]])
    assert thresholds.best(labels, probabilities) == (0.5,)


def test_f1_by_its_definition():
    random = np.random.default_rng(1)
    labels, given = random.random((2, 30, 4)) < 0.4
    scores = thresholds.f1_scores(labels, given)
    macro = np.mean([f1(labels[:, i], given[:, i]) for i in range(4)])
    np.testing.assert_allclose(scores["micro_f1"], f1(labels, given))
    np.testing.assert_allclose(scores["macro_f1"], macro)


def test_the_kind_gives_labels_from_their_thresholds_on():
    kind = KINDS["multi_label"]
    settings = Settings("t", kind.name, ("a", "b"), 8)
    task = Task("t", kind.name, kind.metrics_of("ab"), (), ("a", "b"))
    labels = ((1.0, 0.0), (0.0, 1.0), (0.0, 0.0))
    rows = [Example(str(i), ("x",), label) for i, label in enumerate(labels)]
    decoded = [(0.4, 0.1), (0.2, 0.1), (0.1, 0.05)]
    tuned = kind.tune(settings, rows, decoded)
    np.testing.assert_allclose(tuned.thresholds, [0.3, 0.075])
    result = kind.score(task, rows, decoded, tuned)
    assert result.predictions == [(True, True), (False, True), (False, False)]
    np.testing.assert_allclose(result.metrics["micro_f1"], 0.8)
    assert kind.score(task, rows, decoded, settings).metrics["micro_f1"] == 0
    # Nothing to compare with: nothing is chosen.
    bare = [Example("0", ("x",), None)] * 3
    assert kind.tune(settings, bare, decoded) == settings
    assert kind.score(task, bare, decoded, tuned).metrics == {}


def test_a_manifest_tells_the_thresholds():
    kind = KINDS["multi_label"]
    settings = Settings("t", kind.name, ("a", "b"), 8, thresholds=(0.3, 0.6))
    bare = Settings("t", kind.name, ("a", "b"), 8)
    part = kind.manifest_part(settings, (8,))
    assert kind.read_manifest_part(bare, part) == settings
    assert kind.manifest_part(bare, (8,)) == {"thresholds": (0.5, 0.5)}
