"""Files that are either complete or absent: written elsewhere, then renamed.

A file is first written into a temporary folder `.tmp-...` beside its final
place, which holds a marker file. Only folders with that marker are ever
removed, and links are never followed.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import stat
import tempfile
from collections.abc import Callable, Collection, Iterator
from typing import IO

from tfminilm.errors import UserError
from tfminilm.typing import Json

_TEMPORARY = ".tmp-"
_MARKER = "tfminilm-unfinished.json"
_MARK = '{"format": "tfminilm-unfinished"}\n'
# A limit for files that are read whole into memory.
MOST_BYTES = 2**30
# Longer than any paragraph; a tokenizer would take minutes for more.
MOST_LINE = 10**7


def open_regular(path: str | os.PathLike, flags: int = os.O_RDONLY) -> int:
    """Open a regular file, and refuse devices and pipes without waiting.

    Args:
        path: the file; if it is opened to write, links are refused too.
        flags: the flags of `os.open`.

    Returns:
        A file descriptor, as `os.open` returns it.

    Raises:
        UserError: it is no regular file.
        OSError: it cannot be opened.
    """
    if flags & (os.O_WRONLY | os.O_RDWR):
        flags |= os.O_NOFOLLOW
    try:
        handle = os.open(
            path, flags | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY, 0o644
        )
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise _no_regular_file(path) from error
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise _no_regular_file(path)
    return handle


def read_bytes(path: str | os.PathLike, most: int = MOST_BYTES) -> bytes:
    """Return the content of a regular file that is not too large.

    Raises:
        UserError: it is no regular file, or has more than `most` bytes.
        OSError: it cannot be read.
    """
    with open(open_regular(path), "rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise UserError(
            f"{path} is too large: expected up to {megabytes(most)}"
        )
    return content


def read_text(path: str | os.PathLike, most: int = MOST_BYTES) -> str:
    """Return the content of a text file in UTF-8, as `read_bytes` does.

    Raises:
        UserError: it is no regular file, or has more than `most` bytes.
        OSError: it cannot be read.
        UnicodeDecodeError: it is not UTF-8.
    """
    return read_bytes(path, most).decode("utf-8")


def lines_of(file: IO[bytes], path: str | os.PathLike) -> Iterator[bytes]:
    """Yield the next lines of an open file, with their line feeds.

    Args:
        file: the file.
        path: its name in the message.

    Raises:
        UserError: a line has more than `MOST_LINE` bytes.
    """
    number = 0
    while line := file.readline(MOST_LINE + 1):
        number += 1
        if len(line) > MOST_LINE:
            raise too_long(f"{path}, line {number}")
        yield line


def too_long(name: str) -> UserError:
    """Return the error for a line or text of more than `MOST_LINE`."""
    return UserError(
        f"{name} is too long: expected up to {megabytes(MOST_LINE)}; cut it "
        "into shorter ones"
    )


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Write `content` to `path`; a kill leaves the old file or the new one.

    Raises:
        UserError: the disk is full, the folder cannot be written, or `path`
            is a link, a folder or a device.
    """
    with new_file(path, len(content)) as temporary:
        temporary.write_bytes(content)


@contextlib.contextmanager
def new_file(path: str | os.PathLike, size: int = 0) -> Iterator[pathlib.Path]:
    """Make a file that appears at `path` complete, or not at all.

    Yields the path of a temporary file. When the block ends, the file is moved
    to `path`; when the block raises, it is removed.

    Args:
        path: the file to make.
        size: its bytes, if known, for the message if the disk is full.

    Raises:
        UserError: the disk is full, the folder cannot be written, or `path`
            is a link, a folder or a device.
    """
    path = pathlib.Path(path)
    with _writing(path, size) as folder:
        if os.path.lexists(path) and not _is_regular(path):
            raise _no_regular_file(path)
        temporary = folder / "new"
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)


def write_text(path: str | os.PathLike, content: str) -> None:
    """Write text in UTF-8, as `write_bytes` does.

    Raises:
        UserError: it has half of a surrogate pair, as arguments of a command
            have where their bytes are no UTF-8; or `write_bytes` raises it.
    """
    try:
        encoded = content.encode()
    except UnicodeEncodeError as error:
        part = content[max(error.start - 10, 0) : error.end + 10]
        raise UserError(
            f"cannot write {part!a} into {os.fspath(path)!r}: a part of "
            "it is no character; expected text in UTF-8"
        ) from error
    write_bytes(path, encoded)


