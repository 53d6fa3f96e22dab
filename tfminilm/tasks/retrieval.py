"""Score embeddings of translations: who finds whom, and how alike all are."""

import numpy as np
from scipy import stats

from tfminilm.tasks.similarity import unit


def retrieval_accuracy(texts: np.ndarray, translations: np.ndarray) -> float:
    """Return how often the nearest text by cosine is the translation.

    Args:
        texts: embeddings `[pairs, width]`.
        translations: those of their translations, in the same order.

    Returns:
        The mean of both directions, 0 to 1, as Reimers and Gurevych (2020,
        arXiv 2004.09813) report it. A text that is as near to another one as
        to its translation counts as not found.
    """
    cosines = unit(texts) @ unit(translations).T
    own = np.diagonal(cosines)
    others = np.where(np.eye(len(cosines), dtype=bool), -np.inf, cosines)
    found = [own > others.max(axis=axis) for axis in (0, 1)]
    return float(np.mean(found))


def likeness_correlation(texts: np.ndarray, translations: np.ndarray) -> float:
    """Return how alike two models find the same pairs of texts.

    Args:
        texts: a teacher's embeddings `[texts, width]`.
        translations: a student's of their translations, in the same order;
            the width may be another.

    Returns:
        Spearman's correlation, -1 to 1, between the cosines of all pairs of
        texts and of the same pairs of translations: STS in two languages,
        with the teacher's cosines as the labels.
    """
    rows = np.triu_indices(len(texts), 1)
    cosines = [
        (unit(each) @ unit(each).T)[rows] for each in (texts, translations)
    ]
    return float(stats.spearmanr(*cosines).statistic)
