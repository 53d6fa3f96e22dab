"""Heads of Hugging Face folders: classes, a score, a place or tags."""

import os
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras

from tfminilm import families
from tfminilm.errors import UserError
from tfminilm.families.family import HuggingFace
from tfminilm.families.hugging_face import settings
from tfminilm.families.hugging_face.checkpoint import (
    Checkpoint,
    open_checkpoint,
)
from tfminilm.private.deferred import made_with_values
from tfminilm.teachers import cross_encoders
from tfminilm.teachers.cross_encoders import SIGMOID
from tfminilm.teachers.load import has_safetensors, is_hugging_face
from tfminilm.typing import Policy

# By what stands behind "For" in the name of a model's class.
_READ = _CLASSES, _ANSWERS, _TOKENS = (
    "SequenceClassification",
    "QuestionAnswering",
    "TokenClassification",
)
# What an encoder was pretrained with, if anything, which no task asks for.
_PRETRAINED = ("", "MaskedLM", "PreTraining", "NextSentencePrediction")
# As many classes as a column of labels may have.
_MOST = 1_000
_MADE_UP = re.compile(r"LABEL_\d+")
_ONE_LABEL = "single_label_classification"
_LABELS = "multi_label_classification"
# In tokens, where nothing says how long a model's texts were.
_LENGTH, _QUESTION_LENGTH = 128, 384


class Head(NamedTuple):
    """Hold what a folder says of a head.

    Attributes:
        kind: such as "classification", "regression" or "qa", as of a `Task`.
        labels: of the classes, in the order of the logits.
        dropout: rate in training.
        task: the name of what it was fine-tuned on, if it is said.
        num_texts: that are read together as far as is known.
        max_length: in tokens, of such texts by default.
        layers: PyTorch's names of its layers by their names in Keras.
        activation: of a classifier's layer in front of the logits, as Keras
            names it.
        score_activation: "linear" or "sigmoid", which makes a score of a
            logit; empty if nothing is said of it.
        num_classes: as many as the model gives logits, if its folder does not
            name them in `labels`.
        pooling: what a classifier reads; empty if its class says so.
    """

    kind: str
    labels: tuple[str, ...]
    dropout: float
    task: str
    num_texts: int
    max_length: int
    layers: Mapping[str, str]
    activation: str = "tanh"
    score_activation: str = ""
    num_classes: int = 0
    pooling: str = ""


def find_head(folder: str | os.PathLike) -> Head | None:
    """Return what a Hugging Face folder says of its head.

    Args:
        folder: any model's folder.

    Returns:
        None if it is an encoder, or no Hugging Face folder with weights.

    Raises:
        UserError: its head is of a kind that is not read, or its labels are
            damaged.
    """
    name = str(folder)
    if not (is_hugging_face(name) and has_safetensors(name)):
        return None
    return _head(open_checkpoint(pathlib.Path(folder)))


def load_with_head(
    folder: str | os.PathLike,
    build: Callable[[Head, keras.Model], keras.Model],
    dtype: Policy = None,
) -> keras.Model:
    """Load a model with its head.

    Args:
        folder: a Hugging Face folder for which `find_head` finds one.
        build: puts a new head on a backbone, whose layers have the names that
            KerasHub's text classifiers and `tasks.heads` give them.
        dtype: the dtype or dtype policy to compute in.

    Raises:
        UserError: the folder is damaged, or not of this head.
    """
    checkpoint = open_checkpoint(pathlib.Path(folder))
    head = _head(checkpoint)
    if head is None:
        raise UserError(f"{folder} holds an encoder without a head for a task")
    family, reader = families.of_checkpoint(checkpoint)
    with made_with_values():
        return reader.load_with_head(
            checkpoint,
            family,
            head.layers,
            lambda backbone: build(head, backbone),
            dtype,
        )


def _head(checkpoint: Checkpoint) -> Head | None:
    path, config = checkpoint.settings_file, checkpoint.settings
    name = _name(path, config)
    if name in _PRETRAINED:
        return None
    task = config.get("finetuning_task")
    task = task if isinstance(task, str) else ""
    positions, written = _positions(checkpoint), _hugging_face(checkpoint)
    if name == _ANSWERS:
        dropout = _dropout(checkpoint, written.spans_dropout)
        length = min(_QUESTION_LENGTH, positions)
        return Head("qa", (), dropout, task, 2, length, written.spans)
    labels = _labels(path, config)
    if name == _TOKENS:
        module = written.tokens["token_classifier"]
        _require_names(checkpoint, module, len(labels))
        dropout = _dropout(checkpoint)
        length = min(_LENGTH, positions)
        kind = "token_classification"
        return Head(kind, labels, dropout, task, 1, length, written.tokens)
    kind = "classification"
    problem = config.get("problem_type")
    pair = cross_encoders.find_cross_encoder(path, config, len(labels))
    score_activation = ""
    if problem in (None, "regression") and len(labels) == 1:
        kind, labels = "regression", ()
        score_activation = pair.activation if pair else ""
    elif problem not in (None, _ONE_LABEL, _LABELS) or len(labels) < 2:
        raise UserError(
            f"{path}: problem_type is {problem!r} with {len(labels)} labels, "
            f"expected {_ONE_LABEL} or {_LABELS} with two or more, or "
            "regression with one: give a model that was trained so"
        )
    elif problem == _LABELS or (pair and pair.activation == SIGMOID):
        kind = "multi_label"
    _require_names(checkpoint, written.classifier["logits"], len(labels) or 1)
    length = (pair.max_length or positions) if pair else _LENGTH
    return Head(
        kind,
        labels,
        _dropout(checkpoint),
        task,
        2 if pair else 1,
        min(length, positions),
        written.classifier,
        written.classifier_activation,
        score_activation,
        pooling=_pooling(path, config, written),
    )


