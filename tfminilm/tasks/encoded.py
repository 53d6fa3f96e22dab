"""Define texts as token ids, with their labels."""

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from tfminilm.errors import UserError


@dataclasses.dataclass(frozen=True)
class Outputs:
    """Hold what a teacher has computed of texts: of each output a row a text.

    Attributes:
        values: `[texts, ...]` float32 of each output, by its name.
        places: where each sequence's row is, `[sequences]`; two sequences may
            be the same text.
    """

    values: dict[str, np.ndarray]
    places: np.ndarray

    def of(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Return the outputs of the sequences `rows`, `[rows, ...]` each."""
        at = self.places[rows]
        return {name: values[at] for name, values in self.values.items()}


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
    `outputs` holds what a teacher has computed of them before; `None` if it
    still has to.
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
    outputs: Any = dataclasses.field(default=None, kw_only=True)

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

    def joined_as(
        self, parts: Sequence["Encoded"]
    ) -> tuple[type["Encoded"], dict[str, Any]]:
        """Return the class of joined parts, and the fields that it adds.

        Args:
            parts: of `join`, of which this one is the first.
        """
        return Encoded, {}

    def with_outputs(self, outputs: Outputs) -> "Encoded":
        """Return the sequences with a teacher's outputs in its place."""
        return dataclasses.replace(self, teacher=None, outputs=outputs)

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

    def joined_as(
        self, parts: Sequence[Encoded]
    ) -> tuple[type[Encoded], dict[str, Any]]:
        """Return that tokens which count do so when they are joined."""
        counts = [p.counts for p in parts if isinstance(p, TokenLabels)]
        return TokenLabels, {"counts": np.concatenate(counts)}

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
    it is. Tokens that count, and the weights of sequences, stay so.
    """
    parts = list(parts)
    first, *others = parts
    if not others:
        return first
    kind, more = first.joined_as(parts)
    sizes = np.concatenate([[0], *(part.lengths for part in parts)])
    names = [
        name for name in first.labels if all(name in p.labels for p in parts)
    ]
    return kind(
        **more,
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
