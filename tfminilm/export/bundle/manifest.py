"""What a bundle says of itself: the content of its `manifest.json`.

`manifest.schema.json` beside this file is its JSON schema.
"""

import importlib.metadata
import pathlib
from typing import Any

import keras

from tfminilm import families, files
from tfminilm.errors import UserError
from tfminilm.export.litert.convert import signature_length
from tfminilm.export.target import Target
from tfminilm.tasks import windows
from tfminilm.tasks.evaluate import Settings

FORMAT = "tfminilm-bundle"
FORMAT_VERSION = 2

# Between two texts and at their ends, at most.
_SPECIAL_TOKENS = 4


def identity(
    model: keras.Model,
    target: Target,
    settings: Settings | None,
    description: str,
) -> dict[str, Any]:
    """What the manifest says that does not depend on the files.

    Args:
        model: an encoder, or one with a head.
        target: what it is written for.
        settings: how it was fine-tuned; None for an encoder.
        description: a sentence for people.

    Raises:
        UserError: the target's lengths leave no room behind a question, or the
            model is no encoder.
    """
    kind, name = "encoder", None
    labels = answers = None
    num_texts = 1
    if settings is not None:
        num_texts = settings.num_texts
        kind, name = settings.kind, task_name(settings.task)
        labels = list(settings.labels) or None
    if settings is not None and kind == "qa":
        kind, answers = "question_answering", _answering(target, settings)
        num_texts = 2
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "tfminilm": importlib.metadata.version("tfminilm"),
        "description": description,
        "task": kind,
        "task_name": name,
        "num_texts": num_texts,
        "labels": labels,
        "question_answering": answers,
        "target": target.name,
        "precision": target.precision,
        "layers": dict(target.layers),
        "model": shape(getattr(model, "backbone", model)),
    }


def shape(backbone: Any) -> dict[str, int]:
    """The sizes of an encoder.

    Raises:
        UserError: it has others, as a BiLSTM or an ELECTRA, or a single
            segment.
    """
    names = ("vocabulary_size", "num_layers", "num_heads", "hidden_dim")
    if not all(hasattr(backbone, name) for name in names):
        raise UserError(
            f"cannot export a {type(backbone).__name__}: expected a "
            f"{' or '.join(families.exportable())}"
        )
    if getattr(backbone, "num_segments", 2) < 2:
        raise UserError(
            f"cannot export a {type(backbone).__name__} with num_segments=1: "
            "expected 2 or more, as two texts are read as two segments"
        )
    sizes = {name: int(getattr(backbone, name)) for name in names}
    return {**sizes, "parameters": int(backbone.count_params())}


def signatures(interpreter: Any) -> dict[str, Any]:
    """Reads what a LiteRT file itself says about its signatures.

    Args:
        interpreter: that `runner.open_interpreter` made of it.
    """

    def tensors(details: dict[str, Any]) -> dict[str, Any]:
        return {
            name: {
                "dtype": detail["dtype"].__name__,
                "shape": [int(size) for size in detail["shape"]],
            }
            for name, detail in sorted(details.items())
        }

    found = {}
    for name in interpreter.get_signature_list():
        runner = interpreter.get_signature_runner(name)
        found[name] = {
            "length": signature_length(name),
            "inputs": tensors(runner.get_input_details()),
            "outputs": tensors(runner.get_output_details()),
        }
    return found


def checksums(folder: pathlib.Path) -> dict[str, Any]:
    """Size and SHA-256 of every file in a folder, by its path in there."""
    return {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": files.sha256(path),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def task_name(task: str) -> str:
    """Of csv:FILE the file's name: where it lay is nobody's business."""
    prefix, colon, path = task.partition(":")
    return pathlib.Path(path).stem if colon else prefix


def _answering(target: Target, settings: Settings) -> dict[str, Any]:
    """How questions are read and answered.

    A window shares half of its text with the next one at least, so that no
    answer is seen at an edge alone.
    """
    longest = max(target.lengths)
    room = longest - windows.MAX_QUESTION_TOKENS - _SPECIAL_TOKENS
    if room < 2:
        raise UserError(
            f"target: lengths is {target.lengths!r}, expected one of "
            f"{longest - room + 2} or more for {settings.task}: a question "
            f"takes up to {windows.MAX_QUESTION_TOKENS} tokens"
        )
    return {
        "document_stride": min(settings.doc_stride, room // 2),
        "max_question_tokens": windows.MAX_QUESTION_TOKENS,
        "max_answer_tokens": windows.MAX_ANSWER_TOKENS,
        "null_threshold": settings.null_threshold,
    }
