"""One of several classes: by its name, by a probability of each, or both."""

import collections
import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from tfminilm.errors import UserError
from tfminilm.pipeline.goals.goal import (
    LABEL,
    ByColumns,
    Goal,
    require_classes,
)
from tfminilm.pipeline.table import Row
from tfminilm.tasks.kinds import label_rows
from tfminilm.tasks.readers.csv_file import (
    check_names,
    plain,
    require_distinct,
)


@dataclasses.dataclass(frozen=True)
class OneClass(Goal):
    """A column of names of classes."""

    kind: ClassVar[str] = "classification"
    suffix: ClassVar[str] = ".csv"

    def names(self, row: Row) -> tuple[str, ...]:
        return (str(row.label),)

    def meaning(self, row: Row) -> Any:
        return plain(str(row.label))

    def check_written(self, rows: Sequence[Row], name: str) -> None:
        require_distinct([(str(row.label), row.where) for row in rows], name)

    def check(self, rows: Sequence[Row], name: str) -> None:
        counts = self.counts(rows)
        if len(counts) > 1:
            check_names(collections.Counter(counts), name)
        require_classes(counts, rows, self, name)

    def content(self, rows: Sequence[Row]) -> str:
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        if any("\r" in cell for row in rows for cell in row.texts):
            # Unquoted, a carriage return would end the row.
            writer = csv.writer(
                text, lineterminator="\n", quoting=csv.QUOTE_ALL
            )
        writer.writerow([*self.columns(len(rows[0].texts)), LABEL])
        writer.writerows([*row.texts, row.label] for row in rows)
        return text.getvalue()


@dataclasses.dataclass(frozen=True)
class SoftClasses(ByColumns):
    """Columns of probabilities, or logits, of classes of which one is true."""

    kind: ClassVar[str] = "classification"

    def names(self, row: Row) -> tuple[str, ...]:
        return (self.classes[int(np.argmax(self._shares(row)))],)

    def check_written(self, rows: Sequence[Row], name: str) -> None:
        for row in rows:
            self._shares(row)

    def check(self, rows: Sequence[Row], name: str) -> None:
        require_classes(self.counts(rows), rows, self, name)

    def _shares(self, row: Row) -> tuple[float, ...]:
        written = dict(zip(self.classes, row.fields, strict=True))
        values = label_rows.numbers(written, row.where)
        assert values is not None  # The row is labelled.
        return label_rows.one_of_several(values, self.are_logits, row.where)


@dataclasses.dataclass(frozen=True)
class NamedAndSoftClasses(SoftClasses):
    """A column of names of classes, and one of probabilities of each.

    A row's label has the name first, then the probabilities; either may be
    missing. The name, or else the likeliest class, is what is right. The
    probabilities, where there are some, are what is learned.
    """

    @property
    def label_column(self) -> str:
        return self.free(LABEL)

    def names(self, row: Row) -> tuple[str, ...]:
        name, *numbers = row.fields
        return (name,) if name else super().names(_only_numbers(row, numbers))

    def meaning(self, row: Row) -> Any:
        return plain(*self.names(row))

    def check_written(self, rows: Sequence[Row], name: str) -> None:
        for row in rows:
            label, *numbers = row.fields
            if label not in ("", *self.classes):
                raise UserError(
                    f"{row.where}: the label {label[:60]!r} has no column of "
                    f"probabilities: expected one of {', '.join(self.classes)}"
                )
            if any(numbers):
                self._shares(_only_numbers(row, numbers))

    def notes(self, rows: Sequence[Row]) -> list[str]:
        counts = collections.Counter(map(self._differ, rows))
        lines = [
            f"{counts[None]:,} rows have no probabilities, and teach their "
            "label"
        ]
        if counts[True]:
            lines.append(
                f"in {counts[True]:,} rows another class is likelier than the "
                "label: that is learned, and the label is what is right"
            )
        return lines

    def fields(self, row: Row) -> Mapping[str, Any]:
        name, *numbers = row.fields
        shares = dict(zip(self.classes, numbers, strict=True))
        return {self.label_column: name, **shares}

    def _differ(self, row: Row) -> bool | None:
        """Tell whether another class than the label's is the likeliest."""
        name, *numbers = row.fields
        if not any(numbers):
            return None
        likeliest = super().names(_only_numbers(row, numbers))
        return bool(name) and likeliest != (name,)


def _only_numbers(row: Row, numbers: Sequence[str]) -> Row:
    return dataclasses.replace(row, label=tuple(numbers))
