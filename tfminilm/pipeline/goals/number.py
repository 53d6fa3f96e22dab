"""A number to predict: regression."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from tfminilm.errors import UserError
from tfminilm.pipeline.goals.goal import FEWEST_ROWS, Goal
from tfminilm.pipeline.table import Row

# So that low and high scores are in each split.
_STRATA = 10
# Of fewer a tenth is no row.
_ROWS_OF_STRATUM = 10


@dataclasses.dataclass(frozen=True)
class Number(Goal):
    """A column of numbers."""

    kind: ClassVar[str] = "regression"
    suffix: ClassVar[str] = ".jsonl"

    def names(self, row: Row) -> tuple[str, ...]:
        return ()

    def meaning(self, row: Row) -> Any:
        return number_of(row.label)

    def labels(self, rows: Sequence[Row]) -> tuple[str, ...]:
        return ()

    def strata(self, rows: Sequence[Row]) -> list[tuple[str, ...]]:
        values = self._values(rows)
        count = max(1, min(_STRATA, len(values) // _ROWS_OF_STRATUM))
        edges = np.quantile(values, np.arange(1, count) / count)
        places = np.searchsorted(np.unique(edges), values, side="right")
        return [(f"{place:02d}",) for place in places]

    def check_written(self, rows: Sequence[Row], name: str) -> None:
        for row in rows:
            if not math.isfinite(number_of(row.label)):
                raise UserError(
                    f"{row.where}: score {str(row.label)[:60]!r} is not a "
                    "finite number; expected one such as 3.5"
                )

    def check(self, rows: Sequence[Row], name: str) -> None:
        if len(rows) < FEWEST_ROWS:
            raise UserError(
                f"{name}: {len(rows)} rows have a number, expected "
                f"{FEWEST_ROWS} or more: name another column as the label's"
            )
        values = self._values(rows)
        if values.min() == values.max():
            raise UserError(
                f"{name}: every number is {values[0]:g}, expected several; "
                "name another column as the label's"
            )

    def describe(self, rows: Sequence[Row]) -> str:
        values = self._values(rows)
        return (
            f"numbers from {values.min():g} to {values.max():g}, mean "
            f"{values.mean():.3g}"
        )

    def _values(self, rows: Sequence[Row]) -> np.ndarray:
        return np.array([number_of(row.label) for row in rows])


def number_of(label: Any) -> float:
    """Return a label's number; NaN if it is none."""
    try:
        return float(label)
    except (TypeError, ValueError):
        return math.nan
