"""Find words with similar vectors."""

import os
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from tfminilm import files
from tfminilm.data import masking, packing
from tfminilm.data.augment import words
from tfminilm.errors import UserError
from tfminilm.typing import Tokenizer

# Files begin with the most frequent words; others are rarely needed.
_MOST_WORDS = 100_000
# Words that are compared with all vectors at once: 200 MB of cosines.
_AT_ONCE = 500
_EXPECTED = "expected GloVe's form: a word and its numbers on each line"


class WordVectors:
    """Words to choose from, and their vectors.

    Args:
        words: the words to choose from, distinct.
        vectors: `[words, width]` float32, none of them zero.
        spell: returns the vector of another word, or `None`.
        skipped: the number of broken lines in the file.
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
        """Return the words of the largest cosine, the nearest first.

        Args:
            words: the words to look up. If a word has no vector, that of its
                lower-case form is used.
            count: the number of nearest words.

        Returns:
            The nearest words for each word; none if it has no vector.
        """
        nearest_words: list[list[str]] = [[] for _ in words]
        with_vector = [
            (number, place, vector)
            for number, word in enumerate(words)
            for place, vector in [self._look_up(word)]
            if vector is not None
        ]
        for start in range(0, len(with_vector), _AT_ONCE):
            part = with_vector[start : start + _AT_ONCE]
            cosines = np.stack([vector for *_, vector in part]) @ self.vectors.T
            for (number, place, _), row in zip(part, cosines, strict=True):
                if place is not None:
                    row[place] = -np.inf
                nearest_words[number] = self.words[
                    _largest(row, count)
                ].tolist()
        return nearest_words

    def _look_up(self, word: str) -> tuple[int | None, np.ndarray | None]:
        """Return a word's index, if it is known, and its vector, if any."""
        for form in (word, word.lower()):
            if (index := self._places.get(form)) is not None:
                return index, self.vectors[index]
        return None, self._spell(word)


def read_glove(path: str | os.PathLike) -> WordVectors:
    """Read a text file of word vectors, at most its first 100,000 words.

    Lines without a word and numbers, and an incomplete last line, are skipped
    and counted. A first line of two integers, the header of word2vec, is
    ignored.

    Raises:
        UserError: there is no such file, it has no vectors, or they differ in
            length.
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
            f"{path} holds no word vectors ({skipped} lines); {_EXPECTED}"
        )
    return WordVectors(
        list(vectors), np.stack(list(vectors.values())), skipped=skipped
    )


def vectors_of_pieces(
    table: np.ndarray, tokenizer: Tokenizer, pieces: Mapping[str, np.ndarray]
) -> WordVectors:
    """Return a model's token embeddings as vectors of whole words.

    Stop words are left out.

    Args:
        table: the token embeddings, `[vocabulary_size or more, width]`.
        tokenizer: the model's tokenizer.
        pieces: the token ids of other words. Their vectors are the means of
            their pieces'; words with unknown characters have none.
    """
    vocabulary = masking.whole_words(tokenizer)
    unknown = packing.unknown_id(tokenizer)
    ids = {
        word: place
        for place, word in enumerate(vocabulary)
        if words.may_change(word)
    }

    def spell(word: str) -> np.ndarray | None:
        token_ids = pieces.get(word, np.array([], int))
        if not token_ids.size or unknown in token_ids:
            return None
        return _unit(table[token_ids].mean(axis=0))

    return WordVectors(list(ids), table[list(ids.values())], spell)


def _unit(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(norms, 1e-12)


def _largest(values: np.ndarray, count: int) -> np.ndarray:
    """Return the indices of the largest finite values, the largest first."""
    count = min(count, int(np.isfinite(values).sum()))
    if not count:
        return np.array([], int)
    indices = np.sort(np.argpartition(-values, count - 1)[:count])
    return indices[np.argsort(-values[indices], kind="stable")]


def _lines(path: str | os.PathLike) -> Iterator[bytes]:
    file = pathlib.Path(path)
    if not file.is_file():
        raise UserError(f"no word vectors at {path}; {_EXPECTED}")
    with open(files.open_regular(file), "rb") as opened:
        yield from files.lines_of(opened, file)


def _parse(line: bytes) -> tuple[str, np.ndarray] | None:
    """Parse a word and its vector, or return `None` if the line is broken."""
    try:
        word, *numbers = line.decode().split()
        vector = np.array([float(number) for number in numbers], "float32")
    except ValueError:  # Also of bytes that are no UTF-8.
        return None
    return (word, vector) if 0 < np.linalg.norm(vector) < np.inf else None


def _is_header(line: bytes) -> bool:
    fields = line.split()
    return len(fields) == 2 and all(field.isdigit() for field in fields)
