"""Where text comes from: documents, each a list of its sentences."""

import codecs
import functools
import hashlib
import itertools
import logging
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tfminilm.data import endings, python_docs, tfds_text
from tfminilm.data.sentences import split_sentences
from tfminilm.errors import UserError
from tfminilm.files import lines_of, open_regular

_LOG = logging.getLogger(__name__)

# Either of the marks that such files begin with.
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_ABOUT_THE_FOLDER = "SOURCE.txt"
_WANTED = 'expected "docs", a folder of .txt files, or "tfds:NAME"'


def documents(source: str | os.PathLike) -> Iterator[list[str]]:
    """Reads a source of text, one document at a time, in a fixed order.

    Args:
        source: "docs" (the prose of this machine's Python documentation), a
            folder of *.txt files in UTF-8 (also in its subfolders; one
            paragraph a line, a blank line between documents; `SOURCE.txt` is
            a note about the folder and is not read), or
            `tfds:NAME[/config][:split][:text_key]`. Several of them with
            commas between are read in turns, a document of each. A folder of
            fewer than a hundred files without a blank line, or a data set of
            one example, would have next to no documents: it is cut at its
            lines or sentences, and this is logged.

    Returns:
        An iterator of documents, each a list of its sentences. No document
        comes twice.

    Raises:
        UserError: there is no such source, or it cannot be read as text. A
            file's own fault is raised when the iterator gets there.
    """
    return _distinct(_in_turns([_read(part) for part in sources(source)]))


def identity(source: str | os.PathLike) -> dict[str, Any]:
    """What tells one state of a source from another, as JSON-able values.

    Raises:
        UserError: as `documents`.
    """
    parts = sources(source)
    if len(parts) > 1:
        return {"parts": [identity(part) for part in parts]}
    kind, place = parse(source)
    if kind == "docs":
        return {"docs": python_docs.identity()}
    if kind == "tfds":
        return {"tfds": tfds_text.identity(place)}
    files = []
    for path in text_files(place):
        status = path.stat()
        files.append([str(path), status.st_size, status.st_mtime_ns])
    return {"folder": files}


def sources(source: str | os.PathLike) -> list[str]:
    """The sources that `source` names; a folder's name may have commas."""
    text = os.fspath(source)
    is_folder = pathlib.Path(text).expanduser().exists()
    return [text] if is_folder else text.split(",")


def _read(source: str) -> Iterator[list[str]]:
    kind, place = parse(source)
    if kind == "docs":
        return python_docs.documents()
    if kind == "tfds":
        return tfds_text.documents(place)
    return _read_files(place)


def _in_turns(found: list[Iterator[list[str]]]) -> Iterator[list[str]]:
    """One document of each, then the next ones, to the end of the longest."""
    while found:
        left = []
        for documents in found:
            for document in itertools.islice(documents, 1):
                yield document
                left.append(documents)
        found = left


def parse(source: str | os.PathLike) -> tuple[str, str]:
    """A source's kind, "docs", "tfds" or "folder", and its place.

    Raises:
        UserError: it is none of them.
    """
    text = os.fspath(source)
    if text.startswith("shards:"):
        raise UserError(
            f"{text} holds packed text, which stages on text alone read; "
            f"{_WANTED}"
        )
    if text == "docs":
        return "docs", ""
    if text.startswith("tfds:"):
        return "tfds", text.removeprefix("tfds:")
    return "folder", text


def text_files(place: str) -> list[pathlib.Path]:
    """The files of a text folder, in the order in which they are read.

    Raises:
        UserError: there is no such folder, or no text in it.
    """
    folder = pathlib.Path(place).expanduser()
    if not place or not folder.exists():
        raise UserError(f"text source {place!r} does not exist; {_WANTED}")
    if not folder.is_dir():
        raise UserError(f"text source {place} is a file; {_WANTED}")
    files = sorted(
        path.resolve()
        for path in folder.rglob("*.txt")
        if path.is_file() and path.name != _ABOUT_THE_FOLDER
    )
    if not files:
        raise UserError(f"text folder {place} holds no .txt file; {_WANTED}")
    return files


def ending(place: str, files: list[pathlib.Path]) -> str:
    """Finds what ends a document in a text folder; see `endings.find`.

    It is logged if those are no blank lines.

    Raises:
        UserError: a file is no text in UTF-8, or cannot be read.
    """
    found = endings.find([functools.partial(_lines, path) for path in files])
    if found != endings.BLANK_LINES:
        _LOG.warning("text folder %s: %s", place, endings.told(found))
    return found


def read_file(
    path: pathlib.Path,
    start: int = 0,
    stop: int | None = None,
    cut: Callable[[str], list[str]] = split_sentences,
    ending: str = endings.BLANK_LINES,
) -> Iterator[list[list[str]]]:
    """The documents of a text file as lists of paragraphs' sentences.

    Args:
        path: the file.
        start: where to begin, in bytes: where a document does.
        stop: no line that begins there or later is read; None: read all.
        cut: what makes sentences of a paragraph.
        ending: what ends a document; see `endings.find`.

    Raises:
        UserError: the file is no text in UTF-8, or cannot be read.
    """
    yield from endings.documents(_lines(path, start, stop), ending, cut)


def joined(paragraphs: Iterable[list[str]]) -> list[str]:
    """The sentences of all paragraphs."""
    return list(itertools.chain.from_iterable(paragraphs))


def _read_files(place: str) -> Iterator[list[str]]:
    """Checks that there are files at once, and what is in them when read."""
    files = text_files(place)

    def read() -> Iterator[list[str]]:
        own = ending(place, files)
        for path in files:
            yield from map(joined, read_file(path, ending=own))

    return read()


def _lines(
    path: pathlib.Path, start: int = 0, stop: int | None = None
) -> Iterator[tuple[int, str]]:
    """Stripped lines of a UTF-8 file, and the bytes before each."""
    offset = start
    try:
        with open(open_regular(path), "rb") as file:
            file.seek(start)
            for raw in lines_of(file, path):
                if stop is not None and offset >= stop:
                    return
                if offset == 0 and raw.startswith(UTF16):
                    raise UserError(f"{path} is UTF-16; convert it to UTF-8")
                if (zero := raw.find(0)) >= 0:
                    raise UserError(
                        f"{path} is a binary file (a zero byte at offset "
                        f"{offset + zero}); expected text in UTF-8"
                    )
                line = raw.decode()
                if offset == 0:
                    line = line.removeprefix("\ufeff")
                yield offset, line.strip()
                offset += len(raw)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8 (byte 0x{error.object[error.start]:02x} at "
            f"offset {offset + error.start}); convert it to UTF-8"
        ) from error
    except OSError as error:
        raise UserError(
            f"cannot read {path}: {error.strerror}; expected a text file in "
            "UTF-8"
        ) from error


def _distinct(found: Iterable[list[str]]) -> Iterator[list[str]]:
    seen: set[bytes] = set()
    for document in found:
        digest = hashlib.blake2b(
            "\n".join(document).encode(), digest_size=16
        ).digest()
        if digest not in seen:
            seen.add(digest)
            yield document
