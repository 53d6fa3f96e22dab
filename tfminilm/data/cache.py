"""Packed text kept on disk, under a name that says what it was made from.

An entry is a folder: one .npy file an array, and `entry.json` with the whole
identity, the arrays' sizes and a few facts. It appears by a rename when all of
it is written, so a half-written one has no name to be found by.
"""

import hashlib
import json
import os
import pathlib
from typing import Any

import numpy as np

from tfminilm import files, json_files
from tfminilm.tokenizer import Exact, engine_digest, rules_of
from tfminilm.typing import Tokenizer

_ABOUT = "entry.json"
_SHAPE = {"identity": dict, "bytes": {str: int}, "facts": dict}


def load(
    cache_dir: str | os.PathLike, identity: dict[str, Any]
) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
    """The arrays, memory-mapped, and facts of an entry, or None.

    None also when anything about the entry is not as it was written.
    """
    folder, identity = _entry(cache_dir, identity)
    about = json_files.find(folder / _ABOUT, _SHAPE)
    if about is None or about["identity"] != identity:
        return None
    try:
        arrays = {}
        for name, size in about["bytes"].items():
            path = folder / f"{name}.npy"
            if path.stat().st_size != size:
                return None
            arrays[name] = _mapped(path)
        return arrays, about["facts"]
    except (OSError, ValueError):
        return None


def save(
    cache_dir: str | os.PathLike,
    identity: dict[str, Any],
    arrays: dict[str, np.ndarray],
    facts: dict[str, Any],
) -> None:
    """Writes an entry beside and renames it; a damaged one is replaced.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    folder, identity = _entry(cache_dir, identity)
    about = json_files.find(folder / _ABOUT, _SHAPE) or {"bytes": ()}
    names = [os.path.basename(f"{name}.npy") for name in about["bytes"]]
    files.remove(folder, [*names, _ABOUT])
    files.move_aside(folder)  # What else is there.
    size = sum(array.nbytes for array in arrays.values())
    with files.new_directory(folder, size) as beside:
        sizes = {}
        for name, array in arrays.items():
            path = beside / f"{name}.npy"
            with open(path, "wb") as file:
                np.save(file, array, allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
            sizes[name] = path.stat().st_size
        about = {"identity": identity, "bytes": sizes, "facts": facts}
        files.write_json(beside / _ABOUT, about)


def tokenizer_identity(tokenizer: Tokenizer) -> dict[str, Any]:
    """What decides a tokenizer's output: class, settings and vocabulary."""
    settings = tokenizer.get_config()
    for name in ("name", "trainable", "dtype", "config_file"):
        settings.pop(name, None)
    digest = hashlib.sha256()
    vocabulary = "\n".join(map(str, tokenizer.get_vocabulary()))
    for part in (
        vocabulary,
        getattr(tokenizer, "merges", None),
        getattr(tokenizer, "proto", None),
    ):
        digest.update(part if isinstance(part, bytes) else repr(part).encode())
    identity = {
        "class": type(tokenizer).__name__,
        "settings": repr(sorted(settings.items(), key=lambda item: item[0])),
        "vocabulary": digest.hexdigest(),
    }
    if isinstance(tokenizer, Exact):
        identity["rules"] = rules_of(tokenizer)
        identity["engine"] = engine_digest(tokenizer)
    return identity


def _entry(
    cache_dir: str | os.PathLike, identity: dict[str, Any]
) -> tuple[pathlib.Path, dict[str, Any]]:
    """The entry's folder, and its identity as JSON gives it back.

    Two things are folded in: the long list of files becomes one hash, and
    this package's own code counts, because other rules give other arrays.
    """
    source = json.dumps(identity["source"], sort_keys=True).encode()
    identity = {
        **identity,
        "source": hashlib.sha256(source).hexdigest(),
        "code": code_digest(),
    }
    text = json.dumps(identity, sort_keys=True)
    name = hashlib.sha256(text.encode()).hexdigest()[:32]
    return pathlib.Path(cache_dir) / f"text-{name}", json.loads(text)


def code_digest() -> str:
    """The hash of this package's code."""
    return files.code_digest(pathlib.Path(__file__).parent)


def _mapped(path: pathlib.Path) -> np.ndarray:
    """An array read as it is used; an empty one cannot be mapped."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:
        return np.load(path, allow_pickle=False)
