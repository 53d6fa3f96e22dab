"""Find the layers of KerasHub's post-norm encoders by PyTorch's names."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import keras

from tfminilm.families.hugging_face.names import Names
from tfminilm.private.encoders import encoder_parts


class Variables(NamedTuple):
    """Hold variables of PyTorch's layer that a larger layer has here."""

    weights: list[keras.Variable]


def modules(names: Names, backbone: keras.Model) -> Iterator[tuple[str, Any]]:
    """Yield a KerasHub backbone's layers by the names of PyTorch's modules.

    The pooler is left out, and where `has_pads_position`, the positions.
    """
    yield "embeddings.word_embeddings", backbone.token_embedding
    yield "embeddings.LayerNorm", backbone.embeddings_layer_norm
    if hasattr(backbone, "segment_embedding"):
        yield "embeddings.position_embeddings", backbone.position_embedding
        yield "embeddings.token_type_embeddings", backbone.segment_embedding
    elif hasattr(backbone, "relative_embeddings"):
        relative = backbone.relative_embeddings
        yield "encoder.rel_embeddings", Variables([relative.rel_embeddings])
        yield "encoder.LayerNorm", relative.layer_norm
    elif not names.has_pads_position:
        positions = backbone.embeddings.position_embedding
        yield "embeddings.position_embeddings", positions
    if hasattr(backbone, "embeddings_projection"):
        projection = backbone.embeddings_projection
        yield names.projection, projection
    if names.position_bias:
        yield names.position_bias, backbone.position_bias.embedding
    for place, layer in encoder_layers(backbone):
        attention = encoder_parts(layer).attention
        parts = (
            attention.query_dense,
            attention.key_dense,
            attention.value_dense,
            attention.output_dense,
            encoder_parts(layer).attention_norm,
            encoder_parts(layer).intermediate,
            encoder_parts(layer).output,
            encoder_parts(layer).feedforward_norm,
        )
        for name, part in zip(names.layer, parts, strict=True):
            yield f"{names.stack}.{place}.{name}", part


def encoder_layers(backbone: keras.Model) -> Iterator[tuple[str, Any]]:
    """Yield the encoder layers; ALBERT has groups of them."""
    for index, layer in enumerate(backbone.transformer_layers):
        if isinstance(layer, list):
            for inner, part in enumerate(layer):
                yield f"{index}.albert_layers.{inner}", part
        else:
            yield f"{index}", layer
