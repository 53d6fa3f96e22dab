"""Measure how near numbers are to those that they should be."""

import numpy as np

# So that zeros are divided by something; far below any number of a model.
_TINY = 1e-30


def cosines(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Return the cosines of vectors `[..., width]`, as `[...]`."""
    norms = np.linalg.norm(one, axis=-1) * np.linalg.norm(two, axis=-1)
    return (one * two).sum(-1) / np.maximum(norms, _TINY)


def relative_error(got: np.ndarray, expected: np.ndarray) -> float:
    """Return the norm of the difference in units of the expected norm."""
    expected = expected.astype(np.float64)
    size = max(float(np.linalg.norm(expected)), _TINY)
    return float(np.linalg.norm(got - expected) / size)


def max_difference(got: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference of two numbers; infinite if one is NaN."""
    largest = float(np.abs(got - expected).max())
    return np.inf if np.isnan(largest) else largest
