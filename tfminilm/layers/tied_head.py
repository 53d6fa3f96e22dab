"""The masked-language-model head of a model without biases."""

from typing import Any

import keras
from keras import ops

from tfminilm.layers.bottleneck import activation_function
from tfminilm.layers.gated import plain_dense, scale_norm
from tfminilm.typing import Shape, Tensor


@keras.saving.register_keras_serializable(package="tfminilm")
class TiedMaskedLMHead(keras.layers.Layer):
    """Logits of masked tokens: Norm(act(h W)) E^T + b; the norm has no bias.

    Args:
        token_embedding: a `keras_hub.layers.ReversibleEmbedding`, E.
        activation: act; see `layers.gated.GatedEncoder`.
        epsilon: the epsilon of layer normalisation.

    Call arguments:
        states: `[batch, length, hidden_dim]`.
        mask_positions: `[batch, masked]`.

    Returns:
        `[batch, masked, vocabulary_size]` in float32.
    """

    def __init__(
        self,
        token_embedding: keras.layers.Layer,
        activation: str = "gelu",
        epsilon: float = 1e-5,
        **kwargs: Any,
    ):
        super().__init__(**kwargs, autocast=False)
        self.token_embedding = token_embedding
        self.activation = activation
        self.epsilon = epsilon

    def build(
        self, states_shape: Shape, mask_positions_shape: Shape | None = None
    ) -> None:
        width = states_shape[-1] or 0
        self.dense = plain_dense(width, self.dtype_policy, "dense")
        self.norm = scale_norm(self.epsilon, self.dtype_policy, "norm")
        for layer in (self.dense, self.norm):
            layer.build(states_shape)
        self.bias = self.add_weight(
            shape=(self.token_embedding.input_dim,),
            initializer="zeros",
            name="bias",
        )

    def call(self, states: Tensor, mask_positions: Tensor) -> Any:
        x = ops.take_along_axis(states, mask_positions[:, :, None], axis=1)
        activate = activation_function(self.activation)
        x = self.norm(activate(self.dense(x)))
        logits = self.token_embedding(x, reverse=True)
        return ops.cast(logits, "float32") + ops.cast(self.bias, "float32")

    def compute_output_shape(
        self, states_shape: Shape, mask_positions_shape: Shape
    ) -> Shape:
        return (*mask_positions_shape, self.token_embedding.input_dim)

    def get_config(self) -> dict[str, Any]:
        table = keras.saving.serialize_keras_object(self.token_embedding)
        return super().get_config() | {
            "token_embedding": table,
            "activation": self.activation,
            "epsilon": self.epsilon,
        }
