"""KerasHub's encoders with another activation, or another epsilon.

KerasHub's classes hold both as constants, and a preset of theirs does not
say what they are. The classes here have the same names, and settings for
both, so that a model that was trained otherwise stays itself when it is
saved and loaded. KerasHub finds them by name once `families.register` has been
called, and refuses their presets where it has not.
"""

import functools
from typing import Any, NamedTuple

import keras
import keras_hub

from tfminilm.families.family import Family
from tfminilm.layers.bottleneck import activation_function
from tfminilm.layers.disentangled import sort_exactly
from tfminilm.private import graphs
from tfminilm.private.encoders import (
    disentangled_encoder,
    encoder_parts,
    head_parts,
)


class _Backbone:
    """A KerasHub encoder with an activation and an epsilon of its own.

    Args:
        activation: of the feed-forward blocks, as `activation_function`
            takes it.
        layer_norm_epsilon: of all layer normalisations.
        **kwargs: what KerasHub's class of this name takes.
    """

    def __init__(
        self, *, activation: str, layer_norm_epsilon: float, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.activation = activation
        self.layer_norm_epsilon = layer_norm_epsilon
        _compute_with(self, activation, layer_norm_epsilon)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {  # type: ignore[misc]
            "activation": self.activation,
            "layer_norm_epsilon": self.layer_norm_epsilon,
        }


class _TextClassifier:
    """KerasHub's text classifier on a backbone of this module."""


class _MaskedLM:
    """KerasHub's masked language model on a backbone of this module.

    Its head computes with the backbone's activation and epsilon, as in
    `transformers`, or with the activation that the family's heads have.
    """

    head_activation: str

    def __init__(self, backbone: keras.Model, *args: Any, **kwargs: Any):
        super().__init__(backbone, *args, **kwargs)  # type: ignore[call-arg]
        activation = self.head_activation or backbone.activation
        head = self.masked_lm_head  # type: ignore[attr-defined]
        _compute_with(head, activation, backbone.layer_norm_epsilon)


def _compute_with(
    layer: keras.layers.Layer, activation: str, epsilon: float
) -> None:
    """Set the activation and the epsilon of a model's layers, or a head's.

    Keras reads both in every call, so that a graph that is built takes them.
    DeBERTa's layers also sort distances as `layers.disentangled` does.
    """
    function = activation_function(activation)
    disentangled = disentangled_encoder()
    for part in graphs.inner_layers(layer):
        if isinstance(part, keras.layers.LayerNormalization):
            part.epsilon = epsilon
        elif isinstance(
            part, keras_hub.layers.TransformerEncoder | disentangled
        ):
            part.activation = function
            part.layer_norm_epsilon = epsilon
            encoder_parts(part).intermediate.activation = function
            if isinstance(part, disentangled):
                sort_exactly(part)
        elif isinstance(part, keras_hub.layers.MaskedLMHead):
            part.intermediate_activation = function
            part.layer_norm_epsilon = epsilon
            head_parts(part).dense.activation = function


class Variants(NamedTuple):
    """The classes of a family with an activation and an epsilon of their own.

    All have the names of KerasHub's; `None` stands for what it has not.
    """

    backbone: Any
    text_classifier: Any | None
    masked_lm: Any | None


@functools.cache
def variants(family: Family) -> Variants:
    """Make a family's classes, and make them known to Keras.

    Args:
        family: one that has `computes_with`.
    """
    name = family.backbone
    backbone = _derived(_Backbone, name)
    return Variants(
        backbone,
        _derived(
            _TextClassifier,
            name.replace("Backbone", "TextClassifier"),
            backbone_cls=backbone,
        ),
        _derived(
            _MaskedLM,
            name.replace("Backbone", "MaskedLM"),
            backbone_cls=backbone,
            head_activation=family.masked_lm_activation,
        ),
    )


def masked_lm_class(family: Family) -> Any:
    """Return a family's masked language model, KerasHub's or this package's."""
    if family.masked_lm is not None:
        return family.masked_lm()
    return variants(family).masked_lm


def _derived(mixin: type, name: str, **attributes: object) -> Any | None:
    """Make a class of KerasHub's name, if any, of this module's and theirs."""
    base = getattr(keras_hub.models, name, None)
    if base is None:
        return None
    content = {"__module__": __name__, "__doc__": mixin.__doc__} | attributes
    cls = type(name, (mixin, base), content)
    return keras.saving.register_keras_serializable("tfminilm")(cls)
