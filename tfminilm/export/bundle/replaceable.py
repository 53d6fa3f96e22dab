"""Decide which folders an export may replace: older exports alone."""

import os
import pathlib
import re
from collections.abc import Iterator
from typing import Any

from tfminilm import files, json_files
from tfminilm.errors import UserError
from tfminilm.export.manifest import MANIFEST
from tfminilm.export.target import OF_HUB, TEXT_TASKS

_SHAPE = {
    "format": str,
    "files": {str: {"bytes": int, "sha256": str}},
}
_OF_HUB = (
    r"(config|tfminilm)\.json|model\.safetensors|README\.md"
    r"|onnx/model(_quantized)?\.onnx"
    r"|vocab\.(txt|json)|merges\.txt|(sentencepiece(\.bpe)?|spiece)\.model"
    r"|(1_Pooling|2_Normalize)/config\.json"
    r"|(modules|sentence_bert_config|config_sentence_transformers)\.json"
    r"|(tokenizer|tokenizer_config|special_tokens_map|added_tokens)\.json"
)
# The files that are written for each format, beside the manifest.
_WRITTEN = {
    "tfminilm-bundle": (
        r"model\.tflite|vocab\.txt|sentencepiece\.model|README\.md"
    ),
    "tfminilm-onnx": (
        r"model\.onnx|vocab\.txt|sentencepiece\.model"
        r"|(tfminilm|embedding)\.json"
    ),
    "tfminilm-saved_model": (
        r"vocab\.txt|sentencepiece\.model|(tfminilm|embedding)\.json"
        r"|saved_model/(1/)?(saved_model|fingerprint)\.pb"
        r"|saved_model/(1/)?variables/variables\.(index|data-\d{5}-of-\d{5})"
    ),
}
_WRITTEN |= dict.fromkeys(
    (f"tfminilm-{name}" for name in TEXT_TASKS),
    r"model\.tflite|(vocab|labels)\.txt",
)
_WRITTEN |= dict.fromkeys((f"tfminilm-{name}" for name in OF_HUB), _OF_HUB)
# TensorFlow makes it, mostly for nothing.
_MAY_BE_EMPTY = ("saved_model/assets", "saved_model/1/assets")


def require_replaceable(output_dir: pathlib.Path) -> None:
    """Refuse to replace anything but an older export, or an empty folder.

    An export is what its manifest lists, by name, size and checksum, and its
    writer would have written. One that was changed since is refused.

    Raises:
        UserError: it names what else is there.
    """
    if not os.path.lexists(output_dir):
        return
    fault = _fault(output_dir)
    if fault:
        raise UserError(
            f"{output_dir} exists and {fault}, so it is not replaced: expected "
            "a new folder, an empty one or an older bundle as it was written; "
            "give another --output, or move this away"
        )


def _fault(folder: pathlib.Path) -> str:
    """Name what is in the folder that no export wrote; empty if nothing."""
    if not folder.is_dir():
        return "is no folder"
    if folder.is_symlink():
        return "is a link"
    manifest = json_files.find(folder / MANIFEST, _SHAPE)
    for name, path in _inside(folder, folder):
        if path.is_symlink():
            return f"holds the link {name}"
        if path.is_dir():
            if not any(path.iterdir()) and name not in _MAY_BE_EMPTY:
                return f"holds the empty folder {name}"
        elif not _is_known(name, manifest):
            return f"holds {name}"
        elif manifest and not _is_whole(path, manifest["files"].get(name)):
            return f"holds {name}, not as it was written"
    return ""


def _inside(
    folder: pathlib.Path, top: pathlib.Path
) -> Iterator[tuple[str, pathlib.Path]]:
    """Yield all in a folder with its path from `top`; follow no links."""
    for path in sorted(folder.iterdir()):
        yield path.relative_to(top).as_posix(), path
        if path.is_dir() and not path.is_symlink():
            yield from _inside(path, top)


def _is_known(name: str, manifest: dict[str, Any] | None) -> bool:
    """Tell whether an export with this manifest wrote this file."""
    if manifest is None or manifest["format"] not in _WRITTEN:
        return False
    is_listed = name == MANIFEST or name in manifest["files"]
    names = rf"{_WRITTEN[manifest['format']]}|{re.escape(MANIFEST)}"
    return is_listed and re.fullmatch(names, name) is not None


def _is_whole(path: pathlib.Path, file: dict[str, Any] | None) -> bool:
    """Tell whether a file has the manifest's size and checksum, if any."""
    if file is None:
        return True
    try:
        size = path.stat().st_size
        return size == file["bytes"] and files.sha256(path) == file["sha256"]
    except (OSError, UserError):
        return False
