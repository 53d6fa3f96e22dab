"""MobileBERT's replacement of layer normalisation (arXiv 2004.02984)."""

from typing import Any

import keras
from keras import ops

from tfminilm.typing import Shape, Tensor

NORMALIZATIONS = ("no_norm", "layer_norm")
EPSILON = 1e-12


@keras.saving.register_keras_serializable(package="tfminilm")
class NoNorm(keras.layers.Layer):
    """gamma * h + beta, feature by feature: no mean and no variance.

    A phone spends longer on the statistics of layer normalisation than on
    the products around it. Without them nothing bounds what passes: states
    grow from layer to layer, in the published MobileBERT to 2.5e7.

    Call arguments:
        h: `[..., width]`.

    Returns:
        The same shape.
    """

    def build(self, input_shape: Shape) -> None:
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(
            shape=shape, initializer="ones", name="gamma"
        )
        self.beta = self.add_weight(
            shape=shape, initializer="zeros", name="beta"
        )

    def call(self, h: Tensor) -> Any:
        return ops.add(ops.multiply(h, self.gamma), self.beta)


def norm(
    kind: str, epsilon: float = EPSILON, **kwargs: Any
) -> keras.layers.Layer:
    """Return a `NoNorm` or a layer normalisation.

    Args:
        kind: "no_norm" or "layer_norm".
        epsilon: the epsilon of layer normalisation.
        **kwargs: other arguments of a Keras layer.
    """
    if kind == "no_norm":
        return NoNorm(**kwargs)
    return keras.layers.LayerNormalization(epsilon=epsilon, **kwargs)
