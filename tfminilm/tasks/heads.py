"""Heads: what stands on a backbone to answer a task's question.

Classes and scores come from KerasHub's own text classifiers where it has one
for the backbone. `FirstTokenClassifier` serves the others, and `SpanFinder`
finds answers in a text on any of them. All are `keras_hub.models.Task`s: they
save as KerasHub presets.
"""

import os
import pathlib
from typing import Any

import keras
import keras_hub
from keras import ops

from tfminilm import families, json_files
from tfminilm.errors import UserError
from tfminilm.tasks.task import Task
from tfminilm.teachers.backbones import TEXT_CLASSIFIERS

families.register()  # KerasHub loads backbones by their names.
_INITIALIZER_STDDEV = 0.02
_SHAPE = {"class_name": str, "config": dict}
# Behind a softmax nothing, and still far from float32's end.
_NEVER = -1e9


class _Head(keras_hub.models.Task):
    """Loads from a preset whatever its backbone is."""

    def __init__(self, backbone: Any, outputs: Any, dropout: float, **kwargs):
        self.backbone = backbone
        self.preprocessor = None
        kwargs.setdefault("compile", False)
        super().__init__(inputs=backbone.input, outputs=outputs, **kwargs)
        # On PyTorch, KerasHub does not track what was set before: weights of
        # the backbone that no output needs would not be the head's.
        self.backbone = backbone
        self.dropout = dropout

    @classmethod
    def from_preset(
        cls, preset: str, compile: bool = False, **kwargs: Any
    ) -> "_Head":
        """Loads a preset folder that `save_to_preset` wrote."""
        path = pathlib.Path(preset)
        config = json_files.read(path / "task.json", _SHAPE)["config"]
        options = {
            key: value
            for key, value in config.items()
            if key not in ("backbone", "preprocessor")
        }
        backbone = keras_hub.models.Backbone.from_preset(preset, **kwargs)
        head = cls(backbone, compile=compile, **options)
        head.load_task_weights(str(path / "task.weights.h5"))
        return head

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"dropout": self.dropout}


@keras.saving.register_keras_serializable(package="tfminilm")
class FirstTokenClassifier(_Head):
    """Class logits from the first token's state, through a tanh layer.

    Args:
        backbone: a KerasHub encoder.
        num_classes: outputs.
        dropout: rate in training, on both sides of the tanh layer.

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
        **kwargs: Any,
    ):
        x = token_states(backbone)[:, 0, :]
        x = _dropout(backbone, dropout, "pooled_dropout")(x)
        x = _dense(backbone, x.shape[-1], "pooled_dense", "tanh")(x)
        x = _dropout(backbone, dropout, "classifier_dropout")(x)
        logits = _dense(backbone, num_classes, "logits")(x)
        super().__init__(backbone, logits, dropout, **kwargs)
        self.num_classes = num_classes

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"num_classes": self.num_classes}


@keras.saving.register_keras_serializable(package="tfminilm")
class SpanFinder(_Head):
    """Where an answer starts and where it ends.

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
        x = token_states(backbone)
        x = _dropout(backbone, dropout, "span_dropout")(x)
        x = _dense(backbone, 2, "span_logits")(x)
        x = ops.cast(x, "float32")
        mask = ops.cast(backbone.input["padding_mask"], "float32")
        x = x + (1.0 - mask)[:, :, None] * _NEVER
        logits = {"start_logits": x[:, :, 0], "end_logits": x[:, :, 1]}
        super().__init__(backbone, logits, dropout, **kwargs)


def build_head(
    task: Task, backbone: keras.Model, dropout: float = 0.1
) -> keras.Model:
    """A model that answers `task`, with a new head on `backbone`.

    Args:
        task: says what is asked: classes, a score or an answer's place.
        backbone: a KerasHub encoder.
        dropout: rate in training, at the head.

    Returns:
        Class logits `[batch, classes]`, a score `[batch, 1]`, or a
        `SpanFinder`'s dict.

    Raises:
        UserError: the task has two texts, and the backbone cannot tell them
            apart: it reads segments, and knows one.
    """
    is_pair = task.kind == "qa" or len(task.texts) == 2
    if is_pair and getattr(backbone, "num_segments", 2) < 2:
        raise UserError(
            f"{backbone.name} knows one segment (Hugging Face's "
            f"type_vocab_size), and {task.name} has two texts: expected a "
            "model that knows two, or that reads no segments, as RoBERTa"
        )
    if task.kind == "qa":
        return SpanFinder(backbone, dropout)
    classifier = _classifiers().get(type(backbone))
    if classifier is None:
        return FirstTokenClassifier(backbone, task.num_outputs, dropout)
    return classifier(
        backbone,
        num_classes=task.num_outputs,
        dropout=dropout,
        compile=False,
    )


