"""Variables that begin with their values, and not with random numbers."""

import gc

import keras
import numpy as np
import pytest

from tfminilm.private.deferred import aligned, assign, made_with_values


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


def numbers(*shape, dtype="float32"):
    array = aligned(shape, np.dtype(dtype))
    array[:] = np.random.default_rng(0).normal(size=shape)
    return array


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(
    "turn",
    [
        lambda x: x,
        lambda x: x.T,
        lambda x: x.T.reshape(8, 2, 3),  # A view, as of heads of attention.
        lambda x: x.reshape(2, 3, 8).T,
        lambda x: x[::2],
        lambda x: x.ravel()[1:],  # Not where TensorFlow could read it.
    ],
)
def test_views_of_arrays(turn, dtype):
    value = turn(numbers(6, 8, dtype=dtype))
    with made_with_values():
        variable = keras.Variable("zeros", value.shape, "float32")
        assign(variable, lambda: value)
    np.testing.assert_array_equal(variable, value.astype("float32"))


def test_an_array_stays_its_own():
    value = numbers(4, 4)
    wanted = value.copy()
    with made_with_values():
        variable = keras.Variable("zeros", (4, 4), "float32")
        assign(variable, lambda: value)
    value[:] = 0
    np.testing.assert_array_equal(variable, wanted)
    variable.assign_add(np.ones((4, 4)))
    np.testing.assert_array_equal(value, np.zeros((4, 4)))


@pytest.mark.parametrize("shape", [(1, 8), (8, 1), (1, 1, 8)])
def test_an_array_of_one_row_stays_its_own(shape):
    value = aligned(shape, np.dtype("float32"))
    value[:] = 1
    with made_with_values():
        variable = keras.Variable("zeros", value.T.shape, "float32")
        assign(variable, lambda: value.T)
    value[:] = 0
    np.testing.assert_array_equal(variable, np.ones(value.T.shape))


def test_what_is_given_away_is_not_copied():
    """The variable keeps the memory, and changes it as its own."""
    value = numbers(64, 4)
    wanted = value.copy()
    with made_with_values():
        variable = keras.Variable("zeros", (64, 4), "float32")
        assign(variable, lambda: value, is_given=True)
    np.testing.assert_array_equal(variable, wanted)
    if keras.backend.backend() == "tensorflow":
        value[0] = 7
        assert np.all(variable[0] == 7)
    value[0] = wanted[0]
    variable.assign_add(np.ones((64, 4)))
    np.testing.assert_array_equal(variable, wanted + 1)


def test_garbage_is_collected_again_afterwards():
    for was_enabled in (True, False):
        (gc.enable if was_enabled else gc.disable)()
        try:
            with made_with_values():
                assert not gc.isenabled()
            assert gc.isenabled() == was_enabled
        finally:
            gc.enable()
