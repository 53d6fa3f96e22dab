"""Variables that begin with their values, and not with random numbers."""

import keras
import numpy as np
import pytest

from tfminilm.private.deferred import assign, made_with_values


def layer(seed=3):
    keras.utils.set_random_seed(seed)
    dense = keras.layers.Dense(4)
    dense.build((None, 2))
    return dense


def test_what_is_assigned_and_what_is_not():
    wanted = layer().kernel
    with made_with_values():
        dense = layer()
        dense.bias.assign(np.arange(4.0))
    np.testing.assert_array_equal(dense.kernel, wanted)
    np.testing.assert_array_equal(dense.bias, np.arange(4.0))
    dense.bias.assign_add(np.ones(4))  # It is a variable like any other.
    np.testing.assert_array_equal(dense.bias, np.arange(1.0, 5.0))


def test_a_value_is_made_when_the_variable_is():
    made = []

    def value():
        made.append(True)
        return np.full((2, 4), 5, "float16")

    with made_with_values():
        dense = layer()
        assign(dense.kernel, value)
        assert not made
    assert len(made) == 1
    assert keras.ops.dtype(dense.kernel) == "float32"
    np.testing.assert_array_equal(dense.kernel, np.full((2, 4), 5))
    assign(dense.kernel, lambda: np.zeros((2, 4)))  # At once, from here on.
    np.testing.assert_array_equal(dense.kernel, np.zeros((2, 4)))


def test_a_failure_leaves_no_trace():
    made = []

    def refuse():
        made.append(True)
        raise AssertionError("it was made")

    def fail():
        with made_with_values():
            assign(layer().kernel, refuse)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with keras.StatelessScope():
        dense = layer()
    assert not made
    assert dense.kernel.shape == (2, 4)


def test_nothing_that_is_assigned_is_lost():
    other = layer()

    def change():
        with made_with_values():
            other.bias.assign(np.ones(4))

    with pytest.raises(AssertionError, match="of another model"):
        change()
    np.testing.assert_array_equal(other.bias, np.zeros(4))
