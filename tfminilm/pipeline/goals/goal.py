"""Define what `make` has to know of what is to be predicted."""

import abc
import collections
import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tfminilm.errors import UserError
from tfminilm.pipeline.table import Row
from tfminilm.tasks.readers.csv_file import csv_task
from tfminilm.tasks.task import LabelColumns, Task

# One row of a class for each split.
FEWEST_ROWS = 3
_MOST_SHOWN = 3
LABEL = "label"

Path = str | os.PathLike


@dataclasses.dataclass(frozen=True)
class Goal(abc.ABC):
    """Say what is to be predicted, and how rows and files have it.

    Attributes:
        reason: why this is what the data asks for.
    """

    reason: str = ""

    kind: ClassVar[str]
    """The name of one of `tfminilm.tasks.kinds.KINDS`."""

    suffix: ClassVar[str] = ".jsonl"
    """How the files of the splits end."""

    noun: ClassVar[str] = "classes"
    """What messages call several of `names`."""

    def is_labelled(self, row: Row) -> bool:
        """Tell whether a row says what is to be predicted."""
        return bool(row.label)

    @abc.abstractmethod
    def names(self, row: Row) -> tuple[str, ...]:
        """Return the names that a labelled row counts for; often one."""

    def meaning(self, row: Row) -> Any:
        """Return what rows of one text have to agree on."""
        return row.label

    def counts(self, rows: Sequence[Row]) -> dict[str, int]:
        """Return how many rows each name has, most frequent first."""
        counts = collections.Counter(
            name for row in rows for name in self.names(row)
        )
        return dict(counts.most_common())

    def strata(self, rows: Sequence[Row]) -> list[tuple[str, ...]]:
        """Return for each row the names of which each split shall have some."""
        return [self.names(row) or ("",) for row in rows]

    def labels(self, rows: Sequence[Row]) -> tuple[str, ...]:
        """Return the names of the model's classes in their order."""
        return tuple(sorted(self.counts(rows)))

    @abc.abstractmethod
    def check_written(self, rows: Sequence[Row], name: str) -> None:
        """Refuse labels of single rows.

        Args:
            rows: that are labelled, duplicates too.
            name: what messages call the data.

        Raises:
            UserError: names the row and the remedy.
        """

    @abc.abstractmethod
    def check(self, rows: Sequence[Row], name: str) -> None:
        """Refuse labels of which nothing can be learned.

        Args:
            rows: that are labelled, each text once.
            name: what messages call the data.

        Raises:
            UserError: says which, and the remedy.
        """

    def notes(self, rows: Sequence[Row]) -> list[str]:
        """Return what else a person should know of the rows, one a line."""
        return []

    def describe(self, rows: Sequence[Row]) -> str:
        """Say in a few words what the rows hold."""
        counts = self.counts(rows)
        shown = ", ".join(f"{name} {n:,}" for name, n in counts.items())
        return f"{len(counts)} {self.noun}: {cut(shown)}"

    def columns(self, num_texts: int) -> list[str]:
        """Return the names of the columns of text in the splits' files."""
        return ["text", "text2"][:num_texts]

    def content(self, rows: Sequence[Row]) -> str:
        """Return the content of a split's file."""
        lines = []
        for row in rows:
            columns = self.columns(len(row.texts))
            texts = dict(zip(columns, row.texts, strict=True))
            fields = {**texts, **self.fields(row)}
            lines.append(json.dumps(fields, ensure_ascii=False) + "\n")
        return "".join(lines)

    def fields(self, row: Row) -> Mapping[str, Any]:
        """Return what a split's file has beside the texts."""
        return {LABEL: row.label}

    def task(
        self,
        path: Path,
        num_texts: int,
        labels: Sequence[str],
        eval_path: Path | None = None,
    ) -> Task:
        """Return a split's file as a task.

        Args:
            path: the file.
            num_texts: that are read together.
            labels: of `labels`.
            eval_path: a file to validate on.
        """
        return csv_task(
            path,
            self.columns(num_texts),
            LABEL,
            self.kind,
            labels,
            eval_path,
        )

    def data(self, path: Path, num_texts: int) -> dict[str, Any]:
        """Return what a recipe says of a split's file, as of `DataSpec`."""
        return {
            "source": f"task:csv:{os.fspath(path)}",
            "text_columns": ",".join(self.columns(num_texts)),
            "label_column": LABEL,
            "label_kind": self.kind,
        }


@dataclasses.dataclass(frozen=True)
class ByColumns(Goal):
    """A number in a column of its own for each class.

    Attributes:
        classes: the columns, which are the names of the classes.
        are_logits: whether the numbers stand before a softmax or sigmoid.
    """

    classes: tuple[str, ...] = ()
    are_logits: bool = False

    @property
    def label_column(self) -> str:
        """Return the column of labels beside the numbers; empty for none."""
        return ""

    def is_labelled(self, row: Row) -> bool:
        return any(row.fields)

    def meaning(self, row: Row) -> Any:
        return tuple(map(float, row.fields))

    def labels(self, rows: Sequence[Row]) -> tuple[str, ...]:
        return self.classes

    def columns(self, num_texts: int) -> list[str]:
        # A class may be called "text".
        return [self.free(name) for name in super().columns(num_texts)]

    def free(self, name: str) -> str:
        """Return a column's name, changed if a class has it."""
        while name in self.classes:
            name += "_"
        return name

    def fields(self, row: Row) -> Mapping[str, Any]:
        return dict(zip(self.classes, row.fields, strict=True))

    def task(
        self,
        path: Path,
        num_texts: int,
        labels: Sequence[str],
        eval_path: Path | None = None,
    ) -> Task:
        return csv_task(
            path,
            self.columns(num_texts),
            self.label_column or None,
            self.kind,
            labels,
            eval_path,
            LabelColumns(columns=self.classes, are_logits=self.are_logits),
        )

    def data(self, path: Path, num_texts: int) -> dict[str, Any]:
        return super().data(path, num_texts) | {
            "label_column": self.label_column,
            "label_columns": ",".join(self.classes),
            "soft_labels": "logits" if self.are_logits else "",
        }


def require_classes(
    counts: Mapping[str, int], rows: Sequence[Row], goal: Goal, name: str
) -> None:
    """Refuse fewer than two classes, and classes of too few rows.

    Raises:
        UserError: says which, where they stand, and the remedy.
    """
    if len(counts) < 2:
        only = next(iter(counts), None)
        labels = "no label" if only is None else f"the label {only!r} alone"
        raise UserError(
            f"{name}: {labels}; expected two classes or more: name another "
            "column as the label's"
        )
    require_rows(counts, rows, goal, name)


def require_rows(
    counts: Mapping[str, int], rows: Sequence[Row], goal: Goal, name: str
) -> None:
    """Refuse names that too few rows have to be in each split."""
    for label, count in counts.items():
        if count < FEWEST_ROWS:
            places = [row.where for row in rows if label in goal.names(row)]
            raise UserError(
                f"{name}: label {label!r} has {count} "
                f"text{'s' * (count != 1)} ({few(places)}), expected "
                f"{FEWEST_ROWS} or more, one a split: add some, or remove it"
            )


def few(places: Sequence[str]) -> str:
    """Return the first places, and how many more there are."""
    shown = "; ".join(places[:_MOST_SHOWN])
    more = len(places) - _MOST_SHOWN
    return shown + (f" and {more:,} more" if more > 0 else "")


def cut(text: str, most: int = 300) -> str:
    """Return a text, or its beginning if it is long."""
    return text if len(text) <= most else text[: most - 3] + "..."
