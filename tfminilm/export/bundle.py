"""Bundles: everything an app needs to run a model, in one folder."""

import importlib.metadata
import json
import os
import pathlib
import tempfile
from collections.abc import Sequence
from typing import Any

import keras

from tfminilm import files
from tfminilm.errors import UserError
from tfminilm.export import litert, parity, ranges
from tfminilm.export.runner import open_interpreter
from tfminilm.export.target import Target

FORMAT = "tfminilm-bundle"
FORMAT_VERSION = 1

# What parity is checked on when no sentences are given: short and long,
# questions, numbers, accents, code, and one longer than any small signature.
SENTENCES = (
    "No.",
    "The quick brown fox jumps over the lazy dog.",
    "Where can I buy a ticket to the museum of modern art?",
    "The café's résumé of 1,024 naïve users arrived at 7:45 p.m.",
    "def mean(values): return sum(values) / len(values)",
    "A very good film, although the ending is hard to believe.",
    "Distillation moves what a large model knows into a small one, layer by "
    "layer, so that a telephone can run it without asking a server.",
    "When the river had risen above the second step, the keeper of the "
    "bridge closed the gate, lit both lamps, and walked up the hill to the "
    "village, where the bells were ringing already; nobody had slept, and "
    "the children stood at the windows and counted the carts which came "
    "down the road from the mill, loaded with flour, blankets and hens. By "
    "morning the water had gone down again, the fields were grey with mud, "
    "and the old man said, as he said every year, that it had been worse in "
    "his father's time, that people had no patience any more, and that "
    "somebody should look after the gate, because he would not do it again.",
)


def export_bundle(
    backbone: keras.Model,
    tokenizer: Any,
    target: Target,
    output_dir: str | os.PathLike,
    sentences: Sequence[str] = SENTENCES,
) -> dict[str, Any]:
    """Writes `model.tflite`, `vocab.txt` and `manifest.json`.

    Args:
        backbone: an encoder, as `mobile_graph.MobileGraph` takes it.
        tokenizer: its KerasHub WordPiece tokenizer.
        target: precision, lengths and tolerance.
        output_dir: a new folder, an empty one, or an older bundle, which is
            replaced.
        sentences: what parity with Keras is checked on.

    Returns:
        The manifest, as in the file.

    Raises:
        UserError: the model is of an unknown family or has no positions for
            a length, the tokenizer is not its own, the folder holds something
            else, activations leave the range of float16 where the target asks
            for it, or the file's outputs are not within the target's
            tolerance of Keras'. Nothing is written then.
    """
    output_dir = pathlib.Path(output_dir)
    _require_replaceable(output_dir)
    vocabulary = _vocabulary(tokenizer, backbone)
    model = litert.convert(backbone, target.precision, target.lengths)
    # After it, as what it refuses, such as a length, would be an error here.
    if target.precision == "float16":
        batch = parity.batch(tokenizer, sentences, max(target.lengths))
        ranges.require_range(backbone, [batch], target.precision)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.tflite")
        files.write_bytes(path, model)
        found = parity.differences(path, backbone, tokenizer, sentences)
        parity.require(found, target)
        signatures = _signatures(path)
    manifest = _identity(backbone, tokenizer, target) | {
        "signatures": signatures,
        "parity": {
            "sentences": len(sentences),
            "max_difference_allowed": target.max_difference,
            "min_cosine_allowed": target.min_cosine,
            "outputs": parity.summary(found),
        },
    }
    with files.new_directory(output_dir) as folder:
        files.write_bytes(folder / "model.tflite", model)
        files.write_text(folder / "vocab.txt", "\n".join(vocabulary) + "\n")
        manifest["files"] = {
            path.name: {
                "bytes": path.stat().st_size,
                "sha256": files.sha256(path),
            }
            for path in sorted(folder.iterdir())
        }
        files.write_json(folder / "manifest.json", manifest)
    return manifest