def load_head(folder: str | os.PathLike) -> keras.Model:
    """Loads what `save_to_preset` wrote of a model of `build_head`, float32.

    Raises:
        UserError: the folder holds a backbone alone, or is damaged.
    """
    path = pathlib.Path(folder)
    if not (path / "task.json").is_file():
        raise UserError(
            f"{folder} holds no head for a task: give what tfminilm finetune "
            "wrote, or fine-tune the backbone first"
        )
    try:
        name = json_files.read(path / "task.json", _SHAPE)["class_name"]
        own = {
            cls.__name__: cls
            for cls in (
                FirstTokenClassifier,
                SpanFinder,
                *families.text_classifiers(),
            )
        }
        cls = own.get(name, keras_hub.models.TextClassifier)
        return cls.from_preset(str(path), compile=False)
    except UserError:
        raise
    except Exception as error:
        # KerasHub and h5py each raise their own kind.
        reason = " ".join(str(error).split())[:300]
        raise UserError(
            f"cannot load a model for a task from {folder}: "
            f"{type(error).__name__}: {reason}"
        ) from error


def check_head(task: Task, head: keras.Model, name: str) -> None:
    """Refuses a model whose outputs are not the task's.

    Raises:
        UserError: it answers another kind of question, or has another number
            of classes.
    """
    if isinstance(head, SpanFinder):
        found = "a start and an end of an answer"
    else:
        found = f"{head.num_classes} output{'s' * (head.num_classes != 1)}"
    if task.kind == "qa":
        fits, wanted = isinstance(head, SpanFinder), "a start and an end"
    else:
        count = task.num_outputs
        fits = getattr(head, "num_classes", None) == count
        wanted = f"{count} ({', '.join(task.labels) or 'a score'})"
    if not fits:
        raise UserError(
            f"{name} gives {found}, but {task.name} needs {wanted}: use a "
            f"model that was fine-tuned on {task.train_task or task.name}"
        )


def plain(head: keras.Model, dtype: str = "float32") -> keras.Model:
    """A copy that computes in `dtype`, whatever the model was trained in."""
    result = rebuilt(head, dtype=dtype)
    result.set_weights(head.get_weights())
    return result


def rebuilt(model: keras.Model, **changes: Any) -> keras.Model:
    """A model with new weights, but for `changes` of the same settings.

    Args:
        model: a backbone, or a model of `build_head` on one.
        **changes: settings of the backbone, such as `vocabulary_size`.
    """
    backbone = getattr(model, "backbone", model)
    copy = type(backbone).from_config(backbone.get_config() | changes)
    if model is backbone:
        return copy
    options = {
        key: value
        for key, value in model.get_config().items()
        if key not in ("backbone", "preprocessor")
    }
    return type(model)(copy, compile=False, **options)


def rescale(head: keras.Model, mean: float, deviation: float) -> None:
    """Makes a head of standardised scores y give `deviation * y + mean`."""
    *_, last = (
        layer for layer in head.layers if isinstance(layer, keras.layers.Dense)
    )
    last.kernel.assign(last.kernel * deviation)
    last.bias.assign(last.bias * deviation + mean)


def _classifiers() -> dict[type, Any]:
    """KerasHub's and our text classifiers by the backbone each stands on."""
    models = keras_hub.models
    found = [
        getattr(models, name)
        for name in dir(models)
        if name.endswith("TextClassifier") and name != "TextClassifier"
    ]
    found += [*TEXT_CLASSIFIERS.values(), *families.text_classifiers()]
    return {cls.backbone_cls: cls for cls in found}


def token_states(backbone: Any) -> Any:
    """A backbone's symbolic output of all tokens, whatever else it has."""
    output = backbone.output
    return output["sequence_output"] if isinstance(output, dict) else output


def _dropout(backbone: Any, rate: float, name: str) -> keras.layers.Layer:
    return keras.layers.Dropout(rate, dtype=backbone.dtype_policy, name=name)


def _dense(
    backbone: Any, units: int, name: str, activation: str | None = None
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
