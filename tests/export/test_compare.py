"""Differences of numbers, against sums written out."""

import math

import numpy as np
import pytest

from tfminilm.export.check.compare import (
    cosines,
    max_difference,
    relative_error,
)


def test_cosines():
    one = np.array([[3.0, 4.0], [1.0, 0.0], [0.0, 0.0]])
    two = np.array([[4.0, 3.0], [-2.0, 0.0], [1.0, 1.0]])
    # A vector of zeros has no direction.
    np.testing.assert_allclose(cosines(one, two), [24 / 25, -1, 0])


def test_relative_error():
    expected = np.array([[3.0, 4.0]], np.float32)
    got = np.array([[3.0, 4.5]], np.float32)
    assert relative_error(got, expected) == pytest.approx(0.5 / 5)
    # Sums of squares in float64: in float32 this one would be infinite.
    assert relative_error(expected * 0, expected * 1e25) == pytest.approx(1)


def test_max_difference():
    expected = np.array([1.0, -2.0, 3.0])
    got = expected + np.array([0.5, -0.75, 0])
    assert max_difference(got, expected) == 0.75
    got[1] = math.nan
    assert max_difference(got, expected) == math.inf
