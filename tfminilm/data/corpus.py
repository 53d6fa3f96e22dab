"""Where text comes from: documents, each a list of its sentences."""

import hashlib
import itertools
import os
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

from tfminilm.data import python_docs, tfds_text
from tfminilm.data.sentences import split_sentences
from tfminilm.errors import UserError

_ABOUT_THE_FOLDER = "SOURCE.txt"


def documents(source: str | os.PathLike) -> Iterator[list[str]]:
    """Reads a source of text, one document at a time, in a fixed order.

    Args:
        source: "docs" (the prose of this machine's Python documentation), a
            folder of *.txt files in UTF-8 (also in its subfolders; one
            paragraph a line, a blank line between documents; `SOURCE.txt` is
            a note about the folder and is not read), or
            "tfds:NAME[/config][:split][:text_key]". Several of them with
            commas between are read in turns, a document of each.

    Returns:
        An iterator of documents, each a list of its sentences. No document
        comes twice.

    Raises:
        UserError: there is no such source, or it cannot be read as text. A
            file's own fault is raised when the iterator gets there.
    """
    return _distinct(_in_turns([_read(part) for part in _parts(source)]))


def identity(source: str | os.PathLike) -> dict[str, Any]:
    """What tells one state of a source from another, as JSON-able values.

    Raises:
        UserError: as `documents`.
    """
    parts = _parts(source)
    if len(parts) > 1:
        return {"parts": [identity(part) for part in parts]}
    kind, place = _parse(source)
    if kind == "docs":
        return {"docs": python_docs.identity()}
    if kind == "tfds":
        return {"tfds": tfds_text.identity(place)}
    files = []
    for path in _text_files(place):
        status = path.stat()
        files.append([str(path), status.st_size, status.st_mtime_ns])
    return {"folder": files}


def _parts(source: str | os.PathLike) -> list[str]:
    """The sources that `source` names; a folder's name may have commas."""
    text = os.fspath(source)
    is_folder = pathlib.Path(text).expanduser().exists()
    return [text] if is_folder else text.split(",")


def _read(source: str) -> Iterator[list[str]]:
    kind, place = _parse(source)
    if kind == "docs":
        return python_docs.documents()
    if kind == "tfds":
        return tfds_text.documents(place)
    return _read_files(_text_files(place))


def _in_turns(found: list[Iterator[list[str]]]) -> Iterator[list[str]]:
    """One document of each, then the next ones, to the end of the longest."""
    while found:
        left = []
        for documents in found:
            for document in itertools.islice(documents, 1):
                yield document
                left.append(documents)
        found = left


def _parse(source: str | os.PathLike) -> tuple[str, str]:
    text = os.fspath(source)
    if text == "docs":
        return "docs", ""
    if text.startswith("tfds:"):
        return "tfds", text.removeprefix("tfds:")
    return "folder", text


def _text_files(place: str) -> list[pathlib.Path]:
    folder = pathlib.Path(place).expanduser()
    wanted = 'expected "docs", a folder of .txt files, or "tfds:NAME"'
    if not place or not folder.exists():
        raise UserError(f"text source {place!r} does not exist; {wanted}")
    if not folder.is_dir():
        raise UserError(f"text source {place} is a file; {wanted}")
    files = sorted(
        path.resolve()
        for path in folder.rglob("*.txt")
        if path.is_file() and path.name != _ABOUT_THE_FOLDER
    )
    if not files:
        raise UserError(f"text folder {place} holds no .txt file; {wanted}")
    return files


def _read_files(files: Iterable[pathlib.Path]) -> Iterator[list[str]]:
    for path in files:
        sentences: list[str] = []
        for line in _lines(path):
            if line:
                sentences += split_sentences(line)
            elif sentences:
                yield sentences
                sentences = []
        if sentences:
            yield sentences


def _lines(path: pathlib.Path) -> Iterator[str]:
    """Stripped lines of a UTF-8 file, read in bytes to know the offsets."""
    offset = 0
    try:
        with open(path, "rb") as file:
            for raw in file:
                if (zero := raw.find(0)) >= 0:
                    raise UserError(
                        f"{path} is a binary file (a zero byte at offset "
                        f"{offset + zero}); expected text in UTF-8"
                    )
                line = raw.decode()
                if offset == 0:
                    line = line.removeprefix("\ufeff")
                yield line.strip()
                offset = file.tell()
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8 (byte 0x{error.object[error.start]:02x} at "
            f"offset {offset + error.start}); convert it to UTF-8"
        ) from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


def _distinct(found: Iterable[list[str]]) -> Iterator[list[str]]:
    seen: set[bytes] = set()
    for document in found:
        digest = hashlib.blake2b(
            "\n".join(document).encode(), digest_size=16
        ).digest()
        if digest not in seen:
            seen.add(digest)
            yield document
