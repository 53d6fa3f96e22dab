"""KerasHub's encoders with another activation, or another epsilon.

KerasHub's classes hold both as constants, and a preset of theirs does not
say what they are. The classes here have the same names, and settings for
both, so that a model that was trained otherwise stays itself when it is
saved and loaded. KerasHub finds them by name once this module is imported,
and refuses their presets where it is not.
"""

from collections.abc import Mapping
from typing import Any

import keras
import keras_hub

from tfminilm.layers.bottleneck import activation_function
from tfminilm.private import graphs
from tfminilm.private.encoders import encoder_parts, head_parts

# What KerasHub's own classes compute with, for each of these.
OWN_SETTINGS: Mapping[str, tuple[str, float]] = {
    "AlbertBackbone": ("gelu_approximate", 1e-12),
    "BertBackbone": ("gelu_approximate", 1e-12),
    "DistilBertBackbone": ("gelu", 1e-12),
    "RobertaBackbone": ("gelu", 1e-5),
    "XLMRobertaBackbone": ("gelu", 1e-5),
}


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
    `transformers`; that of RoBERTa and XLM-R has GELU in any case.
    """

    def __init__(self, backbone: Any, *args: Any, **kwargs: Any):
        super().__init__(backbone, *args, **kwargs)  # type: ignore[call-arg]
        is_roberta = isinstance(backbone, keras_hub.models.RobertaBackbone)
        activation = "gelu" if is_roberta else backbone.activation
        head = self.masked_lm_head  # type: ignore[attr-defined]
        _compute_with(head, activation, backbone.layer_norm_epsilon)


def _compute_with(layer: Any, activation: str, epsilon: float) -> None:
    """Sets the activation and the epsilon of a model's layers, or a head's.

    Keras reads both in every call, so that a graph that is built takes them.
    """
    function = activation_function(activation)
    for part in graphs.inner_layers(layer):
        if isinstance(part, keras.layers.LayerNormalization):
            part.epsilon = epsilon
        elif isinstance(part, keras_hub.layers.TransformerEncoder):
            part.activation = function
            part.layer_norm_epsilon = epsilon
            encoder_parts(part).intermediate.activation = function
        elif isinstance(part, keras_hub.layers.MaskedLMHead):
            part.intermediate_activation = function
            part.layer_norm_epsilon = epsilon
            head_parts(part).dense.activation = function


def _derived(own: type, name: str, **attributes: Any) -> Any:
    """A class of KerasHub's name, made of ours and KerasHub's."""
    base = getattr(keras_hub.models, name)
    content = {"__module__": __name__, "__doc__": own.__doc__} | attributes
    cls = type(name, (own, base), content)
    return keras.saving.register_keras_serializable("tfminilm")(cls)


def _tasks(own: type) -> Mapping[str, Any]:
    """By the name of the backbone they stand on, which KerasHub looks for."""
    kind = own.__name__.removeprefix("_")
    return {
        name: _derived(
            own, name.replace("Backbone", kind), backbone_cls=backbone
        )
        for name, backbone in BACKBONES.items()
    }


# By the names of KerasHub's backbones.
BACKBONES: Mapping[str, Any] = {
    name: _derived(_Backbone, name) for name in OWN_SETTINGS
}
TEXT_CLASSIFIERS = _tasks(_TextClassifier)
MASKED_LMS = _tasks(_MaskedLM)
