"""Layers that show what happens inside a bottleneck encoder.

They hold its sub-layers, so the weights are the same variables, not copies.
"""

from collections.abc import Sequence
from typing import Any

import keras

from tfminilm.layers.attention import (
    ExposedEncoder,
    attention_parts,
    needed_projections,
)
from tfminilm.layers.bottleneck import BottleneckEncoder, split_heads
from tfminilm.typing import Tensor


class BottleneckParts(keras.layers.Layer):
    """Computes only the requested attention parts of a `BottleneckEncoder`.

    Args:
        encoder: a built `BottleneckEncoder`.
        parts: names out of `ATTENTION_PARTS`.

    Call arguments and results are those of `AttentionParts`.
    """

    def __init__(
        self, encoder: BottleneckEncoder, parts: Sequence[str], **kwargs: Any
    ):
        super().__init__(dtype=encoder.dtype_policy, **kwargs)
        self.parts = tuple(parts)
        self.num_heads = encoder.num_heads
        needed = needed_projections(self.parts)
        self.projections = {name: encoder.projections[name] for name in needed}
        # Only values may read the layer's input and not a bottleneck.
        self.through = {
            "bottleneck": needed,
            "shared": [name for name in needed if name != "values"],
        }.get(encoder.attention_input, [])
        bottleneck = encoder.shared_bottleneck or encoder.bottleneck
        self.bottleneck = bottleneck if self.through else None
        self.built = True

    def call(
        self, hidden_states: Tensor, padding_mask: Tensor
    ) -> dict[str, Any]:
        inner = None
        if self.bottleneck is not None:
            inner = self.bottleneck(hidden_states)
        tensors = {}
        for name, project in self.projections.items():
            x = inner if name in self.through else hidden_states
            tensors[name] = split_heads(project(x), self.num_heads)
        return attention_parts(self.parts, tensors, padding_mask)


class ExposedBottleneck(ExposedEncoder):
    """A `BottleneckEncoder` that also returns the parts of its attention."""

    # Its scores have no bias.
    def call(  # type: ignore[override]
        self,
        hidden_states: Tensor,
        padding_mask: Tensor,
        training: bool | None = None,
    ) -> dict[str, Any]:
        tensors = self.encoder.run(
            hidden_states, padding_mask, training, self.first_token_only
        )
        return {name: tensors[name] for name in (*self.parts, "hidden_states")}
