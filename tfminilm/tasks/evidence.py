"""Count what a careful person asks of a model before it is shipped.

All functions take NumPy arrays: `logits` `[examples, classes]`, `labels`
`[examples]` class indices. scikit-learn counts where it can.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from tfminilm.tasks import certainty

_DRAWS = 1000
_MOST_TEMPERATURE = 100.0


@dataclasses.dataclass(frozen=True)
class ClassScore:
    """Hold the scores of one class.

    Attributes:
        label: its name.
        precision: share of right ones among those predicted as it.
        recall: share of its examples that are predicted as it.
        f1: their harmonic mean.
        support: how many examples it has.
    """

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclasses.dataclass(frozen=True)
class Interval:
    """A value with the bounds of its 95 % confidence interval."""

    value: float
    low: float
    high: float


def probabilities(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return the softmax of `logits / temperature`, in float64."""
    scaled = np.asarray(logits, "float64") / temperature
    scaled -= scaled.max(axis=-1, keepdims=True)
    powers = np.exp(scaled)
    return powers / powers.sum(axis=-1, keepdims=True)


def per_class(
    labels: np.ndarray, predictions: np.ndarray, names: Sequence[str]
) -> list[ClassScore]:
    """Return precision, recall, F1 and support of every class; 0 of 0 is 0."""
    from sklearn.metrics import precision_recall_fscore_support

    columns = precision_recall_fscore_support(
        labels, predictions, labels=range(len(names)), zero_division=0
    )
    return [
        ClassScore(name, float(p), float(r), float(f), int(n))
        for name, p, r, f, n in zip(names, *columns, strict=True)
    ]


def per_label(
    labels: np.ndarray, picks: np.ndarray, names: Sequence[str]
) -> list[ClassScore]:
    """Return the same of each of several labels.

    Args:
        labels: bool `[examples, labels]`.
        picks: what a model says, of the same shape.
        names: of the labels.
    """
    columns = zip(
        names,
        (labels & picks).sum(axis=0),
        picks.sum(axis=0),
        labels.sum(axis=0),
        strict=True,
    )
    return [of_counts(name, *map(int, counts)) for name, *counts in columns]


def of_counts(name: str, right: int, guessed: int, support: int) -> ClassScore:
    """Return the scores of a class by its counts; 0 of 0 is 0.

    Args:
        name: of the class.
        right: how often it is predicted rightly.
        guessed: how often it is predicted.
        support: how often it is there.
    """
    return ClassScore(
        name,
        right / max(guessed, 1),
        right / max(support, 1),
        2 * right / max(guessed + support, 1),
        support,
    )


def confusion(
    labels: np.ndarray, predictions: np.ndarray, classes: int
) -> np.ndarray:
    """Count examples by their class (rows) and prediction (columns)."""
    from sklearn.metrics import confusion_matrix

    return confusion_matrix(labels, predictions, labels=range(classes))


def reliability(
    probs: np.ndarray, labels: np.ndarray, bins: int = certainty.BINS
) -> list[tuple[float, float, int]]:
    """Return mean confidence, accuracy and count of each bin that has any.

    The bins are of equal width, by the probability of the predicted class
    (Guo et al., arXiv 1706.04599, section 2).
    """
    return certainty.reliability(*_top(probs, labels), bins)


def calibration_error(
    probs: np.ndarray, labels: np.ndarray, bins: int = certainty.BINS
) -> float:
    """Return the expected calibration error (arXiv 1706.04599, equation 3)."""
    return certainty.calibration_error(*_top(probs, labels), bins)


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature of least cross-entropy (arXiv 1706.04599, 4.2).

    Fit it on validation examples: on the training ones a model is too sure.
    The result is between 0.01 and 100; 1 where there are no examples, or no
    wrong answer: of right ones alone the least has no bound.
    """
    from scipy.optimize import minimize_scalar

    if (logits.argmax(axis=-1) == labels).all():
        return 1.0

    def loss(log_temperature: float) -> float:
        probs = probabilities(logits, np.exp(log_temperature))
        chosen = probs[np.arange(len(labels)), labels]
        return -np.log(np.maximum(chosen, 1e-300)).mean()

    most = np.log(_MOST_TEMPERATURE)
    result = minimize_scalar(loss, bounds=(-most, most), method="bounded")
    return float(np.exp(result.x))


def interval(
    score: Callable[[np.ndarray], float],
    examples: int,
    seed: int = 0,
    draws: int = _DRAWS,
) -> Interval:
    """Return a score with its bootstrap interval of 95 % (percentiles).

    Args:
        score: of the examples at given places, which may repeat; for the
            difference of two models, the difference of their scores at the
            same places.
        examples: how many there are.
        seed: of the draws.
        draws: how many sets of examples are drawn.
    """
    generator = np.random.default_rng(seed)
    values = [
        score(generator.integers(0, examples, examples)) for _ in range(draws)
    ]
    low, high = np.percentile(values, [2.5, 97.5])
    value = score(np.arange(examples))
    return Interval(float(value), float(low), float(high))


def resample(
    scores: Sequence[Callable[[np.ndarray], Sequence[float]]],
    examples: int,
    draws: int = _DRAWS,
    seed: int = 0,
) -> np.ndarray:
    """Score models on bootstrap samples, the same ones for all of them.

    Args:
        scores: of each model a function that scores the examples at given
            places, which may repeat.
        examples: how many there are.
        draws: how many sets of examples are drawn.
        seed: of the draws.

    Returns:
        `[draws, models, metrics]`.
    """
    generator = np.random.default_rng(seed)
    samples = []
    for _ in range(draws):
        at = generator.integers(0, examples, examples)
        samples.append([list(score(at)) for score in scores])
    return np.array(samples, float)


def bounds(values: Sequence[float], samples: np.ndarray) -> list[Interval]:
    """Return values with the middle 95 % of their samples.

    Args:
        values: `[metrics]`, of the examples themselves.
        samples: `[draws, metrics]`.
    """
    low, high = np.percentile(samples, [2.5, 97.5], axis=0)
    rows = zip(values, low, high, strict=True)
    return [Interval(*map(float, row)) for row in rows]


def rejection(
    probs: np.ndarray, labels: np.ndarray
) -> list[tuple[float, float, float]]:
    """Return threshold, coverage and accuracy, most certain examples first.

    At a threshold the model answers only where the predicted class has at
    least that probability: coverage is the share of examples it answers.
    """
    return certainty.rejection(*_top(probs, labels))


def threshold_for(
    probs: np.ndarray, labels: np.ndarray, accuracy: float
) -> float | None:
    """Return the lowest threshold of at least this accuracy, if there is one.

    It is the one that answers most.
    """
    return certainty.threshold_for(*_top(probs, labels), accuracy)


def _top(
    probs: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the predicted class' probability, and whether it is right."""
    return probs.max(axis=1), probs.argmax(axis=1) == labels
