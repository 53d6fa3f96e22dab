"""Write KerasHub's post-norm encoders in the words of `transformers`."""

from typing import Any

import keras
import numpy as np

from tfminilm.errors import UserError
from tfminilm.families.activations import activation_name
from tfminilm.families.hugging_face.modules import encoder_layers, modules
from tfminilm.families.hugging_face.names import EPSILON, Names
from tfminilm.families.hugging_face.settings import (
    ACTIVATIONS,
    huggingface_activation,
)
from tfminilm.private.encoders import encoder_parts

_LENGTH = "max_sequence_length"


def contents(
    names: Names, backbone: keras.Model
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a folder of a backbone holds.

    Args:
        names: of the family.
        backbone: KerasHub's, or of `families.backbones`.

    Returns:
        Its `config.json`, and its layers by the names of PyTorch's modules.

    Raises:
        UserError: the layers compute with several activations or epsilons,
            where `transformers` has one of each; or with one that it has not.
    """
    layers = dict(modules(names, backbone))
    if names.pooler is not None and hasattr(backbone, "pooled_dense"):
        layers[names.pooler] = backbone.pooled_dense
    return _settings(names, backbone), layers


def table(values: np.ndarray) -> keras.layers.Embedding:
    """Return a layer of PyTorch's that KerasHub's model does not have."""
    layer = keras.layers.Embedding(*values.shape)
    layer.build()
    layer.set_weights([values])
    return layer


def padded_positions(
    names: Names, backbone: keras.Model, settings: dict[str, Any]
) -> keras.layers.Embedding:
    """Return positions behind padding's, which are zero: nothing reads them.

    Args:
        names: of a family that `has_pads_position`.
        backbone: its model.
        settings: get the number of all positions, and the padding's id.
    """
    pad = names.defaults["pad_token_id"]
    (positions,) = backbone.embeddings.position_embedding.get_weights()
    positions = np.pad(positions, ((pad + 1, 0), (0, 0)))
    settings[names.sizes[_LENGTH]] = len(positions)
    settings["pad_token_id"] = pad
    return table(positions)


def identity(width: int) -> keras.layers.Dense:
    """Return a dense layer that changes nothing, for a pooler to be had."""
    layer = keras.layers.Dense(width, kernel_initializer="identity")
    layer.build((None, width))
    return layer


def _settings(names: Names, backbone: keras.Model) -> dict[str, Any]:
    parts = [encoder_parts(layer) for _, layer in encoder_layers(backbone)]
    norms = [backbone.embeddings_layer_norm]
    for part in parts:
        norms += [part.attention_norm, part.feedforward_norm]
    if hasattr(backbone, "relative_embeddings"):
        norms.append(backbone.relative_embeddings.layer_norm)
    activations = {
        activation_name(
            part.intermediate.activation,
            tuple(dict.fromkeys(ACTIVATIONS.values())),
        )
        for part in parts
    }
    epsilon = _only({norm.epsilon for norm in norms}, "an epsilon")
    settings = {
        setting: getattr(backbone, name)
        for name, setting in names.sizes.items()
        if name != _LENGTH
    }
    settings |= names.written
    settings |= {
        names.activation: huggingface_activation(
            _only(activations, "an activation")
        ),
        names.dropout: backbone.dropout,
        names.attention_dropout: backbone.dropout,
        names.sizes[_LENGTH]: backbone.max_sequence_length,
    }
    if "type_vocab_size" in names.defaults:
        settings["type_vocab_size"] = getattr(backbone, "num_segments", 1)
    if "layer_norm_eps" in names.defaults:
        settings["layer_norm_eps"] = epsilon
    elif epsilon != EPSILON:
        raise UserError(
            f"cannot write a {type(backbone).__name__} with an epsilon of "
            f"{epsilon} as a Hugging Face folder: transformers always computes "
            f"it with {EPSILON}"
        )
    return settings


def _only(values: set[Any], what: str) -> Any:
    if len(values) > 1:
        raise UserError(
            "cannot write a Hugging Face folder: it has room for one of "
            f"{what}, and the layers have "
            f"{', '.join(map(str, sorted(values)))}"
        )
    return values.pop()
