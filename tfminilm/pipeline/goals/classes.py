"""One of several classes: by its name, or by a probability of each."""

import collections
import csv
import dataclasses
import io
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

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
