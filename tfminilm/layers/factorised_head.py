"""The masked-language-model head of a model with narrow embeddings."""

from typing import Any

import keras
from keras import ops

from tfminilm.layers.bottleneck import activation_function, initializer
from tfminilm.layers.no_norm import EPSILON, norm
from tfminilm.typing import Shape, Tensor


@keras.saving.register_keras_serializable(package="tfminilm")
class FactorisedMaskedLMHead(keras.layers.Layer):
    """Logits of masked tokens: LayerNorm(act(h W + b)) [E, E']^T + b'.

    The output table has `hidden_dim` columns: first those of the token table
    E, then E', which only this head has.

    Args:
        token_embedding: a `keras_hub.layers.ReversibleEmbedding`, E.
        activation: the activation; see `BottleneckEncoder`.
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
        activation: str,
        epsilon: float = EPSILON,
        **kwargs: Any,
    ):
        super().__init__(**kwargs, autocast=False)
        self.token_embedding = token_embedding
        self.activation = activation
        self.epsilon = epsilon

    def build(
        self, states_shape: Shape, mask_positions_shape: Shape | None = None
    ) -> None:
        width = states_shape[-1]
        table = self.token_embedding
        self.dense = keras.layers.Dense(
            width,
            kernel_initializer=initializer(),
            dtype=self.dtype_policy,
            name="dense",
        )
        self.norm = norm(
            "layer_norm", self.epsilon, dtype=self.dtype_policy, name="norm"
        )
        for layer in (self.dense, self.norm):
            layer.build(states_shape)
        self.kernel = self.add_weight(
            shape=(width - table.output_dim, table.input_dim),
            initializer=initializer(),
            name="kernel",
        )
        self.bias = self.add_weight(
            shape=(table.input_dim,), initializer="zeros", name="bias"
        )

    def call(self, states: Tensor, mask_positions: Tensor) -> Any:
        x = ops.take_along_axis(states, mask_positions[:, :, None], axis=1)
        activate = activation_function(self.activation)
        x = self.norm(activate(self.dense(x)))
        narrow = self.token_embedding.output_dim
        kernel = ops.cast(self.kernel, x.dtype)
        parts = (
            self.token_embedding(x[..., :narrow], reverse=True),
            ops.matmul(x[..., narrow:], kernel),
        )
        every = (*parts, self.bias)
        return sum(ops.cast(part, "float32") for part in every)

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
