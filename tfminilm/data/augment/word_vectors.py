"""Words whose vectors point the same way."""

import os
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from tfminilm import files
from tfminilm.data import masking, packing
from tfminilm.data.augment import words
from tfminilm.errors import UserError
from tfminilm.typing import Tokenizer

# Files have the frequent words first, and few texts use the rest.
_MOST_WORDS = 100_000
# Rows of the product with all vectors: 200 MB for the most words.
_AT_ONCE = 500
_WANTED = "expected GloVe's form: a word and its numbers on each line"


class WordVectors:
    """Words to choose from, and where their vectors point.

    Args:
        words: those to choose from, distinct.
        vectors: `[words, width]` float32, of any length above 0.
        spell: the vector of a word that is not among them, or `None`.
        skipped: lines of the file that were broken.
    """

    def __init__(
        self,
        words: Sequence[str],
        vectors: np.ndarray,
        spell: Callable[[str], np.ndarray | None] = lambda word: None,
        skipped: int = 0,
    ):
        self.words = np.array(words)
        self.vectors = _unit(vectors)
        self.skipped = skipped
        self._places = {word: place for place, word in enumerate(words)}
        self._spell = spell

    def nearest(self, words: Sequence[str], count: int) -> list[list[str]]:
        """The words of the largest cosine, the nearest first.

        Args:
            words: of each the nearest are wanted. Where a word has no vector,
                its lower-case form may have one.
            count: how many.

        Returns:
            For each word others; none if it has no vector.
        """
        found: list[list[str]] = [[] for _ in words]
        known = [
            (number, place, vector)
            for number, word in enumerate(words)
            for place, vector in [self._look_up(word)]
            if vector is not None
        ]
        for start in range(0, len(known), _AT_ONCE):
            part = known[start : start + _AT_ONCE]
            cosines = np.stack([vector for *_, vector in part]) @ self.vectors.T
            for (number, place, _), row in zip(part, cosines, strict=True):
                if place is not None:
                    row[place] = -np.inf
                found[number] = self.words[_largest(row, count)].tolist()
        return found

    def _look_up(self, word: str) -> tuple[int | None, np.ndarray | None]:
        """Where the word stands, if it does, and its vector, if it has one."""
        for form in (word, word.lower()):
            if (place := self._places.get(form)) is not None:
                return place, self.vectors[place]
        return None, self._spell(word)


def read_glove(path: str | os.PathLike) -> WordVectors:
    """Reads a text file of word vectors, at most its first 100,000 words.

    A line that is no word with numbers is skipped and counted; so is a last
    line that was cut off. A first line of two integers, as word2vec writes
    it, is no word.

    Raises:
        UserError: there is no such file, it has no vectors, or they are not
            all as long.
    """
    vectors: dict[str, np.ndarray] = {}
    width = skipped = 0
    for number, line in enumerate(_lines(path), 1):
        read = _parse(line)
        if number == 1 and _is_header(line):
            continue
        if read is None:
            skipped += 1
            continue
        word, vector = read
        width = width or len(vector)
        if len(vector) != width and not line.endswith(b"\n"):
            skipped += 1
        elif len(vector) != width:
            raise UserError(
                f"{path}: line {number} has {len(vector)} numbers, the lines "
                f"before it {width}; expected vectors of one length"
            )
        else:
            vectors.setdefault(word, vector)
        if len(vectors) == _MOST_WORDS:
            break
    if not vectors:
        raise UserError(
            f"{path} holds no word vectors ({skipped} lines); {_WANTED}"
        )
    return WordVectors(
        list(vectors), np.stack(list(vectors.values())), skipped=skipped
    )


def vectors_of_pieces(
    table: np.ndarray, tokenizer: Tokenizer, pieces: Mapping[str, np.ndarray]
) -> WordVectors:
    """A model's own vectors, of its vocabulary's whole words.

    Stop words are none to choose from.

    Args:
        table: the token embeddings, `[vocabulary_size or more, width]`.
        tokenizer: the model's.
        pieces: the token ids of other words, which have the mean of their
            pieces' vectors; those that it cannot spell have none.
    """
    found = masking.whole_words(tokenizer)
    unknown = packing.unknown_id(tokenizer)
    ids = {
        word: place
        for place, word in enumerate(found)
        if words.may_change(word)
    }

    def spell(word: str) -> np.ndarray | None:
        own = pieces.get(word, np.array([], int))
        if not own.size or unknown in own:
            return None
        return _unit(table[own].mean(axis=0))

    return WordVectors(list(ids), table[list(ids.values())], spell)


def _unit(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(norms, 1e-12)


def _largest(values: np.ndarray, count: int) -> np.ndarray:
    """Places of the largest finite values, the largest first."""
    count = min(count, int(np.isfinite(values).sum()))
    if not count:
        return np.array([], int)
    places = np.sort(np.argpartition(-values, count - 1)[:count])
    return places[np.argsort(-values[places], kind="stable")]


def _lines(path: str | os.PathLike) -> Iterator[bytes]:
    file = pathlib.Path(path)
    if not file.is_file():
        raise UserError(f"no word vectors at {path}; {_WANTED}")
    with open(files.open_regular(file), "rb") as opened:
        yield from files.lines_of(opened, file)


def _parse(line: bytes) -> tuple[str, np.ndarray] | None:
    """A word and its vector, or `None` if the line is broken."""
    try:
        word, *numbers = line.decode().split()
        vector = np.array([float(number) for number in numbers], "float32")
    except ValueError:  # Also of bytes that are no UTF-8.
        return None
    return (word, vector) if 0 < np.linalg.norm(vector) < np.inf else None


def _is_header(line: bytes) -> bool:
    fields = line.split()
    return len(fields) == 2 and all(field.isdigit() for field in fields)
