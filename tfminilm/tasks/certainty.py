"""Count how far a model's certainty can be trusted, whatever it says.

All functions take `confidence` `[answers]`, how sure a model is of each of its
answers, 0 to 1, and `right`, bool `[answers]`.
"""

import numpy as np

BINS = 15


def reliability(
    confidence: np.ndarray, right: np.ndarray, bins: int = BINS
) -> list[tuple[float, float, int]]:
    """Return mean confidence, accuracy and count of each bin that has any.

    The bins are of equal width, by the probability of what is answered
    (Guo et al., arXiv 1706.04599, section 2).
    """
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    return [
        (
            float(confidence[place == b].mean()),
            float(right[place == b].mean()),
            int((place == b).sum()),
        )
        for b in range(bins)
        if (place == b).any()
    ]


def calibration_error(
    confidence: np.ndarray, right: np.ndarray, bins: int = BINS
) -> float:
    """Return the expected calibration error (arXiv 1706.04599, equation 3)."""
    rows = reliability(confidence, right, bins)
    return sum(n * abs(c - a) for c, a, n in rows) / len(right)


def rejection(
    confidence: np.ndarray, right: np.ndarray
) -> list[tuple[float, float, float]]:
    """Return threshold, coverage and precision, most certain answers first.

    At a threshold the model answers only where it is at least as sure:
    coverage is the share of answers that it gives, and precision the share of
    these that are right. Of no answers there are none.
    """
    if not len(right):
        return []
    right = right[np.argsort(-confidence, kind="stable")]
    ordered = np.sort(confidence)[::-1]
    counts = np.arange(1, len(right) + 1)
    accuracy = np.cumsum(right) / counts
    # Examples of one confidence are answered together.
    last = np.append(ordered[1:] != ordered[:-1], True)
    return [
        (float(ordered[i]), float(counts[i] / len(right)), float(accuracy[i]))
        for i in np.flatnonzero(last)
    ]


def threshold_for(
    confidence: np.ndarray, right: np.ndarray, precision: float
) -> float | None:
    """Return the lowest threshold of at least this precision, if there is one.

    It is the one that answers most.
    """
    rows = [row for row in rejection(confidence, right) if row[2] >= precision]
    return min(row[0] for row in rows) if rows else None
