"""Tokenise texts once, and keep the token ids in a cache."""

import functools
import hashlib
import os
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from tfminilm import families
from tfminilm.data import cache, packing
from tfminilm.errors import UserError
from tfminilm.tasks.encoded import Encoded
from tfminilm.tasks.example import Example
from tfminilm.tasks.task import Task
from tfminilm.tokenizer import Exact
from tfminilm.tokenizer.exact import FEW
from tfminilm.typing import Tokenizer


def encode(
    task: Task,
    examples: Sequence[Example],
    tokenizer: Tokenizer,
    max_length: int,
    cache_dir: str | os.PathLike | None = None,
) -> Encoded:
    """Tokenise examples as `[CLS] text [SEP]` or `[CLS] a [SEP] b [SEP]`.

    Of a pair that is too long, the longer text is cut first. The cache keeps
    one entry for each combination of tokenizer, texts and length.

    Args:
        task: says what the labels are.
        examples: with one or two texts each.
        tokenizer: a KerasHub tokenizer of an encoder.
        max_length: tokens of the longest sequence, the special ones included.
        cache_dir: where token ids are kept; nowhere if `None`.

    Raises:
        UserError: there is no example, `max_length` has no room for text, or
            the tokenizer is none of an encoder.
    """
    if not examples:
        raise UserError(f"{task.name}: there is no example to encode")
    texts = [example.texts for example in examples]
    arrays = cached(
        cache_dir,
        lambda: {
            "source": digest(text for row in texts for text in (*row, "\0")),
            "tokenizer": cache.tokenizer_identity(tokenizer),
            "max_length": max_length,
            "rules": code_of(__file__),
        },
        lambda: _tokenise(texts, tokenizer, max_length),
    )
    return Encoded(
        **arrays,
        labels=_labels(task, examples),
        pad_id=pad_id(tokenizer),
    )


def encode_texts(
    texts: Sequence[tuple[str, ...]], tokenizer: Tokenizer, max_length: int
) -> Encoded:
    """Tokenise texts as `encode` does, without a task and without labels.

    Args:
        texts: one each, or two each.
        tokenizer: a KerasHub tokenizer of an encoder.
        max_length: tokens of the longest sequence, the special ones included.

    Raises:
        UserError: `max_length` has no room for text, or the tokenizer is none
            of an encoder.
    """
    arrays = _tokenise(texts, tokenizer, max_length)
    return Encoded(**arrays, labels={}, pad_id=pad_id(tokenizer))


def cached(
    cache_dir: str | os.PathLike | None,
    identify: Callable[[], dict[str, Any]],
    build: Callable[[], dict[str, np.ndarray]],
) -> dict[str, np.ndarray]:
    """Return the arrays of `build()`, from the cache if they are there.

    Args:
        cache_dir: the cache's folder; without one `build` is called.
        identify: returns all that the arrays depend on.
        build: makes the arrays.
    """
    if cache_dir is None:
        return build()
    identity = identify()
    entry = cache.load(cache_dir, identity)
    if entry is not None:
        return entry[0]
    arrays = build()
    cache.save(cache_dir, identity, arrays, {})
    return arrays


def digest(texts: Iterable[str]) -> str:
    """Return a hash of texts and of where each of them ends."""
    sha256 = hashlib.sha256()
    for text in texts:
        content = text.encode("utf-8", "surrogatepass")
        sha256.update(len(content).to_bytes(8, "big"))
        sha256.update(content)
    return sha256.hexdigest()


def tokens_of(
    texts: Sequence[str], tokenizer: Tokenizer
) -> tuple[np.ndarray, np.ndarray]:
    """Return the token ids of texts in a row, and each text's count."""
    if len(texts) <= FEW and isinstance(tokenizer, Exact):
        return tokenizer.encode(texts)  # Threads would cost more.
    documents = list(packing.encode([[text] for text in texts], tokenizer))
    return (
        np.concatenate([document.token_ids for document in documents]),
        np.concatenate([document.lengths for document in documents]),
    )


