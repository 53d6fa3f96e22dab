"""A cache of packed text on disk, with names made from what it depends on.

An entry is a folder with one .npy file for each array, and `entry.json` with
the identity (what the entry depends on), the arrays' sizes and a few facts. It
is renamed into place when it is complete, so incomplete ones are never found.
"""

import hashlib
import json
import os
import pathlib
from typing import Any

import numpy as np

from tfminilm import files, json_files
from tfminilm.tokenizer import Exact, engine_digest, rules_of
from tfminilm.tokenizer.settings import config_of
from tfminilm.typing import Tokenizer

_ENTRY = "entry.json"
_SHAPE = {"identity": dict, "bytes": {str: int}, "facts": dict}


def load(
    cache_dir: str | os.PathLike, identity: dict[str, Any]
) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
    """Return the memory-mapped arrays and the facts of an entry, or None.

    An entry that differs from what was written counts as missing.
    """
    folder, identity = _entry(cache_dir, identity)
    entry = json_files.find(folder / _ENTRY, _SHAPE)
    if entry is None or entry["identity"] != identity:
        return None
    try:
        arrays = {}
        for name, size in entry["bytes"].items():
            path = folder / f"{name}.npy"
            if path.stat().st_size != size:
                return None
            arrays[name] = _mapped(path)
        return arrays, entry["facts"]
    except (OSError, ValueError):
        return None


def save(
    cache_dir: str | os.PathLike,
    identity: dict[str, Any],
    arrays: dict[str, np.ndarray],
    facts: dict[str, Any],
) -> None:
    """Write an entry, which replaces a damaged one.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    folder, identity = _entry(cache_dir, identity)
    entry = json_files.find(folder / _ENTRY, _SHAPE) or {"bytes": ()}
    names = [os.path.basename(f"{name}.npy") for name in entry["bytes"]]
    files.remove(folder, [*names, _ENTRY])
    files.move_aside(folder)  # Other files there are not deleted.
    size = sum(array.nbytes for array in arrays.values())
    with files.new_directory(folder, size) as temporary:
        sizes = {}
        for name, array in arrays.items():
            path = temporary / f"{name}.npy"
            with open(path, "wb") as file:
                np.save(file, array, allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
            sizes[name] = path.stat().st_size
        entry = {"identity": identity, "bytes": sizes, "facts": facts}
        files.write_json(temporary / _ENTRY, entry)


def tokenizer_identity(tokenizer: Tokenizer) -> dict[str, Any]:
    """Return what decides a tokenizer's output: class, settings, vocabulary."""
    settings = config_of(tokenizer)
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
    """Return the entry's folder, and its identity as JSON returns it.

    The long list of files becomes one hash, and the hash of this package's
    code is added, because other code may give other arrays.
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
    """Return the hash of this package's code."""
    return files.code_digest(pathlib.Path(__file__).parent)


def _mapped(path: pathlib.Path) -> np.ndarray:
    """Memory-map an array; an empty one, which cannot be mapped, is read."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:
        return np.load(path, allow_pickle=False)
