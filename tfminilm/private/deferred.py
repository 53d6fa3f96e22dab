"""Variables that are made once their values are known.

Keras gives each variable of a new model random numbers, which takes far longer
than reading its weights from a file, and holds them until they are replaced.
"""

import contextlib
import gc
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras.src.backend.common import global_state

from tfminilm.private import Use

_ALIGNMENT = 64  # Bytes: TensorFlow's vectors are as wide.
_WAITING = "uninitialized_variables"
_VARIABLES = "keras.src.backend.common.variables"
USES = (
    Use(
        _VARIABLES,
        _WAITING,
        "where Keras notes the variables of a StatelessScope, to make them "
        "all in the end",
    ),
    Use("keras.src.backend.common.global_state", "set_global_attribute", "so"),
    Use("keras.Variable", "_initializer", "a value instead of random numbers"),
    Use("keras.Variable", "_deferred_initialize", "makes a variable"),
)


@contextlib.contextmanager
def made_with_values() -> Iterator[None]:
    """Let variables that are built here begin with what they are assigned.

    Those that are assigned nothing begin as always, once the block ends. If
    it fails, none is made. Python does not look for unused objects meanwhile:
    it would look through all of TensorFlow's, and find none that are large.
    """
    if global_state.get_global_attribute("stateless_scope") is not None:
        yield  # Keras makes no variables here.
        return
    outer = global_state.get_global_attribute(_WAITING)
    global_state.set_global_attribute(_WAITING, [])
    scope = keras.StatelessScope(initialize_variables=False)
    with _without_collection():
        try:
            with scope:
                yield
            waiting = global_state.get_global_attribute(_WAITING)
        finally:
            global_state.set_global_attribute(_WAITING, outer)
        _make(waiting, scope.state_mapping)


def _make(waiting: list[Any], values: dict[int, Any]) -> None:
    """Make variables, those with a value in `values` with that, by their id."""
    for variable in waiting:
        if id(variable) in values:
            value = values.pop(id(variable))
            variable._initializer = _Value(itertools.repeat(value).__next__)
        variable._deferred_initialize()
        variable = value = None  # Before the next one is read.
    # Nothing that was assigned may be lost.
    assert not values, "a variable of another model was assigned"


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Keep Python's garbage collector from running."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def assign(
    variable: Any, make: Callable[[], Any], is_given: bool = False
) -> None:
    """Assign a variable what `make` gives, or let it begin with that.

    In `made_with_values`, `make` is called when the variable is made, so that
    no more than one value is held beside it.

    Args:
        variable: Keras'.
        make: gives its value.
        is_given: whether nobody else holds that value, so that the variable
            may keep its memory.
    """
    if getattr(variable, "_initializer", None) is None:
        value = make()
        # TensorFlow may keep the memory of an array.
        variable.assign(value if is_given else np.array(value))
    else:
        variable._initializer = _Value(make, is_given)


class _Value(keras.initializers.Initializer):
    """Gives a variable a value that is known."""

    def __init__(self, make: Callable[[], Any], is_given: bool = False):
        self._make = make
        self._is_given = is_given

    def __call__(self, shape: object, dtype: Any = None) -> Any:
        value = self._make()
        backend = keras.backend.backend()
        if backend == "torch":
            # It would keep the strides of a transposed view, and round its
            # products in another order than once it is saved and loaded.
            value = np.array(keras.ops.convert_to_numpy(value), order="C")
        if backend == "jax" and isinstance(value, np.ndarray):
            value = np.array(value)  # It would share its memory.
        if backend == "tensorflow" and isinstance(value, np.ndarray):
            return _tensorflow_tensor(value, dtype, self._is_given)
        return keras.ops.convert_to_tensor(value, dtype)


def aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return an array that TensorFlow can read where it is.

    Args:
        shape: of the array.
        dtype: of the array.

    Returns:
        An array whose values are any, as those of `numpy.empty`.
    """
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + _ALIGNMENT, "uint8")
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def _tensorflow_tensor(value: np.ndarray, dtype: Any, is_given: bool) -> Any:
    """Copy an array into a tensor of TensorFlow's, in one pass.

    TensorFlow itself copies an array twice, and lets NumPy turn matrices,
    which takes three times as long. What `is_given`, and is turned in no way,
    is not copied.
    """
    import tensorflow as tf

    # A view with its axes turned is memory with the axes in another order.
    order = sorted(range(value.ndim), key=lambda axis: -value.strides[axis])
    memory = value.transpose(order)
    is_plain = memory.dtype.kind == "f" and memory.flags.carray
    if not is_plain or memory.ctypes.data % _ALIGNMENT:
        # TensorFlow copies any but those that lie there as it wants them.
        is_copied = is_given or not value.flags.c_contiguous
        value = value if is_copied else np.array(value)
        return keras.ops.convert_to_tensor(value, dtype)
    tensor = tf.experimental.dlpack.from_dlpack(memory.__dlpack__())
    tensor = tf.cast(tensor, dtype or tensor.dtype)
    if memory.ndim > 1 and min(memory.shape) > 1 and order != sorted(order):
        return tf.transpose(tensor, np.argsort(order))
    tensor = tf.reshape(tensor, value.shape) if 1 in memory.shape else tensor
    # Or the array would change with the variable.
    return tensor if is_given else tf.raw_ops.DeepCopy(x=tensor)
