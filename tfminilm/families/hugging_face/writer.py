"""Write KerasHub's post-norm encoders in the words of `transformers`."""

from typing import Any

import keras
import numpy as np

from tfminilm.errors import UserError
from tfminilm.families.activations import activation_name
from tfminilm.families.family import Family
from tfminilm.families.hugging_face.modules import (
    Variables,
    encoder_layers,
    modules,
)
from tfminilm.families.hugging_face.names import EPSILON, Names
from tfminilm.families.hugging_face.settings import (
    ACTIVATIONS,
    huggingface_activation,
)
from tfminilm.private.encoders import encoder_parts, head_parts

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


def masked_lm(family: Family, model: keras.Model) -> dict[str, Any]:
    """Return the layers of a head for masked words by PyTorch's modules.

    The kernel of its logits is the token table, which the backbone has. A
    folder has one epsilon, the encoder's; KerasHub's heads add 1e-5, which
    changes logits by about 1e-5 of their size where the encoder's is less.

    Args:
        family: of the model's backbone, with `names`.
        model: with a head of KerasHub's class.

    Raises:
        UserError: the head computes with another activation than
            `transformers` would.
    """
    assert family.hugging_face is not None
    assert family.hugging_face.names is not None
    parts = head_parts(model.masked_lm_head)
    names = tuple(dict.fromkeys(ACTIVATIONS.values()))
    first = encoder_parts(next(encoder_layers(model.backbone))[1])
    function = first.intermediate.activation
    expected = family.masked_lm_activation or activation_name(function, names)
    require_head_activation(
        model, activation_name(parts.dense.activation, names), expected
    )
    dense, norm, logits = family.hugging_face.names.masked_lm
    return {
        dense: parts.dense,
        norm: parts.norm,
        logits: Variables([bias(parts.bias)]),
    }


def require_head_activation(
    model: keras.Model, activation: str, expected: str
) -> None:
    """Refuse a head for masked words with another activation.

    Raises:
        UserError: it has another one than `transformers` computes with.
    """
    if activation != expected:
        raise UserError(
            f"cannot write a {type(model).__name__} as a Hugging Face folder: "
            f"the activation of its head is {activation}, expected "
            f"{expected}, with which transformers computes it; export the "
            "encoder alone (--as=encoder)"
        )


def bias(variable: keras.Variable) -> keras.Variable:
    """Return a copy called "bias", as PyTorch's module has it."""
    return keras.Variable(variable, name="bias", trainable=False)


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
