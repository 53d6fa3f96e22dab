"""MobileBERT's block, and IB-BERT's (arXiv 2004.02984, section 3)."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from tfminilm.layers.attention import masked_softmax, scaled_scores
from tfminilm.layers.no_norm import EPSILON, norm
from tfminilm.typing import Shape, Tensor

ATTENTION_INPUTS = ("shared", "block", "bottleneck")
_INITIALIZER_STDDEV = 0.02


def activation_function(name: str) -> Callable[[Any], Any]:
    """Return an activation by its name.

    Args:
        name: "relu", "gelu" (exact), "gelu_approximate" or another of Keras'.
    """
    if name == "gelu_approximate":
        return lambda x: ops.gelu(x, approximate=True)
    return keras.activations.get(name)


def initializer() -> keras.initializers.Initializer:
    """Return the initializer of all kernels and tables, as published."""
    return keras.initializers.TruncatedNormal(stddev=_INITIALIZER_STDDEV)


class NormedDense(keras.layers.Layer):
    """Norm(Dropout(x W + b) + residual): every norm of a block is in one.

    Args:
        units: width of the output.
        normalization: "no_norm" or "layer_norm".
        dropout: rate in training.
        epsilon: the epsilon of layer normalisation.

    Call arguments:
        x: `[batch, length, width]`.
        residual: `[batch, length, units]`, or none.
        training: whether dropout is active.

    Returns:
        `[batch, length, units]`.
    """

    def __init__(
        self,
        units: int,
        normalization: str,
        dropout: float = 0.0,
        epsilon: float = EPSILON,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        dtype = self.dtype_policy
        self.dense = _dense(units, dtype, "dense")
        self.dropout = keras.layers.Dropout(dropout, dtype=dtype)
        self.norm = norm(normalization, epsilon, dtype=dtype, name="norm")

    def build(
        self, x_shape: Shape, residual_shape: Shape | None = None
    ) -> None:
        self.dense.build(x_shape)
        self.norm.build((*x_shape[:-1], self.dense.units))

    def call(
        self,
        x: Tensor,
        residual: Tensor | None = None,
        training: bool | None = None,
    ) -> Any:
        x = self.dropout(self.dense(x), training=training)
        return self.norm(x if residual is None else x + residual)


class FeedForward(keras.layers.Layer):
    """Norm(act(x W_1 + b_1) W_2 + b_2 + x).

    Call arguments:
        x: `[batch, length, width]`.

    Returns:
        The same shape.
    """

    def __init__(
        self,
        intermediate_dim: int,
        output_dim: int,
        normalization: str,
        activation: str,
        epsilon: float = EPSILON,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        dtype = self.dtype_policy
        self.activation = activation_function(activation)
        self.intermediate = _dense(intermediate_dim, dtype, "intermediate")
        self.output_dense = NormedDense(
            output_dim,
            normalization,
            epsilon=epsilon,
            dtype=dtype,
            name="output",
        )

    def build(self, x_shape: Shape) -> None:
        self.intermediate.build(x_shape)
        inner = (*x_shape[:-1], self.intermediate.units)
        self.output_dense.build(inner, x_shape)

    def call(self, x: Tensor) -> Any:
        return self.output_dense(self.activation(self.intermediate(x)), x)


@keras.saving.register_keras_serializable(package="tfminilm")
class BottleneckEncoder(keras.layers.Layer):
    """An encoder layer whose inside is narrower, or wider, than its states.

    The input goes through a bottleneck; attention, and feed-forward blocks
    one behind the other, work on the bottleneck's width; a last dense layer
    brings their result back to the input's width and is added to it.

    Args:
        num_heads: attention heads, on the bottleneck's width.
        bottleneck_dim: width inside; a multiple of `num_heads`.
        intermediate_dim: width of a feed-forward block's inside.
        num_feedforwards: feed-forward blocks.
        attention_input: the input of the projections to queries, keys, values:
            "shared": queries and keys read a second bottleneck of their own,
            values the layer's input, as in the released MobileBERT; "block":
            all read the layer's input, as in the paper's table; "bottleneck":
            all read the bottleneck, as in MobileBERT-tiny.
        normalization: "no_norm" or "layer_norm".
        activation: the activation of the feed-forward blocks, such as "relu".
        dropout: rate in training, before the last sum.
        attention_dropout: rate in training, of attention probabilities.
        epsilon: the epsilon of layer normalisation.
        outer_epsilon: the epsilon behind the last feed-forward block.

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
        bottleneck_dim: int,
        intermediate_dim: int,
        num_feedforwards: int = 1,
        attention_input: str = "shared",
        normalization: str = "no_norm",
        activation: str = "relu",
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        epsilon: float = EPSILON,
        outer_epsilon: float = EPSILON,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.bottleneck_dim = bottleneck_dim
        self.intermediate_dim = intermediate_dim
        self.num_feedforwards = num_feedforwards
        self.attention_input = attention_input
        self.normalization = normalization
        self.activation = activation
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.epsilon = epsilon
        self.outer_epsilon = outer_epsilon

    def build(
        self,
        hidden_states_shape: Shape,
        padding_mask_shape: Shape | None = None,
    ) -> None:
        block = tuple(hidden_states_shape)
        inner = (*block[:-1], self.bottleneck_dim)
        is_shared = self.attention_input == "shared"
        reads = block if self.attention_input == "block" else inner
        self.bottleneck = self._normed("bottleneck", block)
        self.shared_bottleneck = None
        if is_shared:
            self.shared_bottleneck = self._normed("shared_bottleneck", block)
        self.projections = {
            "queries": _dense(self.bottleneck_dim, self.dtype_policy, "query"),
            "keys": _dense(self.bottleneck_dim, self.dtype_policy, "key"),
            "values": _dense(self.bottleneck_dim, self.dtype_policy, "value"),
        }
        for part, dense in self.projections.items():
            dense.build(block if is_shared and part == "values" else reads)
        self.probs_dropout = keras.layers.Dropout(
            self.attention_dropout,
            dtype=self.dtype_policy,
            name="probs_dropout",
        )
        self.attention_output = self._normed("attention_output", inner)
        stacked = [self.epsilon] * (self.num_feedforwards - 1)
        self.feedforwards = [
            FeedForward(
                self.intermediate_dim,
                self.bottleneck_dim,
                self.normalization,
                self.activation,
                epsilon,
                dtype=self.dtype_policy,
                name=f"feedforward_{index}",
            )
            for index, epsilon in enumerate([*stacked, self.outer_epsilon])
        ]
        for feedforward in self.feedforwards:
            feedforward.build(inner)
        self.output_bottleneck = self._normed(
            "output_bottleneck", inner, block[-1], self.dropout
        )

    def _normed(
        self,
        name: str,
        shape: Shape,
        units: int | None = None,
        dropout: float = 0.0,
    ) -> NormedDense:
        layer = NormedDense(
            units or self.bottleneck_dim,
            self.normalization,
            dropout,
            self.epsilon,
            dtype=self.dtype_policy,
            name=name,
        )
        layer.build(shape)
        return layer

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
            "queries", "keys" and "values" `[batch, heads, length, head_dim]`,
            "attention_scores" and "attention_probs"
            `[batch, heads, length, length]` in float32. With
            `first_token_only` queries, and what follows from them, have
            length 1.
        """
        rows = slice(None, 1) if first_token_only else slice(None)
        inner = self.bottleneck(hidden_states)
        query_input, value_input = self._attention_inputs(hidden_states, inner)
        parts = {
            "queries": self.project("queries", query_input[:, rows]),
            "keys": self.project("keys", query_input),
            "values": self.project("values", value_input),
        }
        scores = scaled_scores(parts["queries"], parts["keys"])
        probs = masked_softmax(scores, padding_mask)
        parts |= {"attention_scores": scores, "attention_probs": probs}
        dropped = self.probs_dropout(
            ops.cast(probs, self.compute_dtype), training=training
        )
        context = merge_heads(ops.matmul(dropped, parts["values"]))
        x = self.attention_output(context, inner[:, rows])
        for feedforward in self.feedforwards:
            x = feedforward(x)
        output = self.output_bottleneck(
            x, hidden_states[:, rows], training=training
        )
        return parts | {"hidden_states": output}

    def project(self, part: str, x: Tensor) -> Any:
        """Project x to queries, keys or values.

        Returns:
            `[batch, heads, length, head_dim]`.
        """
        return split_heads(self.projections[part](x), self.num_heads)

    def _attention_inputs(self, hidden_states: Tensor, inner: Tensor) -> Any:
        """Return the input of queries and keys, and that of values."""
        if self.shared_bottleneck is not None:
            return self.shared_bottleneck(hidden_states), hidden_states
        read = inner if self.attention_input == "bottleneck" else hidden_states
        return read, read

    def compute_output_shape(
        self,
        hidden_states_shape: Shape,
        padding_mask_shape: Shape | None = None,
    ) -> Shape:
        return hidden_states_shape

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "num_heads": self.num_heads,
            "bottleneck_dim": self.bottleneck_dim,
            "intermediate_dim": self.intermediate_dim,
            "num_feedforwards": self.num_feedforwards,
            "attention_input": self.attention_input,
            "normalization": self.normalization,
            "activation": self.activation,
            "dropout": self.dropout,
            "attention_dropout": self.attention_dropout,
            "epsilon": self.epsilon,
            "outer_epsilon": self.outer_epsilon,
        }


def split_heads(x: Tensor, num_heads: int) -> Any:
    """Turn `[batch, length, width]` into `[batch, heads, length, head_dim]`."""
    batch, length, width = ops.shape(x)
    x = ops.reshape(x, (batch, length, num_heads, width // num_heads))
    return ops.transpose(x, (0, 2, 1, 3))


def merge_heads(x: Tensor) -> Any:
    """Turn `[batch, heads, length, head_dim]` into `[batch, length, width]`."""
    batch, heads, length, size = ops.shape(x)
    x = ops.transpose(x, (0, 2, 1, 3))
    return ops.reshape(x, (batch, length, heads * size))


def _dense(units: int, dtype: str | None, name: str) -> keras.layers.Dense:
    return keras.layers.Dense(
        units, kernel_initializer=initializer(), dtype=dtype, name=name
    )
