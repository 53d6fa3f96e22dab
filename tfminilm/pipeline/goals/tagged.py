"""Names in a text: a tag for each word."""

import dataclasses
import json
import os
from collections.abc import Sequence
from typing import Any, ClassVar

from tfminilm.errors import UserError
from tfminilm.pipeline.goals.goal import Goal, Path, few, require_rows
from tfminilm.pipeline.table import Row
from tfminilm.tasks import entities
from tfminilm.tasks.example import TaggedText
from tfminilm.tasks.readers.tagged import tagged_task
from tfminilm.tasks.task import Task


@dataclasses.dataclass(frozen=True)
class Tags(Goal):
    """Entities; a row's label is a `TaggedText`."""

    kind: ClassVar[str] = "token_classification"
    noun: ClassVar[str] = "kinds of names"

    def names(self, row: Row) -> tuple[str, ...]:
        tags = _tagged(row).tags or ()
        return tuple(
            sorted({tag[2:] for tag in tags if tag != entities.OUTSIDE})
        )

    def meaning(self, row: Row) -> Any:
        return _tagged(row).tags

    def labels(self, rows: Sequence[Row]) -> tuple[str, ...]:
        tags = {tag for row in rows for tag in _tagged(row).tags or ()}
        return entities.complete(tags, "the data")

    def check_written(self, rows: Sequence[Row], name: str) -> None:
        tags = {tag for row in rows for tag in _tagged(row).tags or ()}
        entities.scheme_of(tags, name)

    def check(self, rows: Sequence[Row], name: str) -> None:
        counts = self.counts(rows)
        if not counts:
            raise UserError(
                f"{name}: every tag is O, expected names to learn; "
                f"{entities.EXPECTED}"
            )
        require_rows(counts, rows, self, name)

    def describe(self, rows: Sequence[Row]) -> str:
        words = sum(len(_tagged(row).words) for row in rows)
        return f"{words:,} words, {super().describe(rows)}, by texts"

    def notes(self, rows: Sequence[Row]) -> list[str]:
        places = [
            row.where
            for row in rows
            if entities.begin_inside(_tagged(row).tags or ())
        ]
        if not places:
            return []
        return [f"names that begin with I-, read as B-: {few(places)}"]

    def content(self, rows: Sequence[Row]) -> str:
        return "".join(
            json.dumps(_line(_tagged(row)), ensure_ascii=False) + "\n"
            for row in rows
        )

    def task(
        self,
        path: Path,
        num_texts: int,
        labels: Sequence[str],
        eval_path: Path | None = None,
    ) -> Task:
        name = f"spans:{os.fspath(path)}"
        return tagged_task(name, labels=labels, eval_path=eval_path)

    def data(self, path: Path, num_texts: int) -> dict[str, Any]:
        return {"source": f"task:spans:{os.fspath(path)}"}


def _tagged(row: Row) -> TaggedText:
    assert isinstance(row.label, TaggedText)
    return row.label


def _line(example: TaggedText) -> dict[str, Any]:
    """Return a text as the reader of "spans:FILE" takes it."""
    tags = entities.begun(example.tags or ())
    words = [example.text[start:end] for start, end in example.words]
    if " ".join(words) == example.text:
        return {"tokens": words, "tags": list(tags)}
    spans = [
        entity._asdict() for entity in entities.entities(tags, example.words)
    ]
    return {"text": example.text, "spans": spans}
