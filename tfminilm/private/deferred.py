"""Variables that are made once their values are known.

Keras gives each variable of a new model random numbers, which takes far longer
than reading its weights from a file, and holds them until they are replaced.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras.src.backend.common import global_state

from tfminilm.private import Use

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
    it fails, none is made.
    """
    if global_state.get_global_attribute("stateless_scope") is not None:
        yield  # Keras makes no variables here.
        return
    outer = global_state.get_global_attribute(_WAITING)
    global_state.set_global_attribute(_WAITING, [])
    scope = keras.StatelessScope(initialize_variables=False)
    try:
        with scope:
            yield
        waiting = global_state.get_global_attribute(_WAITING)
    finally:
        global_state.set_global_attribute(_WAITING, outer)
    values = scope.state_mapping
    for variable in waiting:
        if id(variable) in values:
            value = values.pop(id(variable))
            variable._initializer = _Value(itertools.repeat(value).__next__)
        variable._deferred_initialize()
        variable = value = None  # Before the next one is read.
    # Nothing that was assigned may be lost.
    assert not values, "a variable of another model was assigned"


def assign(variable: Any, make: Callable[[], Any]) -> None:
    """Assign a variable what `make` gives, or let it begin with that.

    In `made_with_values`, `make` is called when the variable is made, so that
    no more than one value is held beside it.
    """
    if getattr(variable, "_initializer", None) is None:
        variable.assign(make())
    else:
        variable._initializer = _Value(make)


class _Value(keras.initializers.Initializer):
    """Gives a variable a value that is known."""

    def __init__(self, make: Callable[[], Any]):
        self._make = make

    def __call__(self, shape: object, dtype: Any = None) -> Any:
        value = self._make()
        if keras.backend.backend() == "torch":
            # It would keep the strides of a transposed view, and round its
            # products in another order than once it is saved and loaded.
            value = np.array(keras.ops.convert_to_numpy(value), order="C")
        return keras.ops.convert_to_tensor(value, dtype)
