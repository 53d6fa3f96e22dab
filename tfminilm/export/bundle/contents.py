"""Gather what a manifest says of a model, its target and its files."""

import importlib.metadata
import pathlib
from collections.abc import Mapping
from typing import Any

import keras

from tfminilm import families, files
from tfminilm.errors import UserError
from tfminilm.export.litert.convert import signature_length
from tfminilm.export.litert.runner import Interpreter
from tfminilm.export.manifest import (
    ENCODER,
    File,
    Identity,
    ModelSizes,
    Signature,
    Tensor,
)
from tfminilm.export.manifest_parts import (
    Calibration,
    MultiLabelClassification,
    QuestionAnswering,
    SentenceEmbedding,
    TokenClassification,
)
from tfminilm.export.target import Target
from tfminilm.families.counts import vocabulary_size
from tfminilm.tasks.kinds import kind_of
from tfminilm.tasks.settings import Settings
from tfminilm.teachers.embedding import embedding_of

# What the manifest says of a kind of task alone, by the kind's name there.
_PARTS: dict[str, Any] = {
    "question_answering": QuestionAnswering,
    "token_classification": TokenClassification,
    "multi_label_classification": MultiLabelClassification,
}


def identity(
    model: keras.Model,
    target: Target,
    settings: Settings | None,
    description: str,
) -> Identity:
    """Return what the manifest says that does not depend on the files.

    Args:
        model: an encoder, or one with a head.
        target: what it is written for.
        settings: how it was fine-tuned; None for an encoder.
        description: a sentence for people.

    Raises:
        UserError: the target's lengths leave no room behind a question, or the
            model is no encoder, or one of a single segment, which the
            target's format has not.
    """
    backbone = getattr(model, "backbone", model)
    sizes = model_sizes(backbone)
    has_one = getattr(backbone, "num_segments", 2) < 2
    if has_one and not target.is_of_hub:
        raise UserError(
            f"cannot export a {type(backbone).__name__} with num_segments=1 "
            f"as {target.format}: expected 2 or more, as two texts are read as "
            "two segments there; or the format hugging_face, which may have one"
        )
    task, name = ENCODER, None
    labels = None
    parts: dict[str, Any] = {"question_answering": None}
    num_texts, score = 1, None
    if settings is None:
        embedding = embedding_of(backbone)
        parts["sentence_embedding"] = SentenceEmbedding(
            embedding.pooling, embedding.normalize, embedding.prompt or None
        )
    else:
        kind = kind_of(settings)
        task, name = kind.manifest_name, task_name(settings.task)
        labels = tuple(settings.labels) or None
        if part := kind.manifest_part(settings, target.lengths):
            parts[task] = _PARTS[task](**part)
        num_texts = 2 if kind.reads_pairs(settings.num_texts) else 1
        score = settings.score_activation or None
        parts["calibration"] = _calibration(settings)
    return Identity(
        tfminilm=importlib.metadata.version("tfminilm"),
        description=description,
        task=task,
        task_name=name,
        num_texts=num_texts,
        labels=labels,
        score_activation=score,
        target=target.name,
        precision=target.precision,
        layers=dict(target.layers),
        model=sizes,
        **parts,
    )


def _calibration(settings: Settings) -> Calibration | None:
    if settings.temperature is None and not settings.unsure_below:
        return None
    return Calibration(
        settings.temperature or 1.0, settings.unsure_below or None
    )


def model_sizes(backbone: keras.Model) -> ModelSizes:
    """Return the sizes of an encoder.

    Raises:
        UserError: it has others, as a BiLSTM.
    """
    names = ("num_layers", "num_heads", "hidden_dim")
    rows = vocabulary_size(backbone)
    if rows is None or not all(hasattr(backbone, name) for name in names):
        raise UserError(
            f"cannot export a {type(backbone).__name__}: expected a "
            f"{' or '.join(families.exportable())}"
        )
    sizes = {name: int(getattr(backbone, name)) for name in names}
    return ModelSizes(
        vocabulary_size=rows, **sizes, parameters=int(backbone.count_params())
    )


def signatures(interpreter: Interpreter) -> dict[str, Signature]:
    """Read what a LiteRT file itself says about its signatures.

    Args:
        interpreter: that `runner.open_interpreter` made of it.
    """

    def tensors(details: Mapping[str, Mapping[str, Any]]) -> dict[str, Tensor]:
        return {
            name: Tensor(
                dtype=detail["dtype"].__name__,
                shape=tuple(int(size) for size in detail["shape"]),
            )
            for name, detail in sorted(details.items())
        }

    signatures = {}
    for name in interpreter.get_signature_list():
        runner = interpreter.get_signature_runner(name)
        signatures[name] = Signature(
            length=signature_length(name) or 0,
            inputs=tensors(runner.get_input_details()),
            outputs=tensors(runner.get_output_details()),
        )
    return signatures


def checksums(folder: pathlib.Path) -> dict[str, File]:
    """Return size and SHA-256 of every file in a folder, by its path there."""
    return {
        path.relative_to(folder).as_posix(): File(
            bytes=path.stat().st_size, sha256=files.sha256(path)
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def task_name(task: str) -> str:
    """Return a task's name; of csv:FILE without the folders of the file."""
    prefix, colon, path = task.partition(":")
    return pathlib.Path(path).stem if colon else prefix
