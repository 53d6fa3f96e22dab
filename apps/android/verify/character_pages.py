"""Packs what a tokenizer makes of each character into a table of pages.

A file is gzipped, its numbers are big-endian. Behind four int32, the numbers
of pages, of the pool's items and of combining classes, and a 0, stand

- the page of every 256 characters, uint16: equal pages are stored once;
- the pages' entries, int32, each as its difference from the one before it: a
  kind and `JOINS` in the lower three bits, and above them the place in the pool
  of what the character becomes, 0 for itself;
- the pool, int32: how many characters of a word have the place of this one,
  how many it becomes, and these;
- the characters that have a combining class, in order, and then the classes,
  int32.
"""

import dataclasses
import gzip
import pathlib
import struct
import unicodedata
from collections.abc import Iterable, Mapping, Sequence, Set

_SPACE, _ALONE, _DROPPED, _JOINS = 1, 2, 3, 4
_KIND, _SHIFT = 3, 3
_PAGE = 256


@dataclasses.dataclass(frozen=True)
class Rules:
    """What training's tokenizers say of characters, by their code points.

    Attributes:
        name: whose rules they are.
        spaces: what parts words.
        alone: what is a word of its own.
        dropped: what is left out.
        joining: what may join the one before it, or keeps others from being
            sorted.
        stripped: decompositions without accents.
        folded: what others become where case is folded.
        classes: combining classes of what is sorted.
    """

    name: str
    spaces: Set[int]
    alone: Set[int]
    dropped: Set[int]
    joining: Set[int]
    stripped: Mapping[int, str]
    folded: Mapping[int, str]
    classes: Mapping[int, int]


def write(
    folder: pathlib.Path, rules: Rules, lowercase: bool, strips: bool
) -> None:
    """Write the table of a tokenizer with these settings."""
    table = _Table(rules, lowercase, strips)
    entries = [table.entry(code) for code in range(0x110000)]
    places: dict[tuple[int, ...], int] = {}
    pages = [
        places.setdefault(tuple(entries[at : at + _PAGE]), len(places))
        for at in range(0, len(entries), _PAGE)
    ]
    classes = sorted(rules.classes.items()) if strips else []
    flat = [entry for page in places for entry in page]
    numbers = [
        *(entry - last for entry, last in zip(flat, [0, *flat], strict=False)),
        *table.pool,
        *(code for code, _ in classes),
        *(number for _, number in classes),
    ]
    packed = b"".join(
        (
            _ints([len(places), len(table.pool), len(classes), 0]),
            struct.pack(f">{len(pages)}H", *pages),
            _ints(numbers),
        )
    )
    words = ("cased", "lowercase")[lowercase], ("accents", "stripped")[strips]
    path = folder / f"characters_{rules.name}_{'_'.join(words)}.bin"
    path.write_bytes(gzip.compress(packed, mtime=0))


def _ints(numbers: Sequence[int]) -> bytes:
    return struct.pack(f">{len(numbers)}i", *numbers)


class _Table:
    """The entries of all characters, and the pool that they point into."""

    def __init__(self, rules: Rules, lowercase: bool, strips: bool):
        self._rules = rules
        self._lowercase = lowercase
        self._strips = strips
        self.pool = [0]
        self._places: dict[tuple[int, ...], int] = {}

    def entry(self, code: int) -> int:
        parts = chr(code)
        if self._strips:
            parts = self._rules.stripped.get(code, parts)
        if not parts:
            return _DROPPED | self._joins([code])
        result = self._folded(parts) if self._lowercase else parts
        if result == chr(code) and len(parts) == 1:
            return self._kind(code) | self._joins([code])
        # A character's parts are of one kind.
        kind = self._kind(ord(parts[0])) & _KIND
        joins = self._joins(map(ord, result))
        # By BERT's rules each has a place of its own.
        count = len(result) if self._rules.name == "bert" else len(parts)
        item = (count, len(result), *map(ord, result))
        return kind | joins | self._place(item) << _SHIFT

    def _folded(self, parts: str) -> str:
        # Folding composes again what stripping took apart.
        if self._rules.name == "keras_hub" and len(parts) > 1:
            parts = unicodedata.normalize("NFKC", parts)
        folded = self._rules.folded
        return "".join(folded.get(ord(part), part) for part in parts)

    def _kind(self, code: int) -> int:
        rules = self._rules
        return (
            (_SPACE if code in rules.spaces else 0)
            | (_ALONE if code in rules.alone else 0)
            | (_DROPPED if code in rules.dropped else 0)
        )

    def _joins(self, codes: Iterable[int]) -> int:
        joining = self._rules.joining
        return _JOINS if any(code in joining for code in codes) else 0

    def _place(self, item: tuple[int, ...]) -> int:
        if item not in self._places:
            self._places[item] = len(self.pool)
            self.pool.extend(item)
        return self._places[item]
