"""Files that are either whole or absent: written beside, then renamed."""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

from tfminilm.errors import UserError


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Writes `content` to `path`; a kill leaves the old file or the new one.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    path = pathlib.Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=".tmp-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(beside, 0o644)
            os.replace(beside, path)
        except BaseException:
            pathlib.Path(beside).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UserError(_cannot_write(path, error)) from error


def write_text(path: str | os.PathLike, content: str) -> None:
    """`write_bytes` for text, in UTF-8."""
    write_bytes(path, content.encode())


def write_json(path: str | os.PathLike, content: Any) -> None:
    """`write_bytes` for JSON; NaN is refused, as JSON has none."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


@contextlib.contextmanager
def new_directory(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """A folder that appears at `path` whole, when the block ends, or never.

    Yields a folder beside `path`. When the block ends it takes the place of
    `path`, of which an older version is removed; when the block raises, it
    is removed and `path` stays as it was.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    path = pathlib.Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = pathlib.Path(
            tempfile.mkdtemp(dir=path.parent, prefix=f".tmp-{path.name}-")
        )
        os.chmod(beside, 0o755)
        try:
            yield beside
            _replace_directory(beside, path)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        raise UserError(_cannot_write(path, error)) from error


def sha256(path: str | os.PathLike) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _replace_directory(beside: pathlib.Path, path: pathlib.Path) -> None:
    """Renames `beside` to `path`; a folder cannot be renamed over another."""
    if not path.exists():
        beside.rename(path)
        return
    old = pathlib.Path(tempfile.mkdtemp(dir=path.parent, prefix=".old-"))
    path.rename(old / path.name)
    beside.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def _cannot_write(path: pathlib.Path, error: OSError) -> str:
    return f"cannot write {path}: {error.strerror or error}"
