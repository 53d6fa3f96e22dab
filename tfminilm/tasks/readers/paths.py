"""Find the file of a split, and read text files."""

import codecs
import os
import pathlib
from collections.abc import Iterator

from tfminilm import files
from tfminilm.data.corpus import UTF16
from tfminilm.errors import UserError
from tfminilm.tasks.task import Files, Task


def find(
    task: Task, split: str, data_dir: str | os.PathLike, language: str
) -> tuple[pathlib.Path, Files]:
    """Find the file (for IMDb the folder) of a split, and its layout.

    Args:
        language: as of `examples.read`; used by the tasks that have several.

    Raises:
        UserError: there is no such folder, or no file for the split in it, or
            several of which none is the one.
    """
    folder = pathlib.Path(data_dir).expanduser()
    if not folder.is_dir():
        state = "is a file" if folder.exists() else "does not exist"
        raise UserError(
            f"data folder {folder} {state}; expected the folder of "
            f"{task.name}'s original files"
        )
    context, _, question = language.partition("-")
    codes = {
        "language": language,
        "context": context,
        "question": question or context,
    }
    tried = []
    for layout in task.files:
        for pattern in layout.names.get(split, ()):
            pattern = pattern.format(**codes)
            matches = sorted(folder.glob(pattern))
            if len(matches) > 1:
                names = ", ".join(path.name for path in matches)
                raise UserError(
                    f"{folder} holds several files for {task.name}'s "
                    f"{split}: {names}; keep one in a folder of its own"
                )
            if matches:
                return matches[0], layout
            tried.append(pattern)
    raise UserError(
        f"{folder} holds no file for {task.name}'s {split}; expected "
        + " or ".join(tried)
    )


def text(path: pathlib.Path) -> str:
    """Read a whole file in UTF-8; keep line ends, drop a byte-order mark.

    Raises:
        UserError: it cannot be read, is no regular file, too large, empty,
            binary, or not UTF-8.
    """
    try:
        raw = files.read_bytes(path)
    except OSError as error:
        raise UserError(
            f"cannot read {path}: {error.strerror}; expected a text file in "
            "UTF-8"
        ) from error
    return decoded(raw, str(path))


def decoded(raw: bytes, name: str) -> str:
    """Return the text of a file's bytes in UTF-8, without a byte-order mark.

    Args:
        raw: all bytes.
        name: what the message calls the file.

    Raises:
        UserError: they are empty, binary, or not UTF-8.
    """
    if not raw.removeprefix(codecs.BOM_UTF8).strip():
        raise UserError(f"{name} is empty; copy it again")
    if raw.startswith(UTF16):
        raise UserError(f"{name} is UTF-16; convert it to UTF-8")
    if (zero := raw.find(0)) >= 0:
        raise UserError(
            f"{name} is a binary file (a zero byte at offset {zero}); "
            "expected text in UTF-8"
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The error counts bytes from behind a byte-order mark.
        start = error.start + len(raw) - len(error.object)
        line = raw.count(b"\n", 0, start) + 1
        raise UserError(
            f"{name} is not UTF-8 (byte 0x{raw[start]:02x} at offset {start}, "
            f"in line {line}); convert all of it to UTF-8"
        ) from error


def lines(path: pathlib.Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank, with their numbers from 1.

    Only line feeds end a line: the texts of GLUE may hold U+2028 and others
    that `str.splitlines` cuts at.

    Raises:
        UserError: as `text`; or a line is too long.
    """
    for number, line in enumerate(text(path).split("\n"), start=1):
        line = line.removesuffix("\r")
        require_short(line, f"{path}, line {number}")
        if line:
            yield number, line


def require_short(text: str, name: str) -> None:
    """Refuse a text of more than `files.MOST_LINE` characters.

    Raises:
        UserError: it has more; `name` is what the message calls it.
    """
    if len(text) > files.MOST_LINE:
        raise files.too_long(name)
