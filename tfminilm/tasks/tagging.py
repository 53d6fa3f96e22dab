"""Cut tagged texts into sequences, and turn logits of tokens into entities.

A word's tag is that of its first piece, as in BERT (Devlin et al. 2019,
section 5.3); its other pieces are context. A text that is too long is read in
windows, each word in the one where it has the most text on both sides.
"""

import dataclasses
import os
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tfminilm.data import cache
from tfminilm.errors import UserError
from tfminilm.tasks import encode
from tfminilm.tasks.encoded import TokenLabels
from tfminilm.tasks.entities import Entity, chunks
from tfminilm.tasks.example import TaggedText
from tfminilm.tasks.spans import Spans, span_tokenizer
from tfminilm.typing import Tokenizer

OUTPUT = "token_logits"


class ScoredEntity(NamedTuple):
    """An entity, and the mean probability of its words' tags."""

    entity: Entity
    score: float


@dataclasses.dataclass(frozen=True)
class Tagged(TokenLabels):
    """Sequences `[CLS] a text, or a part of it [SEP]`.

    Sequence i is of the text `text[i]`, and `word` says which word of it each
    token is the first piece of; -1 for the others. `names` are the tags that
    the labels stand for.
    """

    text: np.ndarray  # int32 [sequences]
    word: np.ndarray  # int32 [tokens]
    names: tuple[str, ...]


def tag(
    examples: Sequence[TaggedText],
    names: Sequence[str],
    tokenizer: Tokenizer,
    max_length: int,
    cache_dir: str | os.PathLike | None = None,
) -> Tagged:
    """Turn texts into token ids, with the tags of their words.

    Args:
        examples: texts, with or without tags.
        names: all tags, in the order of the logits.
        tokenizer: a KerasHub tokenizer that `span_tokenizer` knows.
        max_length: tokens of the longest sequence, the special ones included.
        cache_dir: where token ids are kept; nowhere if `None`.

    Raises:
        UserError: there is no example, a tag has no name, `max_length` has no
            room for text, or the tokenizer gives no offsets.
    """
    if not examples:
        raise UserError("there is no text to encode")
    if max_length < 3:
        raise UserError(f"max length is {max_length}, expected 3 or more")
    arrays = encode.cached(
        cache_dir,
        lambda: {
            "source": encode.digest(
                part
                for example in examples
                for part in (example.text, str(example.words))
            ),
            "tokenizer": cache.tokenizer_identity(tokenizer),
            "max_length": max_length,
            "rules": encode.code_of(__file__, encode.__file__),
        },
        lambda: _cut(examples, tokenizer, max_length),
    )
    return Tagged(
        **arrays,
        segment_ids=np.zeros(len(arrays["token_ids"]), np.int8),
        counts=arrays["word"] >= 0,
        labels=_labels(examples, names, arrays),
        names=tuple(names),
        pad_id=encode.pad_id(tokenizer),
    )


def untag(
    examples: Sequence[TaggedText],
    tagged: Tagged,
    logits: Sequence[np.ndarray],
) -> list[tuple[ScoredEntity, ...]]:
    """Return the entities of each text, in its characters, with their scores.

    A word without a piece of its own, as a mark that is part of the piece
    before it, belongs to the entity before it.

    Args:
        examples: what `tagged` was made of.
        tagged: their sequences.
        logits: of each sequence, `[length, tags]`.
    """
    tags_of: list[dict[int, tuple[str, float]]] = [{} for _ in examples]
    for row, values in enumerate(logits):
        start, end = tagged.offsets[row : row + 2]
        words = tagged.word[start:end]
        places = np.flatnonzero(words >= 0)
        rows = np.asarray(values, np.float64)[places]
        best = rows.argmax(axis=-1)
        gaps = rows - rows.max(axis=-1, keepdims=True)
        shares = 1 / np.exp(gaps).sum(axis=-1)
        for word, tag, share in zip(
            words[places].tolist(), best.tolist(), shares.tolist(), strict=True
        ):
            tags_of[tagged.text[row]][word] = tagged.names[tag], share
    return [
        _entities(example, tags)
        for example, tags in zip(examples, tags_of, strict=True)
    ]


