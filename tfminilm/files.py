"""Files that are either whole or absent: written beside, then renamed.

What is written lies, until it is whole, in a folder of its own beside its
place: `.tmp-...` with a marker in it. Nothing without that marker is ever
removed, and nothing behind a link.
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
from typing import IO, Any

from tfminilm.errors import UserError

_TEMPORARY = ".tmp-"
_MARKER = "tfminilm-unfinished.json"
_MARK = '{"format": "tfminilm-unfinished"}\n'
# More than any text file that is read whole here has.
MOST_BYTES = 2**30
# Longer than any paragraph; what cuts texts would take minutes.
MOST_LINE = 10**7


def open_regular(path: str | os.PathLike, flags: int = os.O_RDONLY) -> int:
    """Opens a regular file: no device, and no pipe that would be waited for.

    Args:
        path: the file; to write, it must be no link either.
        flags: of `os.open`.

    Returns:
        What `os.open` does.

    Raises:
        UserError: it is something else.
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
    """The content of a regular file that is not too large.

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
    """`read_bytes` for text, in UTF-8.

    Raises:
        UserError: it is no regular file, or has more than `most` bytes.
        OSError: it cannot be read.
        UnicodeDecodeError: it is not UTF-8.
    """
    return read_bytes(path, most).decode("utf-8")


def lines_of(file: IO[bytes], path: str | os.PathLike) -> Iterator[bytes]:
    """The lines of an open file from where it is, with their line feeds.

    Args:
        file: the file.
        path: what the message calls it.

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
    """The error for a line or text of more than `MOST_LINE`."""
    return UserError(
        f"{name} is too long: expected up to {megabytes(MOST_LINE)}; cut it "
        "into shorter ones"
    )


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Writes `content` to `path`; a kill leaves the old file or the new one.

    Raises:
        UserError: the disk is full, the folder cannot be written, or `path`
            is a link, a folder or a device.
    """
    with new_file(path, len(content)) as beside:
        beside.write_bytes(content)


@contextlib.contextmanager
def new_file(path: str | os.PathLike, size: int = 0) -> Iterator[pathlib.Path]:
    """A file that appears at `path` whole, when the block ends, or never.

    Yields where to write: a file beside `path`. When the block ends it takes
    the place of `path`; when the block raises, it is removed.

    Args:
        path: the file to make.
        size: its bytes, if known, for the message where the disk is full.

    Raises:
        UserError: the disk is full, the folder cannot be written, or `path`
            is a link, a folder or a device.
    """
    path = pathlib.Path(path)
    with _writing(path, size) as own:
        if os.path.lexists(path) and not _is_regular(path):
            raise _no_regular_file(path)
        beside = own / "new"
        yield beside
        with open(beside, "rb") as file:
            os.fsync(file.fileno())
        os.chmod(beside, 0o644)
        os.replace(beside, path)


def write_text(path: str | os.PathLike, content: str) -> None:
    """`write_bytes` for text, in UTF-8."""
    write_bytes(path, content.encode())


def write_json(path: str | os.PathLike, content: Any) -> None:
    """`write_bytes` for JSON; NaN is refused, as JSON has none."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


@contextlib.contextmanager
def new_directory(
    path: str | os.PathLike,
    size: int = 0,
    replaces: Callable[[pathlib.Path], None] | None = None,
) -> Iterator[pathlib.Path]:
    """A folder that appears at `path` whole, when the block ends, or never.

    Yields a folder beside `path`. When the block ends it takes the place of
    `path`; when the block raises, it is removed and `path` stays as it was.

    Args:
        path: the folder to make.
        size: bytes that the block will write, if known. It is not begun if
            the disk has no room for them: HDF5, for one, cannot close a file
            on a full disk, and says so again and again.
        replaces: raises `UserError` unless what is at `path` may be removed;
            without it only an empty folder is replaced.

    Raises:
        UserError: the disk is full, the folder cannot be written, or
            something else is at `path`.
    """
    path = pathlib.Path(path)
    with _writing(path, size) as own:
        beside = own / "new"
        beside.mkdir()
        os.chmod(beside, 0o755)
        yield beside
        if os.path.lexists(path) and not _is_empty_folder(path):
            if replaces is None:
                raise UserError(
                    f"cannot write {path}: something else is there; move it "
                    "away and start again"
                )
            replaces(path)
            _exchange(beside, path, own / "old")
        else:
            beside.rename(path)


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
        lock = open_regular(path / ".lock", os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise UserError(cannot_write(path, error)) from error
    with open(lock):
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

    That is what has the marker of it, which nobody who lives holds.
    """
    for path in pathlib.Path(folder).glob(_TEMPORARY + "*"):
        if path.is_dir() and not path.is_symlink() and _is_left(path):
            shutil.rmtree(path, ignore_errors=True)


def remove(folder: pathlib.Path, names: Collection[str]) -> None:
    """Removes the files of these names in a folder, and it if it is empty.

    Links, folders, and whatever else is in it stay.
    """
    with contextlib.suppress(OSError):
        if folder.is_symlink():
            return
        for name in names:
            if _is_regular(folder / name):
                (folder / name).unlink()
        folder.rmdir()


def move_aside(path: pathlib.Path) -> None:
    """Gives another name to what is at `path`, if anything is.

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
    """Hexadecimal SHA-256 of a regular file's bytes."""
    with open(open_regular(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def code_digest(folder: str | os.PathLike) -> str:
    """The SHA-256 of all Python files in a folder, of their names as well."""
    digest = hashlib.sha256()
    for path in sorted(pathlib.Path(folder).rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def megabytes(size: float) -> str:
    """A number of bytes, for people."""
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size:,.0f} bytes"


@contextlib.contextmanager
def _writing(path: pathlib.Path, size: int) -> Iterator[pathlib.Path]:
    """A marked folder beside `path`, which goes when the block ends."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(path.parent).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        own = tempfile.mkdtemp(dir=path.parent, prefix=_TEMPORARY)
        try:
            with open(os.path.join(own, _MARKER), "w") as marker:
                # Held as long as this process lives.
                with contextlib.suppress(OSError):
                    fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
                marker.write(_MARK)
                marker.flush()
                yield pathlib.Path(own)
        finally:
            shutil.rmtree(own, ignore_errors=True)
    except OSError as error:
        raise UserError(cannot_write(path, error, size)) from error


def _is_left(folder: pathlib.Path) -> bool:
    """Tells whether a process that has ended made this folder to write in."""
    try:
        with open(open_regular(folder / _MARKER), "rb") as marker:
            if marker.read(len(_MARK) + 1) != _MARK.encode():
                return False
            fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except (OSError, UserError):
        return False


def _exchange(
    beside: pathlib.Path, path: pathlib.Path, old: pathlib.Path
) -> None:
    """Renames `path` to `old` and `beside` to `path`, or neither."""
    path.rename(old)
    try:
        beside.rename(path)
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
    """The sentence for what could not be written.

    Args:
        path: of what.
        error: why.
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
