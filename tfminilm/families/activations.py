"""Names of activations, told by what they compute."""

from collections.abc import Callable, Sequence

import keras
import numpy as np

from tfminilm.errors import UserError
from tfminilm.layers.bottleneck import activation_function


def activation_name(activation: Callable, names: Sequence[str]) -> str:
    """Return which of the known functions an activation is.

    Args:
        activation: of a layer.
        names: names that `activation_function` takes.

    Raises:
        UserError: it is none of them.
    """
    probe = keras.ops.linspace(-9.0, 9.0, 37)
    values = keras.ops.convert_to_numpy(activation(probe))
    for name in names:
        known_values = activation_function(name)(probe)
        known_values = keras.ops.convert_to_numpy(known_values)
        if np.allclose(values, known_values, atol=1e-6):
            return name
    raise UserError(
        f"cannot export the activation {activation!r}: expected "
        f"{' or '.join(names)}"
    )
