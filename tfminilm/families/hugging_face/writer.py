"""What a Hugging Face folder says of a post-norm encoder of KerasHub's."""

from typing import Any

import keras

from tfminilm.errors import UserError
from tfminilm.families.activations import activation_name
from tfminilm.families.hugging_face.settings import (
    ACTIVATIONS,
    huggingface_activation,
)
from tfminilm.private.encoders import encoder_parts


def settings_of(backbone: keras.Model) -> dict[str, Any]:
    """Return the `config.json` of a BERT, with what its layers compute.

    Raises:
        UserError: they compute with several activations or epsilons, where
            `transformers` has one of each; or with one that it has not.
    """
    parts = [encoder_parts(layer) for layer in backbone.transformer_layers]
    norms = [backbone.embeddings_layer_norm]
    for part in parts:
        norms += [part.attention_norm, part.feedforward_norm]
    activations = {
        activation_name(
            part.intermediate.activation,
            tuple(dict.fromkeys(ACTIVATIONS.values())),
        )
        for part in parts
    }
    return {
        "vocab_size": backbone.vocabulary_size,
        "hidden_size": backbone.hidden_dim,
        "num_hidden_layers": backbone.num_layers,
        "num_attention_heads": backbone.num_heads,
        "intermediate_size": backbone.intermediate_dim,
        "hidden_act": huggingface_activation(
            _only(activations, "an activation")
        ),
        "hidden_dropout_prob": backbone.dropout,
        "attention_probs_dropout_prob": backbone.dropout,
        "max_position_embeddings": backbone.max_sequence_length,
        "type_vocab_size": backbone.num_segments,
        "layer_norm_eps": _only({norm.epsilon for norm in norms}, "an epsilon"),
    }


def _only(values: set[Any], what: str) -> Any:
    if len(values) > 1:
        raise UserError(
            "cannot write a Hugging Face folder: it has room for one of "
            f"{what}, and the layers have "
            f"{', '.join(map(str, sorted(values)))}"
        )
    return values.pop()
