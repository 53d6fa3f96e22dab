"""Exact duplicates, found by digests: the text itself is never moved.

A digest has 128 bits, so that two different texts in a billion have the same
one with a probability of 1e-21.
"""

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np

from tfminilm.data.corpus import joined
from tfminilm.data.shards.parts import Document

_ROW = np.dtype([("high", "<u8"), ("low", "<u8"), ("place", "<u4")])


def digests(documents: Iterable[Document], of_paragraphs: bool) -> np.ndarray:
    """A row for each document, or for each paragraph, with its number."""
    texts: Iterator[list[str]] = map(joined, documents)
    if of_paragraphs:
        texts = (paragraph for found in documents for paragraph in found)
    rows = [
        hashlib.blake2b("\n".join(text).encode(), digest_size=16).digest()
        for text in texts
    ]
    table = np.empty(len(rows), _ROW)
    found = np.frombuffer(b"".join(rows), "<u8").reshape(-1, 2)
    table["high"], table["low"] = found[:, 0], found[:, 1]
    table["place"] = np.arange(len(rows))
    return table


def in_buckets(table: np.ndarray, count: int) -> Iterator[tuple[int, bytes]]:
    """The rows by bucket: equal digests fall into the same one."""
    buckets = table["low"] % np.uint64(count)
    for bucket in np.unique(buckets):
        yield int(bucket), table[buckets == bucket].tobytes()


def repeats(found: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """What is to be dropped of a bucket: all but the first of equal digests.

    Args:
        found: numbers of parts with their rows, in any order.

    Returns:
        Numbers of parts with the numbers of what they repeat, as bytes.
    """
    tables = [(part, np.frombuffer(rows, _ROW)) for part, rows in found]
    parts = np.repeat(
        [part for part, _ in tables], [len(rows) for _, rows in tables]
    )
    rows = np.concatenate([rows for _, rows in tables])
    order = np.lexsort((rows["place"], parts, rows["low"], rows["high"]))
    same = np.ones(len(rows) - 1, bool)
    for name in ("high", "low"):
        same &= rows[name][order[1:]] == rows[name][order[:-1]]
    again = order[1:][same]
    for part in np.unique(parts[again]):
        yield int(part), rows["place"][again[parts[again] == part]].tobytes()


def without(
    documents: Iterable[Document], repeated: set[int], of_paragraphs: bool
) -> Iterator[tuple[list[str], list[str]]]:
    """The sentences of each document, whole, and less what is repeated.

    Args:
        documents: those that `digests` saw.
        repeated: the numbers of repeated documents, or paragraphs.
        of_paragraphs: which of them.
    """
    number = 0
    for document in documents:
        numbers = range(
            number, number + (len(document) if of_paragraphs else 1)
        )
        number = numbers.stop
        if of_paragraphs:
            kept = [
                paragraph
                for own, paragraph in zip(numbers, document, strict=True)
                if own not in repeated
            ]
        else:
            kept = [] if numbers.start in repeated else document
        if kept:
            yield joined(document), joined(kept)
