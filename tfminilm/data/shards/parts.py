"""A source of text in parts, one a shard: each can be read by itself.

Where the parts begin depends on the text and the size alone, never on how
many workers there are. A document lies in one part.
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
    """Where a part is, as JSON-able values.

    `place` is, by `kind`: of "folder" pieces of files `[path, start, stop]`
    in bytes, of "tfds" `[spec, part, parts]`, and of "docs" empty. `ending`
    is what ends a document in files.
    """

    kind: str
    place: list[Any]
    ending: str = endings.BLANK_LINES


def plan(source: str, size: int) -> list[Part]:
    """The parts of a source, in order.

    Args:
        source: see `tfminilm.data.documents`.
        size: bytes of text in a part, about; a document is not cut.

    Raises:
        UserError: there is no such source.
    """
    found: list[Part] = []
    for one in corpus.sources(source):
        kind, place = corpus.parse(one)
        if kind == "docs":
            found.append(Part(kind, []))
        elif kind == "tfds":
            num_bytes = tfds_text.identity(place)[-1]
            count = max(1, math.ceil(num_bytes / size))
            found += [Part(kind, [place, part, count]) for part in range(count)]
        else:
            files = corpus.text_files(place)
            ending = corpus.ending(place, files)
            found += [
                Part(kind, own, ending) for own in _pieces(files, size, ending)
            ]
    return found


def read(
    part: Part, cut: Callable[[str], list[str]] = split_sentences
) -> Iterator[Document]:
    """The documents of a part, each a list of paragraphs' sentences.

    Args:
        part: one of `plan`.
        cut: what makes sentences of a paragraph.

    Raises:
        UserError: it cannot be read as text.
    """
    if part.kind == "docs":
        for sentences in python_docs.documents():
            yield [[sentence] for sentence in sentences]
    elif part.kind == "tfds":
        spec, own, count = part.place
        yield from tfds_text.read_part(spec, own, count, cut)
    else:
        for path, start, stop in part.place:
            yield from corpus.read_file(
                pathlib.Path(path), start, stop, cut, part.ending
            )


def _pieces(
    files: list[pathlib.Path], size: int, ending: str
) -> Iterator[list[Any]]:
    """Pieces of files, `size` bytes together; small files share a part."""
    own: list[Any] = []
    room = size
    for path in files:
        start, length = 0, path.stat().st_size
        while start < length:
            stop = _document_start(path, start + room, length, ending)
            own.append([os.fspath(path), start, stop])
            room -= stop - start
            start = stop
            if room <= 0:
                yield own
                own, room = [], size
    if own:
        yield own


def _document_start(
    path: pathlib.Path, offset: int, length: int, ending: str
) -> int:
    """Where the first document after `offset` begins, or the file's end."""
    if ending != endings.BLANK_LINES:  # Pieces begin at multiples of theirs.
        offset = math.ceil(offset / endings.PIECE) * endings.PIECE
    if offset >= length:
        return length
    with open(path, "rb") as file:
        if ending != endings.BLANK_LINES:
            file.seek(offset - 1)
            file.readline()  # Of which the first bytes are before the offset.
            return file.tell()
        file.seek(offset)
        file.readline()  # Of which the first bytes are before the offset.
        for line in file:
            if not line.strip():
                return file.tell()
    return length
