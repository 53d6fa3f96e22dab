"""ModernBERT's encoder layer (arXiv 2412.13663, section 2.1)."""

from typing import Any

import keras
from keras import ops

from tfminilm.layers.attention import key_bias, scaled_scores
from tfminilm.layers.bottleneck import (
    activation_function,
    merge_heads,
    split_heads,
)
from tfminilm.layers.rotary import rotate, window_bias
from tfminilm.typing import Policy, Shape, Tensor

PROJECTIONS = ("queries", "keys", "values")
_STDDEV = 0.02


@keras.saving.register_keras_serializable(package="tfminilm")
class GatedEncoder(keras.layers.Layer):
    """A pre-norm encoder layer with rotary positions and a gated feed-forward.

    x = h + Attention(Norm(h)) and then x + (act(g) * u) W, where g and u are
    the halves of Norm(x) V. Nothing has a bias, norms included.

    Args:
        num_heads: attention heads; the width of each is an even number.
        intermediate_dim: width of u, and of g.
        rope_theta: the base of the rotary positions.
        window: how many tokens to either side a token attends to; all if
            `None`.
        normalizes_attention: whether there is a norm before attention; the
            first layer has none, as the embeddings are normalised.
        activation: act, such as "gelu", the exact one.
        dropout: rate in training, of act(g) * u.
        attention_dropout: rate in training, of attention probabilities and of
            the attention's output.
        epsilon: the epsilon of layer normalisation.
        output_stddev: of the random weights of both output layers.

    Call arguments:
        hidden_states: `[batch, length, hidden_dim]`.
        padding_mask: `[batch, length]`, nonzero at real tokens.
        training: whether dropout is active.

    Returns:
        `[batch, length, hidden_dim]`.
    """

    def __init__(
        self,
        num_heads: int,
        intermediate_dim: int,
        rope_theta: float,
        window: int | None = None,
        normalizes_attention: bool = True,
        activation: str = "gelu",
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        epsilon: float = 1e-5,
        output_stddev: float = _STDDEV,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.rope_theta = rope_theta
        self.window = window
        self.normalizes_attention = normalizes_attention
        self.activation = activation
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.epsilon = epsilon
        self.output_stddev = output_stddev

    def build(
        self,
        hidden_states_shape: Shape,
        padding_mask_shape: Shape | None = None,
    ) -> None:
        shape = tuple(hidden_states_shape)
        width, dtype = shape[-1] or 0, self.dtype_policy
        self.attention_norm = None
        if self.normalizes_attention:
            self.attention_norm = scale_norm(
                self.epsilon, dtype, "attention_norm"
            )
            self.attention_norm.build(shape)
        self.qkv = plain_dense(3 * width, dtype, "qkv")
        self.qkv.build(shape)
        self.attention_output = plain_dense(
            width, dtype, "attention_output", self.output_stddev
        )
        self.attention_output.build(shape)
        self.feedforward_norm = scale_norm(
            self.epsilon, dtype, "feedforward_norm"
        )
        self.feedforward_norm.build(shape)
        inner = self.intermediate_dim
        self.intermediate = plain_dense(2 * inner, dtype, "intermediate")
        self.intermediate.build(shape)
        self.feedforward = plain_dense(
            width, dtype, "feedforward", self.output_stddev
        )
        self.feedforward.build((*shape[:-1], inner))
        rates = {
            "probs_dropout": self.attention_dropout,
            "output_dropout": self.attention_dropout,
            "feedforward_dropout": self.dropout,
        }
        for name, rate in rates.items():
            layer = keras.layers.Dropout(rate, dtype=dtype, name=name)
            setattr(self, name, layer)

    def call(
        self,
        hidden_states: Tensor,
        padding_mask: Tensor,
        training: bool | None = None,
    ) -> Any:
        return self.run(hidden_states, padding_mask, training)["hidden_states"]

    def run(
        self,
        hidden_states: Tensor,
        padding_mask: Tensor,
        training: bool | None = None,
        first_token_only: bool = False,
    ) -> dict[str, Any]:
        """Return the layer's output as "hidden_states", and attention's parts.

        Returns:
            "queries" and "keys", turned by their positions, and "values"
            `[batch, heads, length, head_dim]`, "attention_scores" and
            "attention_probs" `[batch, heads, length, length]` in float32.
            With `first_token_only` queries, and what follows from them, have
            length 1.
        """
        parts = self.parts(hidden_states, padding_mask, first_token_only)
        probs = ops.cast(parts["attention_probs"], self.compute_dtype)
        probs = self.probs_dropout(probs, training=training)
        context = merge_heads(ops.matmul(probs, parts["values"]))
        written = self.attention_output(context)
        written = self.output_dropout(written, training=training)
        rows = slice(None, 1) if first_token_only else slice(None)
        x = hidden_states[:, rows] + written
        wide = self.intermediate(self.feedforward_norm(x))
        gate, up = ops.split(wide, 2, axis=-1)
        inner = activation_function(self.activation)(gate) * up
        inner = self.feedforward_dropout(inner, training=training)
        return parts | {"hidden_states": x + self.feedforward(inner)}

    def parts(
        self,
        hidden_states: Tensor,
        padding_mask: Tensor,
        first_token_only: bool = False,
    ) -> dict[str, Any]:
        """Return attention's parts, as `run` does."""
        x = self.normed(hidden_states)
        width = x.shape[-1]
        all_three = self.qkv(x)
        made = {
            name: self.split(name, all_three[..., i * width : (i + 1) * width])
            for i, name in enumerate(PROJECTIONS)
        }
        if first_token_only:
            made["queries"] = made["queries"][:, :, :1]
        scores = scaled_scores(made["queries"], made["keys"])
        bias = self.bias(padding_mask, first_token_only)
        return made | {
            "attention_scores": scores,
            "attention_probs": ops.softmax(scores + bias, axis=-1),
        }

    def normed(self, hidden_states: Tensor) -> Any:
        """Return what attention reads."""
        if self.attention_norm is None:
            return hidden_states
        return self.attention_norm(hidden_states)

    def split(self, name: str, x: Tensor) -> Any:
        """Split a projection into heads; queries and keys are turned.

        Returns:
            `[batch, heads, length, head_dim]`.
        """
        heads = split_heads(x, self.num_heads)
        return heads if name == "values" else rotate(heads, self.rope_theta)

    def bias(self, padding_mask: Tensor, first_token_only: bool = False) -> Any:
        """Return what hides padded keys, and those beyond the window.

        Returns:
            `[batch, 1, 1 or length, length]` float32, added to scores.
        """
        bias = key_bias(padding_mask)
        if self.window is None:
            return bias
        far = window_bias(ops.shape(padding_mask)[1], self.window)
        return bias + (far[:, :, :1] if first_token_only else far)

    def compute_output_shape(
        self,
        hidden_states_shape: Shape,
        padding_mask_shape: Shape | None = None,
    ) -> Shape:
        return hidden_states_shape

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "num_heads": self.num_heads,
            "intermediate_dim": self.intermediate_dim,
            "rope_theta": self.rope_theta,
            "window": self.window,
            "normalizes_attention": self.normalizes_attention,
            "activation": self.activation,
            "dropout": self.dropout,
            "attention_dropout": self.attention_dropout,
            "epsilon": self.epsilon,
            "output_stddev": self.output_stddev,
        }


def plain_dense(
    units: int, dtype: Policy, name: str, stddev: float = _STDDEV
) -> keras.layers.Dense:
    """Return a dense layer without a bias."""
    return keras.layers.Dense(
        units,
        use_bias=False,
        kernel_initializer=keras.initializers.TruncatedNormal(stddev=stddev),
        dtype=dtype,
        name=name,
    )


def scale_norm(
    epsilon: float, dtype: Policy, name: str
) -> keras.layers.LayerNormalization:
    """Return a layer normalisation without a bias."""
    return keras.layers.LayerNormalization(
        epsilon=epsilon, center=False, dtype=dtype, name=name
    )
