"""Define the heads that answer a task, on top of a backbone.

Classes and scores come from KerasHub's own text classifiers where it has one
for the backbone. `FirstTokenClassifier` serves the others. `SpanFinder` finds
answers in a text on any of them, and `TokenClassifier` gives tags to words.
All are `keras_hub.models.Task`s: they save as KerasHub presets.
"""

import pathlib
from typing import Any

import keras
import keras_hub
from keras import ops

from tfminilm import families, json_files, losses
from tfminilm.private import replicas
from tfminilm.typing import Tensor, Tensors

families.register()  # KerasHub loads backbones by their names.
_INITIALIZER_STDDEV = 0.02
SHAPE = {"class_name": str, "config": dict}
# Of several labels at once, each for itself.
SIGMOID = "sigmoid"
# A softmax makes 0 of it, and it is far from float32's limits.
_NEVER = -1e9


class _Head(keras_hub.models.Task):
    """Loads from a preset whatever its backbone is."""

    def __init__(
        self, backbone: keras.Model, outputs: Tensors, dropout: float, **kwargs
    ):
        self.backbone = backbone
        self.preprocessor = None
        kwargs.setdefault("compile", False)
        super().__init__(inputs=backbone.input, outputs=outputs, **kwargs)
        # Set again: on PyTorch, Keras does not track what was set before, and
        # would miss weights of the backbone that no output needs.
        self.backbone = backbone
        self.dropout = dropout

    @classmethod
    def from_preset(
        cls, preset: str, compile: bool = False, **kwargs: Any
    ) -> "_Head":
        """Load a preset folder that `save_to_preset` wrote."""
        path = pathlib.Path(preset)
        config = json_files.read(path / "task.json", SHAPE)["config"]
        options = {
            key: value
            for key, value in config.items()
            if key not in ("backbone", "preprocessor")
        }
        kwargs.pop("preprocessor", None)  # There is none for such heads.
        backbone = keras_hub.models.Backbone.from_preset(preset, **kwargs)
        head = cls(backbone, compile=compile, **options)
        head.load_task_weights(str(path / "task.weights.h5"))
        return head

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"dropout": self.dropout}


@keras.saving.register_keras_serializable(package="tfminilm")
class FirstTokenClassifier(_Head):
    """Class logits from the first token's state, through a dense layer.

    Args:
        backbone: a KerasHub encoder.
        num_classes: outputs.
        dropout: rate in training, on both sides of the dense layer.
        activation: of the dense layer, as Keras names it.
        output_activation: of the logits; none by default.

    Call arguments:
        inputs: what `backbone` reads.

    Returns:
        `[batch, num_classes]`.
    """

    def __init__(
        self,
        backbone: keras.Model,
        num_classes: int,
        dropout: float = 0.1,
        activation: str = "tanh",
        output_activation: str | None = None,
        **kwargs: Any,
    ):
        x = token_states(backbone)[:, 0, :]
        x = _dropout(backbone, dropout, "pooled_dropout")(x)
        x = _dense(backbone, x.shape[-1], "pooled_dense", activation)(x)
        x = _dropout(backbone, dropout, "classifier_dropout")(x)
        ending = _dense(backbone, num_classes, "logits", output_activation)
        logits = ending(x)
        super().__init__(backbone, logits, dropout, **kwargs)
        self.num_classes = num_classes
        self.activation = activation
        self.output_activation = output_activation

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {
            "num_classes": self.num_classes,
            "activation": self.activation,
        }
        ending = {"output_activation": self.output_activation}
        return config | (ending if self.output_activation else {})


@keras.saving.register_keras_serializable(package="tfminilm")
class SpanFinder(_Head):
    """Score where an answer starts and where it ends.

    The first token, `[CLS]`, stands for "no answer".

    Args:
        backbone: a KerasHub encoder.
        dropout: rate in training, on the backbone's output.

    Call arguments:
        inputs: what `backbone` reads.

    Returns:
        A dict of `start_logits` and `end_logits`, `[batch, length]` float32
        each, about -1e9 at padding.
    """

    def __init__(
        self, backbone: keras.Model, dropout: float = 0.1, **kwargs: Any
    ):
        x = _head_states(backbone)
        x = _dropout(backbone, dropout, "span_dropout")(x)
        x = _dense(backbone, 2, "span_logits")(x)
        x = ops.cast(x, "float32")
        mask = ops.cast(backbone.input["padding_mask"], "float32")
        x = x + (1.0 - mask)[:, :, None] * _NEVER
        logits = {"start_logits": x[:, :, 0], "end_logits": x[:, :, 1]}
        super().__init__(backbone, logits, dropout, **kwargs)