@functools.lru_cache(maxsize=4)
def special_ids(
    tokenizer: Tokenizer, num_texts: int = 2
) -> tuple[int, int, int]:
    """Return the ids of [CLS] and [SEP], and how many [SEP] part two texts."""
    start, end = packing.special_ids(tokenizer)
    between = families.separators(tokenizer) if num_texts == 2 else 0
    return start, end, between


def _tokenise(
    texts: Sequence[tuple[str, ...]], tokenizer: Tokenizer, max_length: int
) -> dict[str, np.ndarray]:
    count = len(texts[0])
    start, end, between = special_ids(tokenizer, count)
    room = max_length - 2 - between
    if room < count:
        raise UserError(
            f"max length is {max_length}, expected {2 + between + count} or "
            "more"
        )
    if len(texts) == count == 1:
        return _tokenise_one(texts[0][0], tokenizer, (start, end), room)
    flat, sizes = tokens_of([t for row in texts for t in row], tokenizer)
    starts = (np.cumsum(sizes) - sizes).reshape(-1, count)
    kept = fit(sizes.reshape(-1, count), room)
    offsets = np.concatenate([[0], np.cumsum(kept.sum(1) + 2 + between)])
    # Start with separators everywhere; then write the starts and the texts.
    token_ids = np.full(offsets[-1], end, np.int32)
    segment_ids = np.zeros(offsets[-1], np.int8)
    token_ids[offsets[:-1]] = start
    place = offsets[:-1] + 1
    for text in range(count):
        count_kept = kept[:, text]
        rows = runs(starts[:, text], count_kept)
        token_ids[runs(place, count_kept)] = flat[rows]
        if text:
            segment_ids[runs(place, count_kept + 1)] = 1
        place = place + count_kept + between
    return {
        "token_ids": token_ids,
        "segment_ids": segment_ids,
        "offsets": offsets,
        "is_cut": kept.sum(1) < sizes.reshape(-1, count).sum(1),
    }


def _tokenise_one(
    text: str, tokenizer: Tokenizer, ends: tuple[int, int], room: int
) -> dict[str, np.ndarray]:
    """Return what `_tokenise` does of a single text, in a third of the time."""
    ids = tokens_of([text], tokenizer)[0].tolist()
    row = [ends[0], *ids[:room], ends[1]]
    return {
        "token_ids": np.array(row, np.int32),
        "segment_ids": np.zeros(len(row), np.int8),
        "offsets": np.array([0, len(row)]),
        "is_cut": np.array([len(ids) > room]),
    }


def pad_id(tokenizer: Tokenizer) -> int:
    """Return the id that fills up a batch; no result depends on it."""
    return int(getattr(tokenizer, "pad_token_id", 0) or 0)


def runs(starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return `sizes[i]` numbers from `starts[i]` on, for all i in a row."""
    ends = np.cumsum(sizes)
    return np.arange(ends[-1]) + np.repeat(starts - ends + sizes, sizes)


def fit(lengths: np.ndarray, room: int) -> np.ndarray:
    """Return how many tokens of each text fit into `room` tokens.

    Args:
        lengths: `[examples, 1 or 2]`.
        room: tokens.
    """
    if lengths.shape[1] == 1:
        return np.minimum(lengths, room)
    first, second = lengths.T
    half = (room + 1) // 2
    kept = np.minimum(first, np.maximum(room - second, half))
    return np.stack([kept, np.minimum(second, room - kept)], axis=1)


def _labels(task: Task, examples: Sequence[Example]) -> dict[str, np.ndarray]:
    labels = [example.label for example in examples]
    if any(example.soft is not None for example in examples):
        labels = [one.shares(len(task.labels)) for one in examples]
    if any(label is None for label in labels):
        return {}
    # Classes; scores, or a row of numbers each.
    is_class = task.labels and not isinstance(labels[0], tuple)
    dtype = np.int32 if is_class else np.float32
    return {"labels": np.array(labels, dtype)}


@functools.cache
def code_of(*files: str) -> str:
    """Return a hash of source files: other code may give other arrays."""
    sha256 = hashlib.sha256()
    for file in files:
        sha256.update(pathlib.Path(file).read_bytes())
    return sha256.hexdigest()
