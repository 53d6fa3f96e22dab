import numpy as np
import pytest
import scipy.stats
import sklearn.metrics

from tfminilm.errors import UserError
from tfminilm.tasks import csv_task, get_task
from tfminilm.tasks.metrics import compute


@pytest.mark.parametrize("seed", range(20))
def test_classification_agrees_with_scikit_learn(seed):
    random = np.random.default_rng(seed)
    labels, predictions = random.integers(0, 2, (2, random.integers(2, 200)))
    if seed % 2:  # As a model that has learnt something.
        predictions[: len(labels) // 2] = labels[: len(labels) // 2]
    accuracy = sklearn.metrics.accuracy_score(labels, predictions)
    f1 = sklearn.metrics.f1_score(labels, predictions, zero_division=0)
    matthews = sklearn.metrics.matthews_corrcoef(labels, predictions)
    both = (labels.tolist(), predictions.tolist())
    assert compute(get_task("sst2"), *both) == {"accuracy": accuracy}
    assert compute(get_task("mrpc"), *both) == {"f1": f1, "accuracy": accuracy}
    assert compute(get_task("qqp"), *both) == {"f1": f1, "accuracy": accuracy}
    assert compute(get_task("cola"), *both) == {"matthews": matthews}


@pytest.mark.parametrize("seed", range(20))
def test_three_classes_agree_with_scikit_learn(seed):
    random = np.random.default_rng(seed)
    both = random.integers(0, 3, (2, random.integers(3, 200)))
    accuracy = sklearn.metrics.accuracy_score(*both)
    for name in ("mnli", "xnli"):
        assert compute(get_task(name), *both) == {"accuracy": accuracy}
    task = csv_task("none.csv", ["t"], "y", labels=["a", "b", "c"])
    macro = sklearn.metrics.f1_score(*both, average="macro", zero_division=0)
    assert compute(task, *both) == {"accuracy": accuracy, "macro_f1": macro}


@pytest.mark.parametrize("seed", range(20))
def test_regression_agrees_with_scipy(seed):
    random = np.random.default_rng(seed)
    size = random.integers(3, 200)
    # Steps as in STS-B, so that some ranks are shared.
    labels = random.integers(0, 21, size) / 4
    predictions = labels + random.normal(size=size)
    if seed % 2:
        predictions = np.round(predictions)
    found = compute(get_task("stsb"), labels.tolist(), predictions)
    assert found == {
        "spearman": scipy.stats.spearmanr(labels, predictions).statistic,
        "pearson": scipy.stats.pearsonr(labels, predictions).statistic,
    }
    assert list(found) == ["spearman", "pearson"]


def test_worked_by_hand():
    # True positives 3, false 1, true negatives 2, false 2.
    labels = [1, 1, 1, 1, 1, 0, 0, 0]
    predictions = [1, 1, 1, 0, 0, 0, 0, 1]
    found = compute(get_task("mrpc"), labels, predictions)
    assert found == {"f1": pytest.approx(6 / 9), "accuracy": 5 / 8}
    expected = (3 * 2 - 1 * 2) / np.sqrt(4 * 5 * 3 * 4)
    found = compute(get_task("cola"), labels, predictions)
    assert found == {"matthews": pytest.approx(expected)}
    # Ranks 1 2 3 4 and 2 1 3 4: 1 - 6 * 2 / (4 * 15).
    found = compute(get_task("stsb"), [0, 1, 2, 5], [0.2, 0.1, 3, 3.5])
    assert found["spearman"] == pytest.approx(0.8)


def test_undefined_metrics_are_0():
    assert compute(get_task("cola"), [0, 1], [1, 1]) == {"matthews": 0.0}
    assert compute(get_task("mrpc"), [0, 0], [0, 0])["f1"] == 0.0
    zeros = {"spearman": 0.0, "pearson": 0.0}
    assert compute(get_task("stsb"), [1, 2, 3], [4, 4, 4]) == zeros
    assert compute(get_task("stsb"), [1, 1, 1], [4, 3, 4]) == zeros


@pytest.mark.parametrize(
    ("name", "labels", "predictions", "message"),
    [
        ("sst2", [], [], "no examples"),
        ("sst2", [0, 1], [0], r"shape \(2,\) and predictions of shape \(1,\)"),
        ("sst2", [0, 1], [[0, 1], [1, 0]], "expected one of each an example"),
        ("sst2", [0, None], [0, 1], "no labels to score .* on validation"),
        ("sst2", [0, 1], [0, 2], "not one of the classes 0 to 1"),
        ("sst2", [0, 1], [0, 0.5], "not one of the classes 0 to 1"),
        ("sst2", [0, 1], [0, -1], "not one of the classes 0 to 1"),
        ("stsb", [0, 1], [0, np.nan], "not a finite number"),
        ("stsb", [0, 1], [0, np.inf], "not a finite number"),
        ("ax", [0], [0], "for predictions only"),
        ("squad", [0], [0], "scored by text"),
    ],
)
def test_bad_input(name, labels, predictions, message):
    with pytest.raises(UserError, match=message):
        compute(get_task(name), labels, predictions)
