"""Let the examples of some classes count, or come, more than others."""

import collections
import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfminilm.errors import UserError
from tfminilm.tasks.encode import Encoded
from tfminilm.tasks.example import Example

BALANCED = "balanced"
_ROUNDING = 1e-9


@dataclasses.dataclass(frozen=True)
class Weighted(Encoded):
    """Sequences that count by their class: `shares` float32 `[sequences]`."""

    shares: np.ndarray

    def weights(self, rows: np.ndarray, length: int) -> np.ndarray:
        """Return the sample weights of a batch, `[rows]` float32."""
        return super().weights(rows, length) * self.shares[rows]

    def joined_as(
        self, parts: Sequence[Encoded]
    ) -> tuple[type[Encoded], dict[str, Any]]:
        """Return that others, which have no class, count 1 each."""
        shares = [
            part.shares
            if isinstance(part, Weighted)
            else np.ones(len(part), np.float32)
            for part in parts
        ]
        return Weighted, {"shares": np.concatenate(shares)}


@dataclasses.dataclass(frozen=True)
class WeightedLabels(Encoded):
    """Sequences whose labels count each for itself, where they are true.

    `table` is float32 `[labels]`: what a true one weighs; a false one weighs
    1. The weights are scaled to a mean of 1 over all examples.
    """

    table: np.ndarray

    def weights(self, rows: np.ndarray, length: int) -> np.ndarray:
        """Return the sample weights of a batch, `[rows, labels]` float32."""
        values = self.labels["labels"]
        of_one = super().weights(rows, length)[:, None] / self._mean
        return of_one * (1 + values[rows] * (self.table - 1))

    @functools.cached_property
    def _mean(self) -> np.float32:
        values = self.labels["labels"]
        return (1 + values * (self.table - 1)).mean(dtype=np.float32)


def weighted(
    written: str,
    labels: Sequence[str],
    encoded: Encoded,
    are_several: bool = False,
) -> Encoded:
    """Return sequences that count by their class.

    Args:
        written: "balanced", where each class counts as much as any other and
            an example 1 in the mean (of several labels: where those that have
            one count as much as those that do not); weights by name, such as
            "a:2,b:0.5", where other classes have 1; or empty for the
            sequences as they are.
        labels: the names of the classes.
        encoded: their labels are class numbers, or rows of probabilities.
        are_several: whether the rows are of labels, each for itself.

    Raises:
        UserError: a name is no class', or a weight no number from 0.
    """
    if not written:
        return encoded
    values = encoded.labels["labels"]
    fields = {
        f.name: getattr(encoded, f.name) for f in dataclasses.fields(Encoded)
    }
    if are_several:
        true = values.sum(axis=0)
        table = (len(values) - true) / np.maximum(true, 1)
        if written != BALANCED:
            table = _parse(written, labels)
        return WeightedLabels(**fields, table=table.astype(np.float32))
    if values.ndim == 1:
        values = np.eye(len(labels), dtype=np.float32)[values]
    if written == BALANCED:
        counts = values.sum(axis=0)
        table = counts.sum() / (np.maximum(counts, 1e-9) * (counts > 0).sum())
    else:
        table = _parse(written, labels)
    # A class that no example has adds nothing.
    shares = np.where(values > 0, values * table, 0.0).sum(axis=1)
    return Weighted(**fields, shares=shares.astype(np.float32))


def require(written: str, labels: Sequence[str]) -> None:
    """Refuse weights that `weighted` would.

    Args:
        written: as `weighted` takes it.
        labels: the names of the classes.

    Raises:
        UserError: a name is no class', or a weight no number from 0.
    """
    if written not in ("", BALANCED):
        _parse(written, labels)


def oversampled(share: float, examples: Sequence[Example]) -> list[Example]:
    """Return examples, those of rare classes several times.

    Args:
        share: 0 for the examples as they are; 1 for as many of each class as
            of the most frequent one; between, a class of n examples has
            `most ** share * n ** (1 - share)`. Of several labels the rarest
            counts.
        examples: with labels.
    """
    if not share:
        return list(examples)
    classes = [_classes(example) for example in examples]
    counts = collections.Counter(name for row in classes for name in row)
    most = max(counts.values(), default=1)
    # What is due of the examples of one class, fractions included.
    due: dict[float, float] = collections.defaultdict(float)
    result = []
    for example, row in zip(examples, classes, strict=True):
        times = (most / min((counts[x] for x in row), default=most)) ** share
        due[times] += times
        whole = int(due[times] + _ROUNDING)
        due[times] -= whole
        result += [example] * whole
    return result


def _classes(example: Example) -> tuple[int, ...]:
    label = example.label
    if isinstance(label, tuple):
        return tuple(at for at, value in enumerate(label) if value >= 0.5)
    return () if label is None else (int(label),)


def _parse(written: str, labels: Sequence[str]) -> np.ndarray:
    table = np.ones(len(labels))
    for part in written.split(","):
        name, _, number = part.strip().rpartition(":")
        try:
            weight = float(number)
        except ValueError:
            weight = math.nan
        if name not in labels or not 0 <= weight < math.inf:
            raise UserError(
                f"--class_weights has {part.strip()!r}, expected {BALANCED}, "
                f"or a number from 0 behind a class of {', '.join(labels)}, "
                f"such as {labels[0]}:2"
            )
        table[labels.index(name)] = weight
    return table
