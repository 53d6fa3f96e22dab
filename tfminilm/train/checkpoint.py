"""Checkpoints: the whole state of a run, whole or not at all."""

import hashlib
import json
import pathlib
import shutil
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import safetensors.numpy

from tfminilm import files
from tfminilm.errors import UserError

_KEEP = 2
_TENSORS = "state.safetensors"
_META = "meta.json"


def save(
    folder: pathlib.Path,
    step: int,
    variables: Sequence[keras.Variable],
    facts: dict[str, Any],
) -> None:
    """Writes the checkpoint of `step` and keeps the newest two.

    Those of later steps go: they were damaged, or the run would not be at
    `step` again.

    Args:
        folder: where a run's checkpoints lie.
        step: steps done.
        variables: what to save, always in the same order.
        facts: small JSON values that come back from `restore`.

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """
    tensors = {
        _key(index, variable): np.asarray(
            keras.ops.convert_to_numpy(variable.value)
        )
        for index, variable in enumerate(variables)
    }
    # Written by `files`: safetensors' own errors do not say that it is the
    # disk that is full.
    content = safetensors.numpy.save(tensors)
    path = folder / f"step-{step:09d}"
    with files.new_directory(path) as beside:
        files.write_bytes(beside / _TENSORS, content)
        digest = hashlib.sha256(content).hexdigest()
        meta = {"step": step, "sha256": digest, "facts": facts}
        files.write_json(beside / _META, meta)
    newest = _newest_first(folder)
    place = newest.index(path)
    for other in newest[:place] + newest[place + _KEEP :]:
        shutil.rmtree(other, ignore_errors=True)


def restore(
    folder: pathlib.Path,
    variables: Sequence[keras.Variable],
    say: Callable[[str], None] = lambda line: None,
) -> tuple[int, dict[str, Any]] | None:
    """Reads the newest whole checkpoint into `variables`.

    A damaged one is passed over for the one before it, and `say` is told.

    Returns:
        The steps done and the facts saved with them, or `None` if there is
        no whole checkpoint.

    Raises:
        UserError: the checkpoint belongs to a model of another shape.
    """
    for path in _newest_first(folder):
        meta = _read_meta(path)
        if meta is None:
            say(f"{path} is damaged and passed over")
            continue
        tensors = safetensors.numpy.load_file(path / _TENSORS)
        keys = [_key(i, variable) for i, variable in enumerate(variables)]
        if sorted(keys) != sorted(tensors):
            raise UserError(
                f"{path} holds the state of another model or optimizer; "
                "use a new --workdir"
            )
        for key, variable in zip(keys, variables, strict=True):
            variable.assign(tensors[key])
        return meta["step"], meta["facts"]
    return None


def _read_meta(path: pathlib.Path) -> dict[str, Any] | None:
    """The checkpoint's description, or `None` if it is damaged."""
    try:
        meta = json.loads((path / _META).read_text(encoding="utf-8"))
        whole = (
            isinstance(meta["step"], int)
            and isinstance(meta["facts"], dict)
            and files.sha256(path / _TENSORS) == meta["sha256"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return meta if whole else None


def _newest_first(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(folder.glob("step-*"), reverse=True)


def _key(index: int, variable: keras.Variable) -> str:
    return f"{index:04d}:{tuple(variable.shape)}"
