"""Access to the sub-layers of KerasHub's encoder layers and heads.

KerasHub's layers show their output only. MiniLM compares what is inside, and
mobile graphs, Hugging Face folders and pruned layers are made from it.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import keras

from tfminilm.private import Use

_ENCODER = "keras_hub.layers.TransformerEncoder"
_ATTENTION = "keras.layers.MultiHeadAttention"
_HEAD = "keras_hub.layers.MaskedLMHead"
_DEBERTA = "keras_hub.src.models.deberta_v3.disentangled_"
_DISENTANGLED = f"{_DEBERTA}attention_encoder.DisentangledAttentionEncoder"
_DISENTANGLED_ATTENTION = f"{_DEBERTA}self_attention.DisentangledSelfAttention"
_PARTS = "a part of the layer, whose weights and results are needed"
USES = (
    Use(_ENCODER, "_self_attention_layer", _PARTS),
    Use(_ENCODER, "_self_attention_layer_norm", _PARTS),
    Use(_ENCODER, "_self_attention_dropout", _PARTS),
    Use(_ENCODER, "_feedforward_intermediate_dense", _PARTS),
    Use(_ENCODER, "_feedforward_output_dense", _PARTS),
    Use(_ENCODER, "_feedforward_layer_norm", _PARTS),
    Use(_ENCODER, "_feedforward_dropout", _PARTS),
    Use(_ATTENTION, "_dropout_layer", _PARTS),
    Use(_HEAD, "_intermediate_dense", _PARTS),
    Use(_HEAD, "_intermediate_layer_norm", _PARTS),
    Use(_HEAD, "_bias", "the bias of each token's logit"),
    *(
        Use(_DISENTANGLED, name, _PARTS)
        for name in (
            "_self_attention_layer",
            "_self_attention_layer_norm",
            "_self_attention_dropout",
            "_feedforward_intermediate_dense",
            "_feedforward_output_dense",
            "_feedforward_layer_norm",
            "_feedforward_dropout",
        )
    ),
    *(
        Use(_DISENTANGLED_ATTENTION, name, _PARTS)
        for name in (
            "_query_dense",
            "_key_dense",
            "_value_dense",
            "_output_dense",
            "_attn_dropout_layer",
        )
    ),
    Use(
        _DISENTANGLED_ATTENTION,
        "_make_log_bucket_position",
        "sorts distances into buckets; some it sorts wrong",
    ),
)


@dataclasses.dataclass(frozen=True)
class EncoderParts:
    """The sub-layers of one of KerasHub's encoder layers.

    That is a `keras_hub.layers.TransformerEncoder`, or DeBERTa's. `attention`
    has `query_dense`, `key_dense`, `value_dense`, `output_dense` and
    `dropout`, a rate.
    """

    attention: Any
    probs_dropout: keras.layers.Dropout
    attention_norm: keras.layers.LayerNormalization
    attention_dropout: keras.layers.Dropout
    intermediate: keras.layers.Dense
    output: keras.layers.Dense
    feedforward_norm: keras.layers.LayerNormalization
    feedforward_dropout: keras.layers.Dropout


@dataclasses.dataclass(frozen=True)
class Projections:
    """The dense layers of DeBERTa's attention, by `keras.layers`' names."""

    query_dense: keras.layers.EinsumDense
    key_dense: keras.layers.EinsumDense
    value_dense: keras.layers.EinsumDense
    output_dense: keras.layers.EinsumDense
    dropout: float


def encoder_parts(encoder: keras.layers.Layer) -> EncoderParts:
    """Return the sub-layers of one of KerasHub's encoder layers."""
    attention = encoder._self_attention_layer
    if isinstance(attention, keras.layers.MultiHeadAttention):
        probs_dropout = attention._dropout_layer
    else:
        probs_dropout = attention._attn_dropout_layer
        attention = Projections(
            attention._query_dense,
            attention._key_dense,
            attention._value_dense,
            attention._output_dense,
            attention.dropout,
        )
    return EncoderParts(
        attention=attention,
        probs_dropout=probs_dropout,
        attention_norm=encoder._self_attention_layer_norm,
        attention_dropout=encoder._self_attention_dropout,
        intermediate=encoder._feedforward_intermediate_dense,
        output=encoder._feedforward_output_dense,
        feedforward_norm=encoder._feedforward_layer_norm,
        feedforward_dropout=encoder._feedforward_dropout,
    )


def disentangled_encoder() -> Any:
    """Return KerasHub's class of DeBERTa's encoder layers."""
    from keras_hub.src.models.deberta_v3 import (
        disentangled_attention_encoder as module,
    )

    return module.DisentangledAttentionEncoder


class Buckets(NamedTuple):
    """Describe how a layer of DeBERTa sorts distances between tokens.

    Attributes:
        size: of the distances to one side; twice as many rows has the table
            of their embeddings.
        farthest: distance of which the layer was made to know.
        sort: gives the bucket, below zero to the right, of each distance of
            an integer tensor.
    """

    size: int
    farthest: int
    sort: Callable[[Any], Any]


def buckets_of(encoder: keras.layers.Layer) -> Buckets:
    """Return how a layer of DeBERTa sorts distances."""
    attention = encoder._self_attention_layer
    return Buckets(
        attention.bucket_size,
        attention.max_position_embeddings,
        attention._make_log_bucket_position,
    )


def kerashub_buckets(distances: Any, size: int, farthest: int) -> Any:
    """Sort an array of integers as KerasHub's layers of these sizes do."""
    from keras_hub.src.models.deberta_v3 import (
        disentangled_self_attention as module,
    )

    attention = module.DisentangledSelfAttention(
        1, 1, max_position_embeddings=farthest, bucket_size=size
    )
    distances = keras.ops.convert_to_tensor(distances, "int32")
    return attention._make_log_bucket_position(distances)


def sort_with(encoder: keras.layers.Layer, sort: Callable[[Any], Any]) -> None:
    """Let a layer of DeBERTa sort distances as `Buckets.sort` does."""
    encoder._self_attention_layer._make_log_bucket_position = sort


@dataclasses.dataclass(frozen=True)
class HeadParts:
    """The sub-layers of a `keras_hub.layers.MaskedLMHead`."""

    dense: keras.layers.Dense
    norm: keras.layers.LayerNormalization
    bias: keras.Variable


def head_parts(head: keras.layers.Layer) -> HeadParts:
    """Return the sub-layers of a built `keras_hub.layers.MaskedLMHead`."""
    return HeadParts(
        dense=head._intermediate_dense,
        norm=head._intermediate_layer_norm,
        bias=head._bias,
    )
