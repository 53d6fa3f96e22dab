"""Build tasks' heads as parts of the mobile graph."""

from typing import Any, NamedTuple

import keras
import keras_hub
import tensorflow as tf

from tfminilm import families
from tfminilm.errors import UserError
from tfminilm.export.graph import blocks, weights
from tfminilm.tasks.head_models import SpanFinder, TokenClassifier
from tfminilm.tasks.kinds import kind_of_head

_ACTIVATIONS = {
    "gelu": blocks.ACTIVATIONS["gelu"],
    "linear": tf.identity,
    "relu": tf.nn.relu,
    "sigmoid": tf.sigmoid,
    "softmax": tf.nn.softmax,
    "tanh": tf.tanh,
}


class FirstTokenHead(tf.Module):
    """Class logits, or a score, from the first token's state.

    Attributes:
        reads_mean: whether it is given the mean state of real tokens instead.
    """

    outputs = ("logits",)

    def __init__(self, head: keras_hub.models.Task):
        """Read a text classifier of KerasHub, or a `FirstTokenClassifier`.

        Raises:
            UserError: one of its activations is not known here.
        """
        super().__init__()
        self._is_on_pooler = is_on_pooler(head)
        self.reads_mean = getattr(head, "pooling", "") == "mean"
        self._layers = _Layers(head)

    def __call__(self, encoder, first, states, mask):
        """Compute logits `[1, classes]` from the first state `[1, dim]`."""
        x = encoder.pool(first) if self._is_on_pooler else first
        return {"logits": self._layers(x)}


class SpanHead(tf.Module):
    """Score where an answer starts and ends, from the states of all tokens."""

    outputs = ("start_logits", "end_logits")
    reads_mean = False

    def __init__(self, head: SpanFinder):
        super().__init__()
        self._layers = _Layers(head)

    def __call__(self, encoder, first, states, mask):
        """Compute both outputs `[1, length]`; padding gets a low value."""
        shape = [1, states.shape[1]]
        sides = tf.split(self._layers(states), 2, axis=-1)
        mask = tf.reshape(mask, shape)
        return {
            name: tf.reshape(side, shape) + mask
            for name, side in zip(self.outputs, sides, strict=True)
        }


class TokenHead(tf.Module):
    """Compute class logits from the state of each token."""

    outputs = ("token_logits",)
    reads_mean = False

    def __init__(self, head: TokenClassifier):
        super().__init__()
        self._layers = _Layers(head)

    def __call__(self, encoder, first, states, mask):
        """Compute logits `[1, length, classes]`; padding's mean nothing."""
        return {"token_logits": self._layers(states)}


_Head = FirstTokenHead | SpanHead | TokenHead
# By the name that a task's kind declares.
_HEADS = {cls.__name__: cls for cls in (FirstTokenHead, SpanHead, TokenHead)}


def mobile_head(model: keras.Model) -> _Head | None:
    """Return the head of a model; None if the model is a backbone.

    Raises:
        UserError: the head is of another kind.
    """
    if not isinstance(model, keras_hub.models.Task):
        return None
    kind = kind_of_head(model)
    if kind is None:
        raise UserError(
            f"cannot export a {type(model).__name__}: expected a text "
            "classifier, a SpanFinder, a TokenClassifier or a backbone"
        )
    return _HEADS[kind.mobile_head](model)


class Part(NamedTuple):
    """A norm or a dense layer of a head, and the activation behind it."""

    name: str
    layer: weights.Norm | weights.Dense
    activation: str


def is_on_pooler(head: keras_hub.models.Task) -> bool:
    """Tell whether a classifier reads what the backbone's pooler gives."""
    family = families.of_backbone(head.backbone)
    return (
        isinstance(head, keras_hub.models.TextClassifier)
        and family is not None
        and family.classifier_pools
    )


def parts(head: keras_hub.models.Task) -> list[Part]:
    """List a head's norms and dense layers in the order in which they run.

    Raises:
        UserError: an activation is not known here.
    """
    listed: list[Part] = []
    width = head.backbone.hidden_dim
    own = [x for x in head.layers if x not in head.backbone.layers]
    for layer in own:
        if isinstance(layer, keras.layers.LayerNormalization):
            listed.append(Part(layer.name, weights.norm(layer), "linear"))
        if isinstance(layer, keras.layers.Dense):
            dense = weights.dense(layer, width)
            listed.append(Part(layer.name, dense, _activation(layer)))
            width = layer.units
    return listed


class _Layers(tf.Module):
    """The dense layers and norms of a head, in the order in which they run."""

    def __init__(self, head: keras_hub.models.Task):
        super().__init__()
        self._layers: list[Any] = []
        for name, layer, activation in parts(head):
            if isinstance(layer, weights.Norm):
                self._layers.append(blocks.Norm(layer))
            else:
                dense = blocks.Dense(layer, name)
                self._layers += [dense, _ACTIVATIONS[activation]]

    def __call__(self, x):
        for layer in self._layers:
            x = layer(x)
        return x


def _activation(layer: keras.layers.Dense) -> str:
    name = getattr(layer.activation, "__name__", repr(layer.activation))
    if name not in _ACTIVATIONS:
        raise UserError(
            f"cannot export the activation {name} of the head's layer "
            f"{layer.name}: expected {' or '.join(_ACTIVATIONS)}"
        )
    return name
