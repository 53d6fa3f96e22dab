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
from tfminilm.tasks.kinds import kind_of
from tfminilm.tasks.settings import Settings

FORMAT = "tfminilm-bundle"
FORMAT_VERSION = 2
ENCODER = "encoder"  # The task of a model without a head.


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
    kind, name = ENCODER, None
    labels = answers = None
    num_texts = 1
    if settings is not None:
        task_kind = kind_of(settings)
        kind, name = task_kind.manifest_name, task_name(settings.task)
        labels = list(settings.labels) or None
        answers = task_kind.manifest_part(settings, target.lengths)
        num_texts = 2 if task_kind.reads_pairs(settings.num_texts) else 1
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