def read_manifest(bundle: str | os.PathLike) -> dict[str, Any]:
    """The manifest of a bundle.

    Raises:
        UserError: the folder is no bundle, or one of another format version.
    """
    path = pathlib.Path(bundle, "manifest.json")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        named, version = manifest["format"], manifest["format_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{bundle} is no bundle: expected a manifest.json written by "
            "`tfminilm export`"
        ) from error
    if (named, version) != (FORMAT, FORMAT_VERSION):
        raise UserError(
            f"{bundle} has format {named} {version}, expected {FORMAT} "
            f"{FORMAT_VERSION}; export the model again"
        )
    return manifest


def _require_replaceable(output_dir: pathlib.Path) -> None:
    """Refuses to replace anything but a bundle or an empty folder."""
    if not output_dir.exists():
        return
    if output_dir.is_dir():
        if not any(output_dir.iterdir()):
            return
        manifest = output_dir / "manifest.json"
        if manifest.is_file() and FORMAT in manifest.read_text("utf-8"):
            return
    raise UserError(
        f"{output_dir} exists and is no bundle, so it is not replaced: "
        "expected a new folder, an empty one or an older bundle"
    )


def _vocabulary(tokenizer: Any, backbone: Any) -> list[str]:
    """The tokenizer's words in the order of their ids."""
    if not hasattr(tokenizer, "get_vocabulary") or not hasattr(
        tokenizer, "suffix_indicator"
    ):
        raise UserError(
            f"cannot export a {type(tokenizer).__name__}: expected a WordPiece "
            "tokenizer, such as keras_hub.models.BertTokenizer"
        )
    words = list(tokenizer.get_vocabulary())
    if len(words) > backbone.vocabulary_size:
        raise UserError(
            f"the tokenizer has {len(words)} words and the model "
            f"{backbone.vocabulary_size} rows: expected the model's own "
            "tokenizer"
        )
    return words


def _identity(backbone: Any, tokenizer: Any, target: Target) -> dict[str, Any]:
    """What the manifest says that does not depend on the file."""
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "tfminilm": importlib.metadata.version("tfminilm"),
        "task": "encoder",
        "labels": None,
        "target": target.name,
        "precision": target.precision,
        "model": _shape(backbone),
        "tokenizer": _tokenizer_settings(tokenizer),
    }


def _tokenizer_settings(tokenizer: Any) -> dict[str, Any]:
    named = ("cls", "sep", "pad", "mask")
    ids = {name: getattr(tokenizer, f"{name}_token_id") for name in named}
    ids["unk"] = tokenizer.token_to_id(tokenizer.oov_token)
    return {
        "kind": "wordpiece",
        "vocabulary": "vocab.txt",
        "lowercase": bool(tokenizer.lowercase),
        "strip_accents": bool(tokenizer.strip_accents),
        "suffix_indicator": tokenizer.suffix_indicator,
        "special_ids": {name: int(value) for name, value in ids.items()},
    }


def _shape(backbone: Any) -> dict[str, int]:
    names = ("vocabulary_size", "num_layers", "num_heads", "hidden_dim")
    shape = {name: int(getattr(backbone, name)) for name in names}
    return {**shape, "parameters": int(backbone.count_params())}


def _signatures(path: pathlib.Path) -> dict[str, Any]:
    """What the file itself says about its signatures."""
    interpreter = open_interpreter(path)

    def tensors(details: dict[str, Any]) -> dict[str, Any]:
        return {
            name: {
                "dtype": detail["dtype"].__name__,
                "shape": [int(size) for size in detail["shape"]],
            }
            for name, detail in sorted(details.items())
        }

    signatures = {}
    for name in interpreter.get_signature_list():
        runner = interpreter.get_signature_runner(name)
        signatures[name] = {
            "length": litert.signature_length(name),
            "inputs": tensors(runner.get_input_details()),
            "outputs": tensors(runner.get_output_details()),
        }
    return signatures
