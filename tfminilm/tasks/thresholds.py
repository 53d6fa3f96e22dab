"""Choose from which probability on a label is given, and score labels."""

from collections.abc import Callable, Sequence

import numpy as np

DEFAULT = 0.5


def best(labels: np.ndarray, probabilities: np.ndarray) -> tuple[float, ...]:
    """Return the threshold of each label that gives its best F1.

    It is 0.5 where that is as good as any, or no example has the label. Of
    several others it is the nearest to 0.5. They lie in the middle between
    two probabilities, so that a runtime's small differences change nothing.

    Args:
        labels: bool `[examples, labels]`.
        probabilities: `[examples, labels]`.
    """
    return tuple(
        _best_of_one(labels[:, place], probabilities[:, place])
        for place in range(labels.shape[1])
    )


def f1_scores(labels: np.ndarray, given: np.ndarray) -> dict[str, float]:
    """Return micro- and macro-averaged F1; 0 where nothing is positive.

    Args:
        labels: bool `[examples, labels]`.
        given: what a model says, of the same shape.
    """
    from sklearn.metrics import f1_score

    return {
        f"{kind}_f1": float(
            f1_score(
                labels.astype(int),
                given.astype(int),
                average=kind,
                zero_division=0,
            )
        )
        for kind in ("micro", "macro")
    }


def resampled(
    names: Sequence[str], labels: np.ndarray, given: np.ndarray
) -> Callable[[np.ndarray], list[float]]:
    """Return a function that scores a sample of the examples, often and fast.

    Args:
        names: which of `f1_scores`' it returns.
        labels: bool `[examples, labels]`.
        given: what a model says, of the same shape.

    Returns:
        It takes the places of a sample, which may repeat.
    """
    hits = (labels & given).astype(float)
    sizes = labels.astype(float) + given

    def score(at: np.ndarray) -> list[float]:
        right, both = 2 * hits[at].sum(axis=0), sizes[at].sum(axis=0)
        scores = {
            "micro_f1": float(right.sum() / max(both.sum(), 1)),
            "macro_f1": float((right / np.maximum(both, 1)).mean()),
        }
        return [scores[name] for name in names]

    return score


def _best_of_one(labels: np.ndarray, probabilities: np.ndarray) -> float:
    order = np.argsort(-probabilities, kind="stable")
    sizes = np.arange(1, len(labels) + 1)
    hits = np.cumsum(labels[order])
    scores = 2 * hits / (sizes + labels.sum())
    falling = probabilities[order]
    # Equal probabilities are given together, or not at all.
    is_cut = np.append(falling[:-1] > falling[1:], True)
    below = np.append(falling[1:], 0.0)
    places = (falling + below) / 2
    top = scores[is_cut].max()
    given = probabilities >= DEFAULT
    if 2 * (labels & given).sum() >= top * (given.sum() + labels.sum()):
        return DEFAULT
    choices = np.flatnonzero(is_cut & np.isclose(scores, top))
    near = np.abs(places[choices] - DEFAULT).argmin()
    return float(places[choices][near])
