"""Tokenise texts once, and keep the token ids in a cache."""

import dataclasses
import functools
import hashlib
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from tfminilm import families
from tfminilm.data import cache, packing
from tfminilm.errors import UserError
from tfminilm.tasks.example import Example
from tfminilm.tasks.task import Task
from tfminilm.tokenizer import Exact
from tfminilm.tokenizer.exact import FEW
from tfminilm.typing import Tokenizer


@dataclasses.dataclass(frozen=True)
class Encoded:
    """Sequences of any length, one after another.

    `token_ids` and `segment_ids` are flat; sequence i lies between
    `offsets[i]` and `offsets[i + 1]`. `labels` holds, under each output's
    name, a number or a row of numbers a sequence, `[sequences]` or
    `[sequences, numbers]`; it is empty for examples without labels.
    `is_cut` tells of which sequences a text was too long; None if of none.
    `teacher` holds the same texts as a teacher's own tokenizer cuts them;
    `None` if it reads what the student reads.
    """

    labels_are_of_tokens: ClassVar[bool] = False
    """Whether targets and weights are `[rows, length]`, as of `TokenLabels`."""

    token_ids: np.ndarray  # int32 [tokens]
    segment_ids: np.ndarray  # int8 [tokens]
    offsets: np.ndarray  # int64 [sequences + 1]
    labels: dict[str, np.ndarray]
    pad_id: int
    is_cut: np.ndarray | None = dataclasses.field(default=None, kw_only=True)
    # `Any`, as mypy would take the arrays of `**arrays` for it.
    teacher: Any = dataclasses.field(default=None, kw_only=True)

    def __len__(self) -> int:
        """Return the number of sequences."""
        return len(self.offsets) - 1

    @functools.cached_property
    def lengths(self) -> np.ndarray:
        """Tokens of each sequence, int64."""
        return np.diff(self.offsets)

    @property
    def cut_rows(self) -> np.ndarray:
        """Tell of each sequence whether a text was too long, bool."""
        if self.is_cut is None:
            return np.zeros(len(self), bool)
        return self.is_cut

    def with_teacher(self, teacher: "Encoded") -> "Encoded":
        """Return the sequences with those that a teacher reads instead.

        Args:
            teacher: the same texts in the same order, cut by the teacher's own
                tokenizer.

        Raises:
            UserError: it has another number of sequences.
        """
        if len(teacher) != len(self):
            raise UserError(
                f"the teacher's texts are {len(teacher)}, the student's "
                f"{len(self)}: expected the same texts, cut by both tokenizers"
            )
        return dataclasses.replace(self, teacher=teacher)

    def whole_numbers(self) -> Iterator[np.ndarray]:
        """Yield the arrays of whole numbers: token ids, offsets and classes."""
        yield from (self.token_ids, self.offsets)
        for values in self.labels.values():
            if np.issubdtype(values.dtype, np.integer):
                yield values
        if self.teacher is not None:
            yield from self.teacher.whole_numbers()

    def padded(self, rows: np.ndarray, length: int) -> dict[str, np.ndarray]:
        """Return the sequences `rows`, padded to `length`, as model inputs.

        Returns:
            `token_ids`, `segment_ids` and `padding_mask`, int32
            `[rows, length]` each.
        """
        places = np.arange(length)
        mask = places < self.lengths[rows][:, None]
        at = np.where(mask, self.offsets[rows][:, None] + places, 0)
        return {
            "token_ids": np.where(mask, self.token_ids[at], self.pad_id),
            "segment_ids": np.where(mask, self.segment_ids[at], 0).astype(
                np.int32
            ),
            "padding_mask": mask.astype(np.int32),
        }

    def targets(self, rows: np.ndarray, length: int) -> dict[str, np.ndarray]:
        """Return the labels of the sequences `rows`, `[rows, ...]` each."""
        return {name: values[rows] for name, values in self.labels.items()}

    def weights(self, rows: np.ndarray, length: int) -> np.ndarray:
        """Return the sample weights of a batch.

        Args:
            rows: of the batch; -1 for a filler, which weighs nothing.
            length: that the batch is padded to.

        Returns:
            `[rows]` float32, of mean 1: the batch mean equals the mean over
            the real examples.
        """
        weights = (rows >= 0).astype(np.float32)
        return weights / weights.mean()


@dataclasses.dataclass(frozen=True)
class TokenLabels(Encoded):
    """Sequences with a label for some of their tokens.

    `labels` are flat, as `token_ids`. `counts` says which tokens have a
    label, or would have one in examples without labels. The targets of the
    others are 0 and weigh nothing.
    """

    labels_are_of_tokens: ClassVar[bool] = True

    counts: np.ndarray  # bool [tokens]

    def targets(self, rows: np.ndarray, length: int) -> dict[str, np.ndarray]:
        """Return the labels of the sequences `rows`, `[rows, length]` each."""
        at, counts = self._places(rows, length)
        return {
            name: np.where(counts, values[at], 0)
            for name, values in self.labels.items()
        }

    def weights(self, rows: np.ndarray, length: int) -> np.ndarray:
        """Return 1 for each token with a label, 0 for the others.

        Args:
            rows: of the batch; -1 for a filler, which weighs nothing.
            length: that the batch is padded to.

        Returns:
            `[rows, length]` float32. Losses divide by the number of tokens
            that weigh something.
        """
        is_real = rows >= 0
        _, counts = self._places(np.where(is_real, rows, 0), length)
        return (counts & is_real[:, None]).astype(np.float32)

    def _places(
        self, rows: np.ndarray, length: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return where the rows' tokens lie, and whether they count."""
        places = np.arange(length)
        mask = places < self.lengths[rows][:, None]
        at = np.where(mask, self.offsets[rows][:, None] + places, 0)
        return at, mask & self.counts[at]


def join(parts: Iterable[Encoded]) -> Encoded:
    """Join the sequences of all parts, one part after another.

    The result has those labels that all parts have. One part alone stays as
    it is; labels of tokens are not joined.
    """
    parts = list(parts)
    first, *others = parts
    if not others:
        return first
    sizes = np.concatenate([[0], *(part.lengths for part in parts)])
    names = [
        name for name in first.labels if all(name in p.labels for p in parts)
    ]
    return Encoded(
        token_ids=np.concatenate([part.token_ids for part in parts]),
        segment_ids=np.concatenate([part.segment_ids for part in parts]),
        offsets=np.cumsum(sizes),
        labels={
            name: np.concatenate([part.labels[name] for part in parts])
            for name in names
        },
        pad_id=first.pad_id,
        teacher=join(p.teacher for p in parts if p.teacher)
        if first.teacher
        else None,
    )


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
    ids, _ = tokens_of([text], tokenizer)
    kept = ids[:room]
    token_ids = np.empty(len(kept) + 2, np.int32)
    token_ids[0], token_ids[-1] = ends
    token_ids[1:-1] = kept
    return {
        "token_ids": token_ids,
        "segment_ids": np.zeros(len(token_ids), np.int8),
        "offsets": np.array([0, len(token_ids)]),
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
