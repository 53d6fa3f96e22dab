"""Read sources of text as documents, each a list of its sentences."""

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

# The two byte order marks of UTF-16.
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NOTE = "SOURCE.txt"
_EXPECTED = 'expected "docs", a folder of .txt files, or "tfds:NAME"'


def documents(source: str | os.PathLike) -> Iterator[list[str]]:
    """Read a source of text, one document at a time, in a fixed order.

    Args:
        source: "docs" (the prose of this machine's Python documentation), a
            folder of *.txt files in UTF-8 (also in its subfolders; one
            paragraph a line, a blank line between documents; `SOURCE.txt` is
            a note about the folder and is not read), or
            `tfds:NAME[/config][:split][:text_key]`. Several sources,
            separated by commas, are read in turns, one document of each. A
            folder of fewer than a hundred files without a blank line, or a
            data set of one example, has too few documents: it is cut at its
            lines or sentences, and this is logged.

    Returns:
        An iterator of documents, each a list of its sentences. Repeated
        documents are left out.

    Raises:
        UserError: there is no such source, or it cannot be read as text. An
            error in a file is raised when the iterator gets there.
    """
    return _distinct(_in_turns([_read(part) for part in sources(source)]))


def identity(source: str | os.PathLike) -> dict[str, Any]:
    """Return JSON-able values that change whenever the source changes.

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
    """Split `source` at its commas, unless it is an existing folder."""
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


def _in_turns(sources: list[Iterator[list[str]]]) -> Iterator[list[str]]:
    """Yield one document of each source in turn, until all are at their end."""
    while sources:
        remaining = []
        for documents in sources:
            for document in itertools.islice(documents, 1):
                yield document
                remaining.append(documents)
        sources = remaining


def parse(source: str | os.PathLike) -> tuple[str, str]:
    """Return a source's kind, "docs", "tfds" or "folder", and its place.

    Raises:
        UserError: it is none of them.
    """
    text = os.fspath(source)
    if text.startswith("shards:"):
        raise UserError(
            f"{text} holds packed text, which stages on text alone read; "
            f"{_EXPECTED}"
        )
    if text == "docs":
        return "docs", ""
    if text.startswith("tfds:"):
        return "tfds", text.removeprefix("tfds:")
    return "folder", text


def text_files(place: str) -> list[pathlib.Path]:
    """Return the files of a text folder, in the order in which they are read.

    Raises:
        UserError: there is no such folder, or no text in it.
    """
    folder = pathlib.Path(place).expanduser()
    if not place or not folder.exists():
        raise UserError(f"text source {place!r} does not exist; {_EXPECTED}")
    if not folder.is_dir():
        raise UserError(f"text source {place} is a file; {_EXPECTED}")
    files = sorted(
        path.resolve()
        for path in folder.rglob("*.txt")
        if path.is_file() and path.name != _NOTE
    )
    if not files:
        raise UserError(f"text folder {place} holds no .txt file; {_EXPECTED}")
    return files


def ending(place: str, files: list[pathlib.Path]) -> str:
    """Find what ends a document in a text folder; see `endings.find`.

    Other endings than blank lines are logged.

    Raises:
        UserError: a file is no text in UTF-8, or cannot be read.
    """
    kind = endings.find([functools.partial(_lines, path) for path in files])
    if kind != endings.BLANK_LINES:
        _LOG.warning("text folder %s: %s", place, endings.describe(kind))
    return kind


def read_file(
    path: pathlib.Path,
    start: int = 0,
    stop: int | None = None,
    cut: Callable[[str], list[str]] = split_sentences,
    ending: str = endings.BLANK_LINES,
) -> Iterator[list[list[str]]]:
    """Yield the documents of a text file as lists of paragraphs' sentences.

    Args:
        path: the file.
        start: the offset of a document's first byte, to begin there.
        stop: lines that begin at this offset or later are not read; None:
            read all.
        cut: splits a paragraph into sentences.
        ending: what ends a document; see `endings.find`.

    Raises:
        UserError: the file is no text in UTF-8, or cannot be read.
    """
    yield from endings.documents(_lines(path, start, stop), ending, cut)


def joined(paragraphs: Iterable[list[str]]) -> list[str]:
    """Return the sentences of all paragraphs."""
    return list(itertools.chain.from_iterable(paragraphs))


def _read_files(place: str) -> Iterator[list[str]]:
    """Check now that there are files, and their contents while reading."""
    files = text_files(place)

    def read() -> Iterator[list[str]]:
        kind = ending(place, files)
        for path in files:
            yield from map(joined, read_file(path, ending=kind))

    return read()


def _lines(
    path: pathlib.Path, start: int = 0, stop: int | None = None
) -> Iterator[tuple[int, str]]:
    """Yield stripped lines of a UTF-8 file, each after its offset in bytes."""
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


def _distinct(documents: Iterable[list[str]]) -> Iterator[list[str]]:
    digests: set[bytes] = set()
    for document in documents:
        digest = hashlib.blake2b(
            "\n".join(document).encode(), digest_size=16
        ).digest()
        if digest not in digests:
            digests.add(digest)
            yield document
