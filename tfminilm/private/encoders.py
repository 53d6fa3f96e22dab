"""Access to the sub-layers of KerasHub's encoder layers and heads.

KerasHub's layers show their output only. MiniLM compares what is inside, and
mobile graphs, Hugging Face folders and pruned layers are made from it.
"""

import dataclasses

import keras

from tfminilm.private import Use

_ENCODER = "keras_hub.layers.TransformerEncoder"
_ATTENTION = "keras.layers.MultiHeadAttention"
_HEAD = "keras_hub.layers.MaskedLMHead"
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
)


@dataclasses.dataclass(frozen=True)
class EncoderParts:
    """The sub-layers of a `keras_hub.layers.TransformerEncoder`."""

    attention: keras.layers.MultiHeadAttention
    attention_norm: keras.layers.LayerNormalization
    attention_dropout: keras.layers.Dropout
    intermediate: keras.layers.Dense
    output: keras.layers.Dense
    feedforward_norm: keras.layers.LayerNormalization
    feedforward_dropout: keras.layers.Dropout

    @property
    def probs_dropout(self) -> keras.layers.Dropout:
        """The dropout of attention probabilities."""
        return self.attention._dropout_layer


def encoder_parts(encoder: keras.layers.Layer) -> EncoderParts:
    """Return the sub-layers of a `keras_hub.layers.TransformerEncoder`."""
    return EncoderParts(
        attention=encoder._self_attention_layer,
        attention_norm=encoder._self_attention_layer_norm,
        attention_dropout=encoder._self_attention_dropout,
        intermediate=encoder._feedforward_intermediate_dense,
        output=encoder._feedforward_output_dense,
        feedforward_norm=encoder._feedforward_layer_norm,
        feedforward_dropout=encoder._feedforward_dropout,
    )


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
