"""Files that are either whole or absent: written beside, then renamed."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

from tfminilm.errors import UserError

_TEMPORARY = ".tmp-"
_REPLACED = ".old-"


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Writes `content` to `path`; a kill leaves the old file or the new one.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    with new_file(path) as beside:
        beside.write_bytes(content)


@contextlib.contextmanager
def new_file(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """A file that appears at `path` whole, when the block ends, or never.

    Yields where to write: a file beside `path`. When the block ends it takes
    the place of `path`; when the block raises, it is removed.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    path = pathlib.Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=_TEMPORARY)
        os.close(handle)
        beside = pathlib.Path(name)
        try:
            yield beside
            with open(beside, "rb") as file:
                os.fsync(file.fileno())
            os.chmod(beside, 0o644)
            os.replace(beside, path)
        except BaseException:
            beside.unlink(missing_ok=True)
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
def new_directory(
    path: str | os.PathLike, size: int = 0
) -> Iterator[pathlib.Path]:
    """A folder that appears at `path` whole, when the block ends, or never.

    Yields a folder beside `path`. When the block ends it takes the place of
    `path`, of which an older version is removed; when the block raises, it
    is removed and `path` stays as it was.

    Args:
        path: the folder to make.
        size: bytes that the block will write, if known. It is not begun if
            the disk has no room for them: HDF5, for one, cannot close a file
            on a full disk, and says so again and again.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    path = pathlib.Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(path.parent).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        prefix = f"{_TEMPORARY}{path.name}-"
        beside = pathlib.Path(tempfile.mkdtemp(dir=path.parent, prefix=prefix))
        os.chmod(beside, 0o755)
        try:
            yield beside
            _replace_directory(beside, path)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        raise UserError(_cannot_write(path, error)) from error


@contextlib.contextmanager
def hold(path: str | os.PathLike, flag: str) -> Iterator[None]:
    """Makes a folder this process's alone; two would spoil each other's work.

    Args:
        path: the folder, made if it is not there.
        flag: the one that names it, for the message.

    Raises:
        UserError: another process holds it, or it cannot be written.
    """
    path = pathlib.Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = open(path / ".lock", "w")  # noqa: SIM115
    except OSError as error:
        raise UserError(_cannot_write(path, error)) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # Some network file systems have no locks: there, users take care.
            if error.errno in (errno.EAGAIN, errno.EACCES):
                raise UserError(
                    f"another process is running in {path}: wait for it, or "
                    f"use another {flag}"
                ) from error
        yield


def sweep(folder: str | os.PathLike) -> None:
    """Removes what killed processes left half-written in `folder`.

    Nobody else may be writing in it.
    """
    for name in (_TEMPORARY, _REPLACED):
        for path in pathlib.Path(folder).glob(name + "*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def sha256(path: str | os.PathLike) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def code_digest(folder: str | os.PathLike) -> str:
    """The SHA-256 of all Python files in a folder, of their names as well."""
    digest = hashlib.sha256()
    for path in sorted(pathlib.Path(folder).rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _replace_directory(beside: pathlib.Path, path: pathlib.Path) -> None:
    """Renames `beside` to `path`; a folder cannot be renamed over another."""
    if not path.exists():
        beside.rename(path)
        return
    old = pathlib.Path(tempfile.mkdtemp(dir=path.parent, prefix=_REPLACED))
    path.rename(old / path.name)
    beside.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def _cannot_write(path: pathlib.Path, error: OSError) -> str:
    return f"cannot write {path}: {error.strerror or error}"
