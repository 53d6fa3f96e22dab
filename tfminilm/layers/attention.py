"""Layers that show what happens inside a KerasHub encoder layer.

They hold the sub-layers of an existing `keras_hub.layers.TransformerEncoder`,
so the weights are the same variables, not copies.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from tfminilm.layers import fused
from tfminilm.private.encoders import encoder_parts
from tfminilm.typing import Tensor

ATTENTION_PARTS = (
    "queries",
    "keys",
    "values",
    "attention_scores",
    "attention_probs",
)

# It outweighs any score, and twice of it is still a float32.
HIDDEN = -1e38

_NEEDS = {
    "queries": ("queries",),
    "keys": ("keys",),
    "values": ("values",),
    "attention_scores": ("queries", "keys"),
    "attention_probs": ("queries", "keys"),
}


class AttentionParts(keras.layers.Layer):
    """Computes only the requested parts of one layer's self-attention.

    The attention's output, the norms behind it and the feed-forward block are
    not computed and their weights are not held.

    Args:
        encoder: a built `keras_hub.layers.TransformerEncoder`.
        parts: names out of `ATTENTION_PARTS`.

    Call arguments:
        hidden_states: `[batch, length, hidden_dim]`, the encoder's input.
        padding_mask: `[batch, length]`, nonzero at real tokens. Only
            "attention_probs" depends on it.
        position_bias: what `layers.relative.RelativeEncoder` adds to its
            scores; none elsewhere.

    Returns:
        A dict with an entry for each of `parts`: "queries", "keys" and
        "values" are `[batch, heads, length, head_dim]` in the compute dtype;
        "attention_scores" (scaled, with the bias if there is one, before mask
        and softmax) and "attention_probs" (after both) are
        `[batch, heads, length, length]` in float32, whatever the policy.
    """

    def __init__(
        self, encoder: keras.layers.Layer, parts: Sequence[str], **kwargs: Any
    ):
        super().__init__(dtype=encoder.dtype_policy, **kwargs)
        self.parts = tuple(parts)
        self.input_norm = (
            encoder_parts(encoder).attention_norm
            if getattr(encoder, "normalize_first", False)
            else None
        )
        attention = encoder_parts(encoder).attention
        projections = {
            "queries": attention.query_dense,
            "keys": attention.key_dense,
            "values": attention.value_dense,
        }
        needed = needed_projections(self.parts)
        self.projections = {name: projections[name] for name in needed}
        self.built = True

    def call(
        self,
        hidden_states: Tensor,
        padding_mask: Tensor,
        position_bias: Tensor | None = None,
    ) -> dict[str, Any]:
        if self.input_norm is not None:
            hidden_states = self.input_norm(hidden_states)
        tensors = {
            name: heads_first(project(hidden_states))
            for name, project in self.projections.items()
        }
        return attention_parts(self.parts, tensors, padding_mask, position_bias)


class ExposedEncoder(keras.layers.Layer):
    """A whole encoder layer that also returns the parts of its attention.

    Every projection runs once, for the layer's output and its parts alike.

    Args:
        encoder: a built `keras_hub.layers.TransformerEncoder`.
        parts: names out of `ATTENTION_PARTS`.
        first_token_only: compute only the first token's state of the layer's
            output. Queries, scores and probabilities then have one row.

    Call arguments:
        hidden_states: `[batch, length, hidden_dim]`.
        padding_mask: `[batch, length]`, nonzero at real tokens.
        position_bias: as of `AttentionParts`.
        training: whether dropout is active.

    Returns:
        What `AttentionParts` returns, and under "hidden_states" the layer's
        output `[batch, length, hidden_dim]`.
    """

    def __init__(
        self,
        encoder: keras.layers.Layer,
        parts: Sequence[str],
        first_token_only: bool = False,
        **kwargs: Any,
    ):
        super().__init__(dtype=encoder.dtype_policy, **kwargs)
        self.parts = tuple(parts)
        self.first_token_only = first_token_only
        self.encoder = encoder
        # Layers that only come in one order say nothing of it.
        self.normalize_first = getattr(encoder, "normalize_first", False)
        self.built = True

    def call(
        self,
        hidden_states: Tensor,
        padding_mask: Tensor,
        position_bias: Tensor | None = None,
        training: bool | None = None,
    ) -> dict[str, Any]:
        tensors = self._projected(hidden_states)
        if self.first_token_only and position_bias is not None:
            position_bias = position_bias[:, :, :1]
        scores = scaled_scores(
            tensors["queries"], tensors["keys"], position_bias
        )
        return self._attended(
            tensors, scores, hidden_states, padding_mask, training
        )

    def _projected(self, x: Tensor) -> dict[str, Any]:
        """Return queries, keys and values, heads first."""
        encoder = encoder_parts(self.encoder)
        attention = encoder.attention
        if self.normalize_first:
            x = encoder.attention_norm(x)
        query_states = x[:, :1] if self.first_token_only else x
        return {
            "queries": heads_first(attention.query_dense(query_states)),
            "keys": heads_first(attention.key_dense(x)),
            "values": heads_first(attention.value_dense(x)),
        }

    def _attended(
        self,
        tensors: dict[str, Any],
        scores: Tensor,
        hidden_states: Tensor,
        padding_mask: Tensor,
        training: bool | None,
    ) -> dict[str, Any]:
        """Return the layer's output, and the parts, from attention scores."""
        encoder = encoder_parts(self.encoder)
        attention = encoder.attention
        probs = masked_softmax(scores, padding_mask)
        tensors |= {"attention_scores": scores, "attention_probs": probs}
        probs = ops.cast(probs, self.compute_dtype)
        if attention.dropout > 0:
            probs = _dropout(probs, encoder.probs_dropout, training)
        context = heads_first(ops.matmul(probs, tensors["values"]))
        output = attention.output_dense
        width = output.kernel.shape[-1]
        kernel = ops.reshape(output.kernel, (-1, width))
        context = ops.reshape(context, (*ops.shape(context)[:2], -1))
        x = self._add(
            _product(output, context, kernel),
            output.bias,
            hidden_states[:, :1] if self.first_token_only else hidden_states,
            encoder.attention_dropout,
            encoder.attention_norm,
            training,
        )
        return {part: tensors[part] for part in self.parts} | {
            "hidden_states": self._feed_forward(x, training)
        }

    def _feed_forward(self, residual: Tensor, training: bool | None) -> Any:
        encoder = encoder_parts(self.encoder)
        x = residual
        if self.normalize_first:
            x = encoder.feedforward_norm(x)
        wide, narrow = encoder.intermediate, encoder.output
        activate = fused.bias_activation(wide.activation)
        x = activate(_product(wide, x, wide.kernel), wide.bias)
        return self._add(
            _product(narrow, x, narrow.kernel),
            narrow.bias,
            residual,
            encoder.feedforward_dropout,
            encoder.feedforward_norm,
            training,
        )

    def _add(
        self,
        x: Tensor,
        bias: Tensor,
        residual: Tensor,
        dropout: keras.layers.Dropout,
        norm: keras.layers.LayerNormalization,
        training: bool | None,
    ) -> Any:
        """Add bias, dropout and residual; normalise if the norm comes last."""
        if self.normalize_first:
            return _dropout(x + bias, dropout, training) + residual
        parts = x, bias, residual, norm.gamma, norm.beta
        if not training or not dropout.rate:
            return fused.residual_norm(norm.epsilon)(*parts)
        add = fused.residual_norm(norm.epsilon, dropout.rate)
        return add(*parts, fused.dropout_bits(dropout, ops.shape(x)))