def write_json(path: str | os.PathLike, content: Json) -> None:
    """Write JSON, as `write_bytes` does; NaN is refused, as JSON has none."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


@contextlib.contextmanager
def new_directory(
    path: str | os.PathLike,
    size: int = 0,
    replaces: Callable[[pathlib.Path], None] | None = None,
) -> Iterator[pathlib.Path]:
    """Make a folder that appears at `path` complete, or not at all.

    Yields a temporary folder. When the block ends, it replaces `path`; when
    the block raises, it is removed and `path` stays unchanged.

    Args:
        path: the folder to make.
        size: bytes that the block will write, if known. If the disk has no
            room for them, the block does not run.
        replaces: raises `UserError` unless the existing folder at `path` may
            be removed; without it only an empty folder is replaced.

    Raises:
        UserError: the disk is full, the folder cannot be written, or
            something else is at `path`.
    """
    path = pathlib.Path(path)
    with _writing(path, size) as folder:
        temporary = folder / "new"
        temporary.mkdir()
        os.chmod(temporary, 0o755)
        yield temporary
        if os.path.lexists(path) and not _is_empty_folder(path):
            if replaces is None:
                raise UserError(
                    f"cannot write {path}: something else is there; move it "
                    "away and start again"
                )
            replaces(path)
            _exchange(temporary, path, folder / "old")
        else:
            temporary.rename(path)


@contextlib.contextmanager
def lock(path: str | os.PathLike, flag: str) -> Iterator[None]:
    """Lock a folder, so that no other process writes there at the same time.

    Args:
        path: the folder; it is made if it is missing.
        flag: the command line flag that names it, for the message.

    Raises:
        UserError: another process has locked it, or it cannot be written.
    """
    path = pathlib.Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        descriptor = open_regular(path / ".lock", os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise UserError(cannot_write(path, error)) from error
    with open(descriptor):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # No error on file systems without locks, such as some network ones.
            if error.errno in (errno.EAGAIN, errno.EACCES):
                raise UserError(
                    f"another process is running in {path}: wait for it, or "
                    f"use another {flag}"
                ) from error
        yield


def sweep(folder: str | os.PathLike) -> None:
    """Remove incomplete files that killed processes left in `folder`.

    Their folders have a marker which no living process has locked.
    """
    for path in pathlib.Path(folder).glob(_TEMPORARY + "*"):
        if path.is_dir() and not path.is_symlink() and _is_abandoned(path):
            shutil.rmtree(path, ignore_errors=True)


def remove(folder: pathlib.Path, names: Collection[str]) -> None:
    """Remove the files of these names in a folder, and the folder if empty.

    Links, folders and all other files stay.
    """
    with contextlib.suppress(OSError):
        if folder.is_symlink():
            return
        for name in names:
            if _is_regular(folder / name):
                (folder / name).unlink()
        folder.rmdir()


def move_aside(path: pathlib.Path) -> None:
    """Give another name to the file or folder at `path`, if there is one.

    Raises:
        UserError: the folder cannot be written.
    """
    if not os.path.lexists(path):
        return
    try:
        aside = tempfile.mkdtemp(dir=path.parent, prefix=f"{path.name}.kept-")
        path.rename(pathlib.Path(aside) / path.name)
    except OSError as error:
        raise UserError(cannot_write(path, error)) from error


def sha256(path: str | os.PathLike) -> str:
    """Return the hexadecimal SHA-256 of a regular file's bytes."""
    with open(open_regular(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def code_digest(folder: str | os.PathLike) -> str:
    """Return the SHA-256 of a folder's Python files and their names."""
    digest = hashlib.sha256()
    for path in sorted(pathlib.Path(folder).rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def megabytes(size: float) -> str:
    """Return a number of bytes in a form for people."""
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size:,.0f} bytes"


@contextlib.contextmanager
def _writing(path: pathlib.Path, size: int) -> Iterator[pathlib.Path]:
    """Make a marked folder beside `path`, which is removed at the end."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(path.parent).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        folder = tempfile.mkdtemp(dir=path.parent, prefix=_TEMPORARY)
        try:
            with open(os.path.join(folder, _MARKER), "w") as marker:
                # The lock lasts as long as this process lives.
                with contextlib.suppress(OSError):
                    fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
                marker.write(_MARK)
                marker.flush()
                yield pathlib.Path(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise UserError(cannot_write(path, error, size)) from error


def _is_abandoned(folder: pathlib.Path) -> bool:
    """Return whether a process that has ended left this folder."""
    try:
        with open(open_regular(folder / _MARKER), "rb") as marker:
            if marker.read(len(_MARK) + 1) != _MARK.encode():
                return False
            fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except (OSError, UserError):
        return False


def _exchange(new: pathlib.Path, path: pathlib.Path, old: pathlib.Path) -> None:
    """Rename `path` to `old` and `new` to `path`, or do neither."""
    path.rename(old)
    try:
        new.rename(path)
    except OSError:
        old.rename(path)
        raise


def _is_regular(path: pathlib.Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _is_empty_folder(path: pathlib.Path) -> bool:
    return path.is_dir() and not path.is_symlink() and not any(path.iterdir())


def _no_regular_file(path: str | os.PathLike) -> UserError:
    return UserError(
        f"{path} is no regular file: expected neither a folder, a link, a "
        "pipe nor a device; give another path, or move it away"
    )


def cannot_write(path: pathlib.Path, error: OSError, size: int = 0) -> str:
    """Return the message for a file that could not be written.

    Args:
        path: the file or folder.
        error: the reason.
        size: bytes that it would have had, if known.
    """
    text = f"cannot write {path}: {error.strerror or error}"
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return f"{text}; give another path, or the right to write there"
    with contextlib.suppress(OSError):
        place = next(p for p in path.parents if p.exists())
        free = megabytes(shutil.disk_usage(place).free)
        need = f"{megabytes(size)} needed, " if size else ""
        text += f" ({need}{free} free)"
    return f"{text}; make room and start the same command again"
