"""Several labels of a text: in a list, in one field, or in columns."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from tfminilm.errors import UserError
from tfminilm.pipeline.goals.goal import (
    LABEL,
    ByColumns,
    Goal,
    require_rows,
)
from tfminilm.pipeline.table import Row
from tfminilm.tasks.kinds import label_rows
from tfminilm.tasks.readers.csv_file import require_distinct

_FEWEST_LABELS = 2


@dataclasses.dataclass(frozen=True)
class SeveralLabels(Goal):
    """A list of labels, or a field with a separator between them.

    A row without a label has none of them.

    Attributes:
        separator: between labels in a field; empty for lists.
    """

    separator: str = ""

    kind: ClassVar[str] = "multi_label"
    noun: ClassVar[str] = "labels"

    def is_labelled(self, row: Row) -> bool:
        return True

    def names(self, row: Row) -> tuple[str, ...]:
        return split(row.label, self.separator)

    def meaning(self, row: Row) -> Any:
        return frozenset(self.names(row))

    def check_written(self, rows: Sequence[Row], name: str) -> None:
        require_distinct(
            [(x, row.where) for row in rows for x in self.names(row)], name
        )
        for row in rows:
            labels = self.names(row)
            if len({*labels}) < len(labels):
                raise UserError(
                    f"{row.where}: the labels are {', '.join(labels)[:80]}, "
                    "expected each once: remove the second"
                )

    def check(self, rows: Sequence[Row], name: str) -> None:
        _check(self, rows, name)

    def describe(self, rows: Sequence[Row]) -> str:
        return super().describe(rows) + _none_of(self, rows)

    def fields(self, row: Row) -> Mapping[str, Any]:
        return {LABEL: list(self.names(row))}


@dataclasses.dataclass(frozen=True)
class LabelColumns(ByColumns):
    """A column for each label, of 1 and 0 or of probabilities."""

    kind: ClassVar[str] = "multi_label"
    noun: ClassVar[str] = "labels"

    def names(self, row: Row) -> tuple[str, ...]:
        written = dict(zip(self.classes, row.fields, strict=True))
        values = label_rows.numbers(written, row.where)
        assert values is not None  # The row is labelled.
        shares = label_rows.each_for_itself(values, self.are_logits, row.where)
        is_on = np.array(shares) >= 0.5
        return tuple(np.array(self.classes, object)[is_on].tolist())

    def check_written(self, rows: Sequence[Row], name: str) -> None:
        for row in rows:
            self.names(row)

    def check(self, rows: Sequence[Row], name: str) -> None:
        counts = self.counts(rows)
        empty = [label for label in self.classes if label not in counts]
        if empty:
            raise UserError(
                f"{name}: no row has {empty[0]!r}, expected 1 (or 0.5 and "
                "more) in some: leave that column out of --label"
            )
        _check(self, rows, name)

    def describe(self, rows: Sequence[Row]) -> str:
        return super().describe(rows) + _none_of(self, rows)


def split(label: Any, separator: str) -> tuple[str, ...]:
    """Return the labels of a field."""
    parts = label
    if isinstance(label, str):
        parts = label.split(separator) if separator else [label]
    return tuple(name for part in parts if (name := part.strip()))


def _check(goal: Goal, rows: Sequence[Row], name: str) -> None:
    counts = goal.counts(rows)
    if len(counts) < _FEWEST_LABELS:
        raise UserError(
            f"{name}: the labels are {', '.join(counts) or 'none'}; expected "
            "two or more: name another column as the label's"
        )
    require_rows(counts, rows, goal, name)


def _none_of(goal: Goal, rows: Sequence[Row]) -> str:
    count = sum(not goal.names(row) for row in rows)
    return f"; {count:,} rows have none of them" if count else ""
