"""Writes what a tokenizer makes of characters as lists, for the web page.

A file is gzipped, numbers are big-endian int32: four lists of ranges `count,
(first, last)...` (spaces; words of their own; characters that are dropped;
those that may join the one before them, or keep others from being sorted),
then three maps `count, (character, length, characters...)...`: its
decomposition without accents, its folding, and its combining class.
"""

import gzip
import pathlib
import struct
from collections.abc import Mapping, Sequence, Set

from character_pages import Rules

# A decomposition that follows from the code point is left out.
_HANGUL = range(0xAC00, 0xD7A4)


def write(folder: pathlib.Path, rules: Rules) -> None:
    """Write the lists of a tokenizer's rules, for all of its settings."""
    stripped = {c: x for c, x in rules.stripped.items() if c not in _HANGUL}
    numbers = [
        *_ranges(rules.spaces),
        *_ranges(rules.alone),
        *_ranges(rules.dropped),
        *_ranges(rules.joining),
        *_map(stripped),
        *_map(rules.folded),
        *_map({code: chr(number) for code, number in rules.classes.items()}),
    ]
    packed = struct.pack(f">{len(numbers)}i", *numbers)
    path = folder / f"characters_{rules.name}.bin"
    path.write_bytes(gzip.compress(packed, mtime=0))


def _ranges(codes: Set[int]) -> list[int]:
    ranges: list[list[int]] = []
    for code in sorted(codes):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return [len(ranges), *(number for pair in ranges for number in pair)]


def _map(entries: Mapping[int, str]) -> list[int]:
    rows: list[Sequence[int]] = [
        (code, len(word), *map(ord, word)) for code, word in entries.items()
    ]
    return [len(rows), *(number for row in rows for number in row)]