@keras.saving.register_keras_serializable(package="tfminilm")
class TokenClassifier(_Head):
    """Class logits of every token, from its state.

    Args:
        backbone: a KerasHub encoder.
        num_classes: outputs of a token.
        dropout: rate in training, on the backbone's output.

    Call arguments:
        inputs: what `backbone` reads.

    Returns:
        A dict of `token_logits`, `[batch, length, num_classes]` float32, of
        which those at padding mean nothing.
    """

    def __init__(
        self,
        backbone: keras.Model,
        num_classes: int,
        dropout: float = 0.1,
        **kwargs: Any,
    ):
        x = _head_states(backbone)
        x = _dropout(backbone, dropout, "token_dropout")(x)
        x = _dense(backbone, num_classes, "token_classifier")(x)
        logits = {"token_logits": ops.cast(x, "float32")}
        super().__init__(backbone, logits, dropout, **kwargs)
        self.num_classes = num_classes

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"num_classes": self.num_classes}


@keras.saving.register_keras_serializable(package="tfminilm")
class TokenCrossEntropy(keras.losses.Loss):
    """The mean cross-entropy of the tokens that weigh something.

    Call arguments:
        y_true: class numbers `[batch, length]`.
        y_pred: logits `[batch, length, classes]`.
        sample_weight: `[batch, length]`; those of weight 0 do not count.
    """

    def __call__(
        self,
        y_true: Tensor,
        y_pred: Tensor,
        sample_weight: Tensor | None = None,
    ) -> Any:
        # Keras adds up what the replicas give: each gives its share.
        mean = losses.hard_labels(y_true, y_pred, sample_weight)
        return mean / replicas.count()

    def call(self, y_true: Tensor, y_pred: Tensor) -> Any:
        return losses.hard_labels(y_true, y_pred)


def text_classifier(
    backbone: keras.Model,
    num_outputs: int,
    dropout: float,
    activation: str | None = None,
) -> keras.Model:
    """Put a new head with outputs for the whole text on a backbone.

    Args:
        backbone: a KerasHub encoder.
        num_outputs: classes, or 1 for a score.
        dropout: rate in training, at the head.
        activation: of the logits, such as `SIGMOID` of several labels.

    Returns:
        KerasHub's own text classifier where it has one for the backbone, else
        a `FirstTokenClassifier`; its output is `[batch, num_outputs]`.
    """
    classifier = families.text_classifiers().get(type(backbone))
    if classifier is None:
        return FirstTokenClassifier(
            backbone, num_outputs, dropout, output_activation=activation
        )
    return classifier(
        backbone,
        num_classes=num_outputs,
        dropout=dropout,
        activation=activation,
        compile=False,
    )


def gives_several_labels(model: keras.Model) -> bool:
    """Tell whether a text classifier ends in a sigmoid for each label."""
    function = last_dense(model).activation
    return model.num_classes > 1 and function is keras.activations.sigmoid


def last_dense(head: keras.Model) -> keras.layers.Dense:
    """Return the layer that gives the output of a text classifier."""
    *_, last = (x for x in head.layers if isinstance(x, keras.layers.Dense))
    return last


def token_states(backbone: keras.Model) -> Any:
    """Return a backbone's symbolic output of all tokens."""
    output = backbone.output
    return output["sequence_output"] if isinstance(output, dict) else output


def _head_states(backbone: keras.Model) -> Any:
    """Return what stands in front of the logits of each token."""
    family, states = families.of_backbone(backbone), token_states(backbone)
    if family is None or family.head_states is None:
        return states
    return family.head_states(backbone)(states)


def _dropout(
    backbone: keras.Model, rate: float, name: str
) -> keras.layers.Layer:
    return keras.layers.Dropout(rate, dtype=backbone.dtype_policy, name=name)


def _dense(
    backbone: keras.Model, units: int, name: str, activation: str | None = None
) -> keras.layers.Layer:
    return keras.layers.Dense(
        units,
        activation=activation,
        kernel_initializer=keras.initializers.TruncatedNormal(
            stddev=_INITIALIZER_STDDEV
        ),
        dtype=backbone.dtype_policy,
        name=name,
    )
