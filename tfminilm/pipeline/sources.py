"""Read what `make` learns from: a table, or texts with tags."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any

from tfminilm import json_files
from tfminilm.errors import UserError
from tfminilm.pipeline import table
from tfminilm.pipeline.goals import Goal, Tags, choose
from tfminilm.pipeline.options import Options
from tfminilm.tasks.readers import conll, paths, spans

_CONLL = (".conll", ".conllu", ".bio", ".iob", ".iob2")
_LABEL = "label"


def read(
    data: Any,
    text: Sequence[str],
    label: str | Sequence[str] | None,
    group: str | None,
    options: Options,
) -> tuple[list[table.Row], Goal]:
    """Read labelled text, and tell what it asks to predict.

    Args:
        data: as `table.read` takes it; or a CoNLL file, or a .jsonl file of
            tagged texts.
        text: the names of the one or two columns of text.
        label: the column of the label, or one for each class.
        group: a column whose equal values stay together.
        options: the kind of the labels, if it is told, and how they are
            written.

    Raises:
        UserError: the data cannot be read, or is not as the options say.
    """
    if _is_tagged(data, label, options.kind):
        return _tagged(data, text, label, group)
    labels = [label] if isinstance(label, str) else [*(label or [_LABEL])]
    rows = table.read(data, text, labels, group)
    goal = choose(
        rows,
        labels,
        options.kind,
        options.label_separator,
        options.soft_labels == "logits",
    )
    return rows, goal


def _is_tagged(data: Any, label: Any, kind: str) -> bool:
    """Tell whether data is texts with tags: as told, or as it looks."""
    is_path = isinstance(data, str | os.PathLike)
    if kind == Tags.kind:
        if not is_path:
            raise UserError(
                f"--kind={kind} reads a CoNLL file or a .jsonl file, and the "
                f"data is a {type(data).__name__}: write it to a file"
            )
        return True
    if kind or not is_path:
        return False
    path = pathlib.Path(data).expanduser()
    suffix = path.suffix.lower()
    if suffix != ".jsonl" or label is not None:
        return suffix in _CONLL
    for number, line in paths.lines(path):
        row = json_files.parse(line, f"{path}, line {number}", dict, "")
        return "spans" in row or "tags" in row
    return False


def _tagged(
    data: str | os.PathLike,
    text: Sequence[str],
    label: str | Sequence[str] | None,
    group: str | None,
) -> tuple[list[table.Row], Goal]:
    path = pathlib.Path(data)
    if group:
        raise UserError(
            f"{path} holds tagged texts, which have no column {group!r}: "
            "leave --group out"
        )
    if path.suffix.lower() == ".jsonl":
        texts = spans.read(path, ("", ""))
    else:
        label = label or ""
        number = label if isinstance(label, str) else ",".join(label)
        words = text[0] if text[0].isdecimal() else ""
        texts = conll.read(path, (words, number))
    rows = [
        table.Row(
            place, (example.text,), "" if example.tags is None else example
        )
        for place, example in texts
    ]
    return rows, Tags("a tag for each word")
