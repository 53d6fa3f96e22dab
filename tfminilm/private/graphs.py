"""Access to the graph that connects the layers of a functional Keras model.

`expose` builds a model around an inner tensor of another model: it walks the
graph that Keras recorded, which no public function shows.
"""

from typing import Any

import keras

from tfminilm.private import Use

USES = (
    Use("keras.src.ops.node", "_keras_history", "what made a tensor"),
    Use("keras.Operation", "_inbound_nodes", "a layer's calls, in order"),
    Use(
        "keras.Layer",
        "_flatten_layers",
        "all layers inside of a layer, however deep",
    ),
)


def calls(layer: keras.layers.Layer) -> list[Any]:
    """Return the symbolic calls of a layer, the first one first."""
    return layer._inbound_nodes


def history(tensor: keras.KerasTensor) -> tuple[Any, int, int]:
    """Return how a symbolic tensor was made.

    Returns:
        The operation, the number of its call, and the place of the tensor
        among the call's outputs.
    """
    return tensor._keras_history


def inner_layers(
    layer: keras.layers.Layer, include_self: bool = True
) -> list[Any]:
    """Return all layers inside of a layer or model, however deep."""
    return list(layer._flatten_layers(include_self=include_self))
