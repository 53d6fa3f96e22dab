"""Load what is to be exported: a model with its head, or its encoder alone."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import keras

from tfminilm.errors import UserError
from tfminilm.export.litert import trained_ranges
from tfminilm.export.litert.trained_ranges import Range
from tfminilm.tasks import heads
from tfminilm.tasks.settings import Settings, has_head
from tfminilm.teachers import load
from tfminilm.teachers.embedding import MODULES
from tfminilm.teachers.masked_lm import find_masked_lm, has_masked_lm
from tfminilm.typing import Tokenizer

# What of a model is exported.
ENCODER, TASK = "encoder", "task"


class Exportable(NamedTuple):
    """Hold what `export_bundle` and `export_folder` take.

    Attributes:
        model: an encoder, or a model with a head for a task.
        tokenizer: its KerasHub tokenizer.
        settings: how it reads its task; None for an encoder.
        ranges: those of quantisation-aware training, by layer.
    """

    model: keras.Model
    tokenizer: Tokenizer
    settings: Settings | None
    ranges: Mapping[str, Range]


def load_exportable(
    source: str | os.PathLike,
    part: str = "",
    labels: Sequence[str] = (),
    masked_words: bool = False,
) -> Exportable:
    """Load a model to export, with its head if it has one.

    Args:
        source: as `teachers.load_backbone` takes it.
        part: "encoder" for the encoder below a head; "task" where there has
            to be a head; empty for all that is there.
        labels: what the model's classes are called, if it does not say so.
        masked_words: whether a head for masked words, which answers no task,
            is loaded too; it is left out otherwise, and where the folder is
            one of sentence-transformers, whose users want embeddings.

    Raises:
        UserError: there is no such model, or no head where one is asked for;
            or the head is not read, or its classes have no names.
    """
    tokenizer = load.load_tokenizer(source)
    is_tiny = load.is_tiny(source)
    folder = "" if is_tiny else load.hugging_face_folder(load.resolve(source))
    model, settings = None, None
    if part != ENCODER and folder and has_head(folder):
        settings = Settings.load(folder, labels)
        model = heads.load_head(folder)
    elif part == TASK:
        raise UserError(
            f"{os.fspath(source)} holds an encoder without a head for a task: "
            "give what tfminilm finetune wrote, or leave --as=task out to "
            "export the encoder"
        )
    elif labels:
        raise UserError(
            f"an encoder has no classes: leave the labels {', '.join(labels)} "
            f"out, or give a model with a head in place of {source}"
        )
    is_asked = masked_words and part != ENCODER and folder
    if (
        model is None
        and is_asked
        and not pathlib.Path(folder, MODULES).exists()
    ):
        model = find_masked_lm(source)
    if model is None:
        model = load.load_backbone(source)
    ranges = trained_ranges.load(pathlib.Path(folder), model) if folder else {}
    return Exportable(model, tokenizer, settings, ranges)


def left_out(source: str | os.PathLike, has_head: bool) -> str:
    """Return a line on the head for masked words that was not loaded.

    It is empty if there is none.

    Args:
        source: where it was loaded from.
        has_head: whether a head was loaded, so that nothing is left out.

    Raises:
        UserError: nothing is there, or it is damaged.
    """
    if has_head or not has_masked_lm(source):
        return ""
    return (
        "The head for masked words answers no task and is left out; publish "
        "and export --config=export/hugging_face.py write it where the folder "
        "is not one of sentence-transformers."
    )
