"""Layers that compute differently for a while, with the same variables."""

from typing import Any

import keras

from tfminilm.private import Use

USES = (
    Use(
        "keras.Layer",
        "__class__",
        "a layer inside KerasHub's encoder cannot be replaced by another",
    ),
)


def become(layer: keras.layers.Layer, layer_class: type[Any]) -> None:
    """Let a layer compute as another class of the same attributes does."""
    layer.__class__ = layer_class