def _entities(
    example: TaggedText, tags: Mapping[int, tuple[str, float]]
) -> tuple[ScoredEntity, ...]:
    """Return the entities of the words that have a tag, in their order."""
    words, shares = [*tags], [share for _, share in tags.values()]
    behind = [*words[1:], len(example.words)]
    entities = []
    for first, last, label in chunks([tag for tag, _ in tags.values()]):
        start = example.words[words[first]][0]
        end = example.words[behind[last] - 1][1]
        score = statistics.fmean(shares[first : last + 1])
        entities.append(ScoredEntity(Entity(start, end, label), score))
    return tuple(entities)


def _labels(
    examples: Sequence[TaggedText],
    names: Sequence[str],
    arrays: dict[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """Return the number of each first piece's tag; nothing without tags."""
    if any(example.tags is None for example in examples):
        return {}
    number_of = {name: number for number, name in enumerate(names)}
    tags: list[str] = [tag for one in examples for tag in one.tags or ()]
    for each in set(tags):
        if each not in number_of:
            raise UserError(
                f"tag {each[:60]!r} is none of the model's: expected "
                f"{', '.join(names)}"
            )
    flat = np.array([number_of[tag] for tag in tags], np.int32)
    sizes = [len(example.words) for example in examples]
    first = np.cumsum(sizes) - sizes
    lengths = np.diff(arrays["offsets"])
    at = np.repeat(first[arrays["text"]], lengths) + arrays["word"]
    counts = arrays["word"] >= 0
    labels = np.zeros(len(at), np.int32)
    labels[counts] = flat[at[counts]]
    return {OUTPUT: labels}


def _cut(
    examples: Sequence[TaggedText], tokenizer: Tokenizer, max_length: int
) -> dict[str, np.ndarray]:
    """Return the arrays of `Tagged` that depend on the texts alone."""
    start, end, _ = encode.special_ids(tokenizer)
    encoded = span_tokenizer(tokenizer)([example.text for example in examples])
    ids: list[np.ndarray] = []
    words: list[np.ndarray] = []
    texts = []
    none = np.array([-1], np.int32)
    first, last = np.array([start], np.int32), np.array([end], np.int32)
    for number, (example, spans) in enumerate(
        zip(examples, encoded, strict=True)
    ):
        word = _first_pieces(example, spans)
        for begin, stop, own in _windows(len(spans.ids), max_length - 2):
            ids += [first, spans.ids[begin:stop], last]
            words += [none, np.where(own, word[begin:stop], -1), none]
            texts.append(number)
    sizes = [len(part) for part in words]
    return {
        "token_ids": np.concatenate(ids).astype(np.int32),
        "word": np.concatenate(words).astype(np.int32),
        "offsets": np.concatenate(
            [[0], np.cumsum(np.reshape(sizes, (-1, 3)).sum(1))]
        ),
        "text": np.array(texts, np.int32),
    }


def _first_pieces(example: TaggedText, spans: Spans) -> np.ndarray:
    """Return the word that each token is the first piece of, or -1."""
    word_of = np.full(len(spans.ids), -1, np.int32)
    if not len(example.words) or not len(spans.ids):
        return word_of
    starts, ends = np.array(example.words).T
    # The first token that ends behind the word's start.
    tokens = np.searchsorted(spans.spans[:, 1], starts, side="right")
    is_there = tokens < len(spans.ids)
    is_there[is_there] = spans.spans[tokens[is_there], 0] < ends[is_there]
    # Of words that share a token, it is the first one's.
    numbers = np.flatnonzero(is_there)[::-1]
    word_of[tokens[numbers]] = numbers
    return word_of


def _windows(size: int, room: int) -> list[tuple[int, int, np.ndarray]]:
    """Cut a text of `size` tokens into windows of up to `room`.

    Returns:
        Each window's first token, the one behind its last, and which of its
        tokens are not nearer to the middle of another window.
    """
    last = max(size - room, 0)
    begins = sorted({*range(0, last, max(room // 2, 1)), last})
    middles = np.array(begins) + (min(size, room) - 1) / 2
    nearest = np.abs(np.arange(size)[:, None] - middles).argmin(axis=1)
    return [
        (begin, min(begin + room, size), nearest[begin : begin + room] == index)
        for index, begin in enumerate(begins)
    ]
