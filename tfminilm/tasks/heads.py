"""Build, check, load and copy models with a head for a task."""

import os
import pathlib
from typing import Any

import keras
import keras_hub

from tfminilm import json_files
from tfminilm.errors import UserError, in_one_line
from tfminilm.families.room import require_preset_room
from tfminilm.private.deferred import made_with_values
from tfminilm.tasks.head_models import (
    SHAPE,
    FirstTokenClassifier,
    SpanFinder,
    TokenClassifier,
    gives_several_labels,
    last_dense,
    token_states,
)
from tfminilm.tasks.kinds import KINDS, kind_of, kind_of_head
from tfminilm.tasks.settings import Settings, has_head
from tfminilm.tasks.task import Task
from tfminilm.teachers.cross_encoders import LINEAR
from tfminilm.teachers.heads import Head, find_head, load_with_head

__all__ = [
    "FirstTokenClassifier",
    "SpanFinder",
    "TokenClassifier",
    "build_head",
    "check_head",
    "load_head",
    "plain",
    "rebuilt",
    "token_states",
    "with_score",
]


def build_head(
    task: Task, backbone: keras.Model, dropout: float = 0.1
) -> keras.Model:
    """Build a model that answers `task`: a new head on `backbone`.

    Args:
        task: says what is asked: classes, a score or an answer's place.
        backbone: a KerasHub encoder.
        dropout: rate in training, at the head.

    Returns:
        Class logits `[batch, classes]`, a score `[batch, 1]`, or a
        `SpanFinder`'s or a `TokenClassifier`'s dict.

    Raises:
        UserError: the task has two texts, and the backbone cannot tell them
            apart: it reads segments, and knows one.
    """
    kind = kind_of(task)
    is_pair = kind.reads_pairs(len(task.texts))
    if is_pair and getattr(backbone, "num_segments", 2) < 2:
        raise UserError(
            f"{backbone.name} knows one segment (Hugging Face's "
            f"type_vocab_size), and {task.name} has two texts: expected a "
            "model that knows two, or that reads no segments, as RoBERTa"
        )
    return kind.build_head(task, backbone, dropout)


def load_head(folder: str | os.PathLike) -> keras.Model:
    """Load a model of `build_head` from a preset or Hugging Face folder.

    It computes in float32, and gives logits: a KerasHub classifier's own
    activation is left out.

    Raises:
        UserError: the folder holds a backbone alone, or is damaged.
    """
    path = pathlib.Path(folder)
    if find_head(path) is not None:
        return load_with_head(path, _as_said)
    if not has_head(path):
        raise UserError(
            f"{folder} holds no head for a task: give what tfminilm finetune "
            "wrote, or fine-tune the backbone first"
        )
    try:
        name = json_files.read(path / "task.json", SHAPE)["class_name"]
        classes = {
            cls.__name__: cls
            for kind in KINDS.values()
            for cls in kind.head_classes()
        }
        cls = classes.get(name, keras_hub.models.TextClassifier)
        require_preset_room(path)
        with made_with_values():
            model = cls.from_preset(str(path), compile=False, preprocessor=None)
        return _with_logits(model)
    except UserError:
        raise
    except Exception as error:
        # KerasHub and h5py each raise their own kind.
        raise UserError(
            f"cannot load a model for a task from {folder}: "
            f"{type(error).__name__}: {in_one_line(error)}"
        ) from error


def _with_logits(head: keras.Model) -> keras.Model:
    """Take the activation of logits away, unless it says what they are."""
    linear = keras.activations.linear
    is_plain = getattr(head, "activation", linear) is linear
    is_own = isinstance(head, keras_hub.models.TextClassifier)
    if is_own and not is_plain and not gives_several_labels(head):
        last_dense(head).activation = head.activation = linear
    return head


def _as_said(head: Head, backbone: keras.Model) -> keras.Model:
    """Put the head on a backbone that a Hugging Face folder tells of."""
    task = Task(head.task, head.kind, (), (), head.labels)
    model = kind_of(task).build_head(task, backbone, head.dropout)
    if head.pooling:
        return type(model)(
            backbone, model.num_classes, head.dropout, pooling=head.pooling
        )
    if not isinstance(model, FirstTokenClassifier):
        return model
    return FirstTokenClassifier(
        backbone,
        model.num_classes,
        head.dropout,
        head.activation,
        model.output_activation,
    )


def check_head(task: Task, head: keras.Model, name: str) -> None:
    """Refuse a model whose outputs are not the task's.

    Raises:
        UserError: it answers another kind of question, or has another number
            of classes.
    """
    if not kind_of(task).is_head_of(task, head):
        kind = kind_of_head(head)
        outputs = kind.describe_head(head) if kind else type(head).__name__
        raise UserError(
            f"{name} gives {outputs}, but {task.name} needs "
            f"{kind_of(task).describe_outputs(task)}: use a model that was "
            f"fine-tuned on {task.train_task or task.name}"
        )


def with_score(model: keras.Model, settings: Settings | None) -> keras.Model:
    """Return what gives scores, where a model gives the logits of scores.

    Args:
        model: an encoder, or one of `build_head`.
        settings: the model's; None for an encoder.

    Returns:
        The model itself, or a copy that ends in `settings.score_activation`.

    Raises:
        UserError: there is a head without settings, or the other way round.
    """
    if hasattr(model, "backbone") != (settings is not None):
        has = "no head" if settings else "a head"
        raise UserError(
            f"cannot write a {type(model).__name__} with {has} for a task "
            f"and {'settings' if settings else 'no settings'}: expected a "
            "model with a head and its settings, or model.backbone alone"
        )
    if settings is None or settings.score_activation in ("", LINEAR):
        return model
    scorer = plain(model)
    function = keras.activations.get(settings.score_activation)
    last_dense(scorer).activation = function
    return scorer


def plain(head: keras.Model, dtype: str = "float32") -> keras.Model:
    """Copy a model, so that it computes in `dtype`."""
    result = rebuilt(head, dtype=dtype)
    result.set_weights(head.get_weights())
    return result


def rebuilt(model: keras.Model, **changes: Any) -> keras.Model:
    """Build a model with the same settings, except `changes`, and new weights.

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
