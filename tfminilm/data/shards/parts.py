"""Divide a source of text into parts that can be read independently.

Each part becomes a shard. The bounds of the parts depend only on the text and
the size, not on the number of workers. No document is divided.
"""

import dataclasses
import math
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

from tfminilm.data import corpus, endings, python_docs, tfds_text
from tfminilm.data.sentences import split_sentences

Document = list[list[str]]


@dataclasses.dataclass(frozen=True)
class Part:
    """The place of a part, as JSON-able values.

    `place` depends on `kind`: for "folder" it has pieces of files
    `[path, start, stop]` in bytes, for "tfds" it is `[spec, part, parts]`,
    and for "docs" it is empty. `ending` is what ends a document in files.
    """

    kind: str
    place: list[Any]
    ending: str = endings.BLANK_LINES


def plan(source: str, size: int) -> list[Part]:
    """Return the parts of a source, in order.

    Args:
        source: see `tfminilm.data.documents`.
        size: approximate bytes of text in a part; no document is cut.

    Raises:
        UserError: there is no such source.
    """
    parts: list[Part] = []
    for one in corpus.sources(source):
        kind, place = corpus.parse(one)
        if kind == "docs":
            parts.append(Part(kind, []))
        elif kind == "tfds":
            num_bytes = tfds_text.identity(place)[-1]
            count = max(1, math.ceil(num_bytes / size))
            parts += [Part(kind, [place, i, count]) for i in range(count)]
        else:
            files = corpus.text_files(place)
            ending = corpus.ending(place, files)
            parts += [
                Part(kind, pieces, ending)
                for pieces in _pieces(files, size, ending)
            ]
    return parts


def read(
    part: Part, cut: Callable[[str], list[str]] = split_sentences
) -> Iterator[Document]:
    """Yield the documents of a part, each a list of paragraphs' sentences.

    Args:
        part: a part from `plan`.
        cut: splits a paragraph into sentences.

    Raises:
        UserError: it cannot be read as text.
    """
    if part.kind == "docs":
        for sentences in python_docs.documents():
            yield [[sentence] for sentence in sentences]
    elif part.kind == "tfds":
        spec, number, count = part.place
        yield from tfds_text.read_part(spec, number, count, cut)
    else:
        for path, start, stop in part.place:
            yield from corpus.read_file(
                pathlib.Path(path), start, stop, cut, part.ending
            )


def _pieces(
    files: list[pathlib.Path], size: int, ending: str
) -> Iterator[list[Any]]:
    """Yield pieces of files, together `size` bytes, for one part each."""
    pieces: list[Any] = []
    room = size
    for path in files:
        start, length = 0, path.stat().st_size
        while start < length:
            stop = _document_start(path, start + room, length, ending)
            pieces.append([os.fspath(path), start, stop])
            room -= stop - start
            start = stop
            if room <= 0:
                yield pieces
                pieces, room = [], size
    if pieces:
        yield pieces


def _document_start(
    path: pathlib.Path, offset: int, length: int, ending: str
) -> int:
    """Return where the first document after `offset` begins, or the end."""
    if ending != endings.BLANK_LINES:  # Cuts are at multiples of PIECE.
        offset = math.ceil(offset / endings.PIECE) * endings.PIECE
    if offset >= length:
        return length
    with open(path, "rb") as file:
        if ending != endings.BLANK_LINES:
            file.seek(offset - 1)
            file.readline()  # The rest of a line that began earlier.
            return file.tell()
        file.seek(offset)
        file.readline()  # The rest of a line that began earlier.
        for line in file:
            if not line.strip():
                return file.tell()
    return length