def needed_projections(parts: Sequence[str]) -> list[str]:
    """Return which of "queries", "keys" and "values" the parts need."""
    needed = {need for part in parts for need in _NEEDS[part]}
    return [name for name in ("queries", "keys", "values") if name in needed]


def needed_inputs(
    parts: Sequence[str], more: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what of a layer's further inputs these parts need, by name.

    Others would be computed, and their weights trained, for nothing.
    """
    reads_bias = {"attention_scores", "attention_probs"} & set(parts)
    return {k: x for k, x in more.items() if reads_bias or k != "position_bias"}


def attention_parts(
    parts: Sequence[str],
    tensors: dict[str, Any],
    padding_mask: Tensor,
    position_bias: Tensor | None = None,
) -> dict[str, Any]:
    """Compute the parts from what `needed_projections` asks for.

    Args:
        parts: names out of `ATTENTION_PARTS`.
        tensors: queries, keys and values `[batch, heads, length, head_dim]`.
        padding_mask: `[batch, length]`, nonzero at real tokens.
        position_bias: as of `scaled_scores`.
    """
    tensors = dict(tensors)
    if {"attention_scores", "attention_probs"} & set(parts):
        scores = scaled_scores(
            tensors["queries"], tensors["keys"], position_bias
        )
        tensors["attention_scores"] = scores
    if "attention_probs" in parts:
        tensors["attention_probs"] = masked_softmax(scores, padding_mask)
    return {part: tensors[part] for part in parts}


def scaled_scores(
    queries: Tensor, keys: Tensor, position_bias: Tensor | None = None
) -> Any:
    """Compute Q K^T / sqrt(head_dim), before mask and softmax, in float32.

    Args:
        queries: `[batch, heads, length, head_dim]`.
        keys: the same shape.
        position_bias: added to all examples' scores,
            `[1, heads, length, length]`.

    Returns:
        `[batch, heads, length, length]`; rows are queries.
    """
    queries = ops.cast(queries, "float32") * keys.shape[-1] ** -0.5
    keys = ops.cast(keys, "float32")
    scores = ops.matmul(queries, ops.transpose(keys, (0, 1, 3, 2)))
    if position_bias is None:
        return scores
    return scores + ops.cast(position_bias, "float32")


def masked_softmax(scores: Tensor, padding_mask: Tensor) -> Any:
    """Compute the softmax over real keys; padded ones get probability zero.

    Args:
        scores: `[batch, heads, length, length]`.
        padding_mask: `[batch, length]`, nonzero at real tokens.
    """
    return ops.softmax(scores + key_bias(padding_mask), axis=-1)


def key_bias(padding_mask: Tensor) -> Any:
    """Return the bias that, added to scores, hides padded keys from a softmax.

    Returns:
        `[batch, 1, 1, length]` float32: 0 at real keys; elsewhere a number
        that outweighs any score and still leaves room for one below it, so
        that rows without a real key stay finite.
    """
    is_padded = 1.0 - ops.cast(ops.cast(padding_mask, "bool"), "float32")
    return HIDDEN * is_padded[:, None, None, :]


def _product(layer: keras.layers.Layer, x: Tensor, kernel: Tensor) -> Any:
    """Multiply by a dense layer's kernel, with its rounding if it has any."""
    if not hasattr(layer, "prepared"):
        return ops.matmul(x, kernel)
    return layer.written(ops.matmul(layer.prepared(x), kernel))


def _dropout(
    x: Tensor, layer: keras.layers.Layer, training: bool | None
) -> Any:
    """Compute `layer(x)` from fewer random bits."""
    if not training or not layer.rate:
        return x
    bits = fused.dropout_bits(layer, ops.shape(x))
    return fused.dropout(layer.rate)(x, bits)


def heads_first(x: Tensor) -> Any:
    """Swap the length and the heads axis, either way."""
    return ops.transpose(x, (0, 2, 1, 3))