def _pooling(
    path: pathlib.Path, config: Mapping[str, Any], written: HuggingFace
) -> str:
    """Return what a classifier reads, of a family that has the choice."""
    name, poolings = written.classifier_pooling, ("cls", "mean")
    pooling = config.get(name, "cls") if name else ""
    if name and pooling not in poolings:
        raise UserError(
            f"{path}: {name} is {pooling!r}, expected {' or '.join(poolings)}"
        )
    return pooling


def _require_names(checkpoint: Checkpoint, module: str, count: int) -> None:
    """Refuse a head with more or fewer outputs than there are names."""
    width = checkpoint.shapes.get(f"{module}.weight")
    if width is not None and width[0] != count:
        raise UserError(
            f"{checkpoint.settings_file}: id2label or num_labels names {count} "
            f"classes, and the head has {width[0]} outputs: expected a name "
            "for each"
        )


def _hugging_face(checkpoint: Checkpoint) -> HuggingFace:
    family, _ = families.of_checkpoint(checkpoint)
    assert family.hugging_face is not None
    return family.hugging_face


def _config(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return all settings, those that need not be there included."""
    names = _hugging_face(checkpoint).names
    return {**(names.defaults if names else {}), **checkpoint.settings}


def _positions(checkpoint: Checkpoint) -> int:
    path, config = checkpoint.settings_file, _config(checkpoint)
    rows = settings.count(path, config, "max_position_embeddings")
    names = _hugging_face(checkpoint).names
    if names is not None and names.has_pads_position:
        rows -= settings.count(path, config, "pad_token_id", 0) + 1
    return max(rows, 1)


def _name(path: pathlib.Path, config: Mapping[str, Any]) -> str:
    """Return what stands behind "For" in the name of the model's class.

    Raises:
        UserError: it is a head that is not read.
    """
    names = config.get("architectures") or [""]
    if not isinstance(names, list) or not isinstance(names[0], str):
        raise UserError(
            f"{path}: architectures is {names!r}, expected a list of a name "
            'such as "BertModel"'
        )
    name = names[0].partition("For")[2]
    if name not in (*_PRETRAINED, *_READ):
        raise UserError(
            f"{path}: the model is a {names[0]}, whose head is not read here: "
            f"expected one of {', '.join(f'...For{k}' for k in _READ)}; "
            "tfminilm export --as=encoder writes the encoder alone"
        )
    return name


def _labels(path: pathlib.Path, config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the classes, `LABEL_0` and so on without any."""
    count = config.get("num_labels", 2)
    named = config.get("id2label")
    if named is None and type(count) is int and 0 < count <= _MOST:
        named = {str(index): f"LABEL_{index}" for index in range(count)}
    if not isinstance(named, dict) or not 0 < len(named) <= _MOST:
        raise UserError(
            f"{path}: expected id2label with the names of 1 to {_MOST:,} "
            'classes, such as {"0": "negative", "1": "positive"}'
        )
    labels: Any = tuple(named.get(str(i)) for i in range(len(named)))
    if None not in labels and not all(
        isinstance(label, str) and label for label in labels
    ):
        place = next(
            i for i, x in enumerate(labels) if not isinstance(x, str) or not x
        )
        raise UserError(
            f"{path}: id2label has {str(labels[place])[:60]!r} as {place}, "
            "expected a name of one letter or more"
        )
    if None in labels:
        raise UserError(
            f"{path}: id2label has {', '.join(named)[:60]}, expected a name "
            f"for each of 0 to {len(named) - 1}"
        )
    if len({*labels}) < len(labels):
        raise UserError(f"{path}: id2label names a class twice, expected once")
    _require_same_labels(path, labels, config.get("label2id"))
    return labels


def _require_same_labels(
    path: pathlib.Path, labels: tuple[str, ...], label2id: object
) -> None:
    """Refuse a `label2id` that says otherwise than `id2label`.

    Names that `transformers` made up, `LABEL_0` and so on, say nothing.
    """
    ids = label2id if isinstance(label2id, dict) else {}
    names = {label: index for index, label in enumerate(labels)}
    made_up = (all(map(_MADE_UP.fullmatch, each)) for each in (ids, names))
    if any(made_up):
        return
    for name in (*names, *ids):
        # Some files have numbers as text.
        if str(ids.get(name)) != str(names.get(name)):
            raise UserError(
                f"{path}: {name[:40]!r} is {names.get(name)} in id2label and "
                f"{ids.get(name)!r:.40} in label2id: expected the same in "
                "both; mend the wrong one, or take label2id out"
            )


def _dropout(checkpoint: Checkpoint, name: str | None = None) -> float:
    """Return the rate of a setting, or that of the family's classifiers."""
    config = _config(checkpoint)
    names = _hugging_face(checkpoint).classifier_dropout
    names = (name,) if name is not None else names
    for each in names:
        if config.get(each) is not None:
            path = checkpoint.settings_file
            return settings.number(path, config, each, 0.0)
    return 0.0
