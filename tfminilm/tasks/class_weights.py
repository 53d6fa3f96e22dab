"""Let the examples of some classes count more than others."""

import dataclasses
import functools
import math
from collections.abc import Sequence

import numpy as np

from tfminilm.errors import UserError
from tfminilm.tasks.encode import Encoded

BALANCED = "balanced"


@dataclasses.dataclass(frozen=True)
class Weighted(Encoded):
    """Sequences that count by their class: `shares` float32 `[sequences]`."""

    shares: np.ndarray

    def weights(self, rows: np.ndarray, length: int) -> np.ndarray:
        """Return the sample weights of a batch, `[rows]` float32."""
        return super().weights(rows, length) * self.shares[rows]


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
