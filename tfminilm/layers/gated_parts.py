"""Layers that show what happens inside a gated encoder.

They hold its sub-layers, so the weights are the same variables, not copies.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfminilm.layers.attention import (
    ExposedEncoder,
    needed_projections,
    scaled_scores,
)
from tfminilm.layers.gated import PROJECTIONS, GatedEncoder
from tfminilm.typing import Tensor


class GatedParts(keras.layers.Layer):
    """Computes only the requested attention parts of a `GatedEncoder`.

    "queries" and "keys" are turned by their positions: their products are the
    attention's scores, as in every other encoder. "attention_scores" are of
    all pairs of tokens; "attention_probs" are zero beyond the window of a
    layer that has one.

    Args:
        encoder: a built `GatedEncoder`.
        parts: names out of `ATTENTION_PARTS`.

    Call arguments and results are those of `AttentionParts`.
    """

    def __init__(
        self, encoder: GatedEncoder, parts: Sequence[str], **kwargs: Any
    ):
        super().__init__(dtype=encoder.dtype_policy, **kwargs)
        self.parts = tuple(parts)
        # No part needs the encoder's other weights.
        self._encoder = _Untracked(encoder)
        self.input_norm, self.qkv = encoder.attention_norm, encoder.qkv
        self.built = True

    def call(
        self, hidden_states: Tensor, padding_mask: Tensor
    ) -> dict[str, Any]:
        encoder = self._encoder.layer
        x = encoder.normed(hidden_states)
        width = x.shape[-1]
        kernel = ops.cast(self.qkv.kernel, x.dtype)
        made = {}
        for name in needed_projections(self.parts):
            start = PROJECTIONS.index(name) * width
            product = ops.matmul(x, kernel[:, start : start + width])
            made[name] = encoder.split(name, product)
        if {"attention_scores", "attention_probs"} & set(self.parts):
            scores = scaled_scores(made["queries"], made["keys"])
            made["attention_scores"] = scores
        if "attention_probs" in self.parts:
            scores = scores + encoder.bias(padding_mask)
            made["attention_probs"] = ops.softmax(scores, axis=-1)
        return {part: made[part] for part in self.parts}


class ExposedGated(ExposedEncoder):
    """A `GatedEncoder` that also returns the parts of its attention."""

    def call(
        self,
        hidden_states: Tensor,
        padding_mask: Tensor,
        position_bias: Tensor | None = None,
        training: bool | None = None,
    ) -> dict[str, Any]:
        tensors = self.encoder.run(
            hidden_states, padding_mask, training, self.first_token_only
        )
        return {name: tensors[name] for name in (*self.parts, "hidden_states")}


class _Untracked:
    """Holds a layer out of Keras' sight."""

    def __init__(self, layer: GatedEncoder):
        self.layer = layer
