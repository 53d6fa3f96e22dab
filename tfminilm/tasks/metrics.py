"""Compute the metrics of classes and scores, as the benchmarks define them.

scikit-learn and SciPy compute them. For questions see `squad_metrics`.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from tfminilm.errors import UserError
from tfminilm.tasks.example import Example, Label
from tfminilm.tasks.task import Task


def compute(
    task: Task,
    labels: npt.ArrayLike | Sequence[Label | None],
    predictions: npt.ArrayLike,
) -> dict[str, float]:
    """Compute the task's metrics, the one that papers report first.

    Args:
        labels: `[examples]`, class indices or scores.
        predictions: `[examples]`, class indices or scores.

    Returns:
        A dictionary from the names in `task.metrics` to fractions: 1 is best.
        `f1` is that of class 1, `macro_f1` the mean over the classes. Where a
        metric is not defined it is 0: Matthews' and the correlations of
        something constant, F1 without a positive anywhere.

    Raises:
        UserError: the task is for predictions only or for `squad_metrics`,
            examples have no labels, the lengths differ, there are none, or a
            prediction is no class of the task or no finite number.
    """
    values = np.asarray(predictions, float)
    _check(task, np.asarray(labels, object), values)
    dtype = int if task.labels else float  # Class indices, or scores.
    expected = np.asarray(labels, dtype)
    values = values.astype(dtype)
    return {name: _METRICS[name](expected, values) for name in task.metrics}


def score(
    task: Task, examples: Sequence[Example], predictions: npt.ArrayLike
) -> dict[str, float]:
    """Compute the task's metrics if it has some, and the examples labels.

    Args:
        task: says which metrics.
        examples: of one split.
        predictions: `[examples]`, class indices or scores.

    Returns:
        As `compute`; nothing where there is nothing to compare with.

    Raises:
        UserError: as `compute`.
    """
    labels = [example.label for example in examples]
    if not task.metrics or None in labels:
        return {}
    return compute(task, labels, predictions)


def resampled(
    task: Task, labels: np.ndarray, predictions: np.ndarray
) -> Callable[[np.ndarray], list[float]]:
    """Return a function that scores a sample of the examples, often and fast.

    Args:
        task: whose metrics; not `squad_metrics`'.
        labels: `[examples]`, class indices or scores.
        predictions: `[examples]`, class indices or scores.

    Returns:
        It takes the places of a sample, which may repeat, and returns what
        `compute` does of it, in the order of `task.metrics`.
    """
    if not task.labels:
        return lambda at: [
            _METRICS[name](labels[at], predictions[at]) for name in task.metrics
        ]
    size = len(task.labels)
    cells = labels * size + predictions

    def score(at: np.ndarray) -> list[float]:
        counts = np.bincount(cells[at], minlength=size * size)
        table = counts.reshape(size, size).astype(float)
        return [_OF_COUNTS[name](table) for name in task.metrics]

    return score


def _check(task: Task, labels: np.ndarray, predictions: np.ndarray) -> None:
    if not task.metrics or not set(task.metrics) <= set(_METRICS):
        raise UserError(
            f"{task.name} has no metric of labels and predictions; it is "
            + ("scored by text" if task.metrics else "for predictions only")
        )
    if labels.shape != predictions.shape or labels.ndim != 1:
        raise UserError(
            f"{task.name}: labels of shape {labels.shape} and predictions of "
            f"shape {predictions.shape}; expected one of each an example"
        )
    if labels.size == 0:
        raise UserError(f"{task.name}: there are no examples to score")
    if any(label is None for label in labels):
        raise UserError(
            f"{task.name}: the examples have no labels to score against; "
            f"score on {' or '.join(task.eval_splits)}"
        )
    if not np.isfinite(predictions).all():
        raise UserError(f"{task.name}: a prediction is not a finite number")
    classes = range(len(task.labels))
    if task.labels and not np.isin(predictions, classes).all():
        raise UserError(
            f"{task.name}: a prediction is not one of the classes 0 to "
            f"{len(classes) - 1}"
        )


def _accuracy(labels: np.ndarray, predictions: np.ndarray) -> float:
    return float(np.mean(labels == predictions))


def _matthews(labels: np.ndarray, predictions: np.ndarray) -> float:
    from sklearn.metrics import matthews_corrcoef

    return float(matthews_corrcoef(labels, predictions))


def _f1(labels: np.ndarray, predictions: np.ndarray) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(labels, predictions, zero_division=0))


def _macro_f1(labels: np.ndarray, predictions: np.ndarray) -> float:
    from sklearn.metrics import f1_score

    return float(
        f1_score(labels, predictions, average="macro", zero_division=0)
    )


def _pearson(labels: np.ndarray, predictions: np.ndarray) -> float:
    from scipy.stats import pearsonr

    return _correlation(pearsonr, labels, predictions)


def _spearman(labels: np.ndarray, predictions: np.ndarray) -> float:
    from scipy.stats import spearmanr

    return _correlation(spearmanr, labels, predictions)


def _correlation(
    function: Callable, labels: np.ndarray, predictions: np.ndarray
) -> float:
    if np.ptp(labels) == 0 or np.ptp(predictions) == 0:
        return 0.0
    return float(function(labels, predictions).statistic)


_METRICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "accuracy": _accuracy,
    "f1": _f1,
    "macro_f1": _macro_f1,
    "matthews": _matthews,
    "pearson": _pearson,
    "spearman": _spearman,
}


# The same of a confusion matrix, rows by their label: scikit-learn takes a
# millisecond for each of a thousand samples.
def _f1_of_counts(table: np.ndarray) -> np.ndarray:
    """Return each class' F1; 0 of one that is neither label nor prediction."""
    both = table.sum(axis=0) + table.sum(axis=1)
    return 2 * np.diag(table) / np.maximum(both, 1)


def _macro_f1_of_counts(table: np.ndarray) -> float:
    is_there = table.sum(axis=0) + table.sum(axis=1) > 0
    return float(_f1_of_counts(table)[is_there].mean())


def _matthews_of_counts(table: np.ndarray) -> float:
    """Return R_K (Gorodkin 2004), of two classes Matthews' correlation."""
    total, right = table.sum(), np.trace(table)
    true, guessed = table.sum(axis=1), table.sum(axis=0)
    spread = (total**2 - guessed @ guessed) * (total**2 - true @ true)
    return (
        float((right * total - true @ guessed) / spread**0.5) if spread else 0.0
    )


_OF_COUNTS: dict[str, Callable[[np.ndarray], float]] = {
    "accuracy": lambda table: float(np.trace(table) / table.sum()),
    "f1": lambda table: float(_f1_of_counts(table)[1]),
    "macro_f1": _macro_f1_of_counts,
    "matthews": _matthews_of_counts,
}
