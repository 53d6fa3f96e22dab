"""Find exact duplicates by digests, so that texts need not be exchanged.

A digest has 128 bits: among a billion texts, two different ones have the same
digest with a probability of 1e-21.
"""

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np

from tfminilm.data.corpus import joined
from tfminilm.data.shards.parts import Document

_ROW = np.dtype([("high", "<u8"), ("low", "<u8"), ("place", "<u4")])


def digests(documents: Iterable[Document], of_paragraphs: bool) -> np.ndarray:
    """Return a row for each document or paragraph: digest and number."""
    texts: Iterator[list[str]] = map(joined, documents)
    if of_paragraphs:
        texts = (paragraph for document in documents for paragraph in document)
    rows = [
        hashlib.blake2b("\n".join(text).encode(), digest_size=16).digest()
        for text in texts
    ]
    table = np.empty(len(rows), _ROW)
    halves = np.frombuffer(b"".join(rows), "<u8").reshape(-1, 2)
    table["high"], table["low"] = halves[:, 0], halves[:, 1]
    table["place"] = np.arange(len(rows))
    return table


def in_buckets(table: np.ndarray, count: int) -> Iterator[tuple[int, bytes]]:
    """Yield the rows by bucket; equal digests are in the same bucket."""
    buckets = table["low"] % np.uint64(count)
    for bucket in np.unique(buckets):
        yield int(bucket), table[buckets == bucket].tobytes()


def repeats(bucket: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Yield the repeats in a bucket: all but the first of equal digests.

    Args:
        bucket: pairs of a part's number and its rows, in any order.

    Yields:
        Pairs of a part's number and the numbers of its repeated documents (or
        paragraphs), as bytes.
    """
    tables = [(part, np.frombuffer(rows, _ROW)) for part, rows in bucket]
    parts = np.repeat(
        [part for part, _ in tables], [len(rows) for _, rows in tables]
    )
    rows = np.concatenate([rows for _, rows in tables])
    order = np.lexsort((rows["place"], parts, rows["low"], rows["high"]))
    same = np.ones(len(rows) - 1, bool)
    for name in ("high", "low"):
        same &= rows[name][order[1:]] == rows[name][order[:-1]]
    repeated = order[1:][same]
    for part in np.unique(parts[repeated]):
        places = rows["place"][repeated[parts[repeated] == part]]
        yield int(part), places.tobytes()


def without(
    documents: Iterable[Document], repeated: set[int], of_paragraphs: bool
) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the sentences of each document: all, and those not repeated.

    Args:
        documents: the same ones as in `digests`.
        repeated: the numbers of repeated documents, or paragraphs.
        of_paragraphs: whether they are paragraphs.
    """
    number = 0
    for document in documents:
        numbers = range(
            number, number + (len(document) if of_paragraphs else 1)
        )
        number = numbers.stop
        if of_paragraphs:
            remaining = [
                paragraph
                for index, paragraph in zip(numbers, document, strict=True)
                if index not in repeated
            ]
        else:
            remaining = [] if numbers.start in repeated else document
        if remaining:
            yield joined(document), joined(remaining)
