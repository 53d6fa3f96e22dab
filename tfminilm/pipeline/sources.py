"""Read what `make` learns from: a table, or texts with tags."""

import json
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from tfminilm import json_files
from tfminilm.errors import UserError
from tfminilm.pipeline import table
from tfminilm.pipeline.goals import Goal, Tags, choose, choose_beside
from tfminilm.pipeline.options import Options
from tfminilm.tasks.readers import conll, paths, spans

_CONLL = (".conll", ".conllu", ".bio", ".iob", ".iob2")
_JSON_LINES = ".jsonl"
_TABLES = (_JSON_LINES, ".parquet")
_LABEL, _TAGS = "label", "tags"


def read(
    data: Any,
    text: Sequence[str],
    label: str | Sequence[str] | None,
    group: str | None,
    options: Options,
    probabilities: Sequence[str] = (),
) -> tuple[list[table.Row], Goal]:
    """Read labelled text, and tell what it asks to predict.

    Args:
        data: as `table.read` takes it; or a CoNLL file, or a .jsonl file of
            tagged texts, or by the options' kind other rows of them.
        text: the names of the one or two columns of text; of tagged texts
            that of the texts, or of lists of their words.
        label: the column of the label, or one for each class; of tagged texts
            that of the spans, or of lists of tags.
        group: a column whose equal values stay together.
        options: the kind of the labels, if it is told, and how they are
            written.
        probabilities: columns of probabilities, or logits, beside the label;
            they are the names of the classes.

    Raises:
        UserError: the data cannot be read, or is not as the options say.
    """
    if _is_tagged(data, label, options.kind):
        are_logits = options.soft_labels == "logits"
        if options.label_separator or are_logits or probabilities:
            raise UserError(
                f"{table.name_of(data)} holds tagged texts, which have no "
                "--label_separator, --probabilities and --soft_labels=logits: "
                "leave them out"
            )
        return _tagged(data, text, label, group)
    labels = [label] if isinstance(label, str) else [*(label or [_LABEL])]
    rows = table.read(data, text, [*labels, *probabilities], group)
    are_logits = options.soft_labels == "logits"
    if probabilities:
        goal = choose_beside(labels, probabilities, options.kind, are_logits)
        return rows, goal
    goal = choose(
        rows,
        labels,
        options.kind,
        options.label_separator,
        are_logits,
    )
    return rows, goal


def _is_tagged(data: Any, label: Any, kind: str) -> bool:
    """Tell whether data is texts with tags: as told, or as a file looks."""
    if kind or not isinstance(data, str | os.PathLike):
        return kind == Tags.kind
    path = pathlib.Path(data).expanduser()
    suffix = path.suffix.lower()
    if suffix != _JSON_LINES or label is not None:
        return suffix in _CONLL
    for number, line in paths.lines(path):
        row = json_files.parse(line, f"{path}, line {number}", dict, "")
        return "spans" in row or "tags" in row
    return False


def _tagged(
    data: Any,
    text: Sequence[str],
    label: str | Sequence[str] | None,
    group: str | None,
) -> tuple[list[table.Row], Goal]:
    names = [label] if isinstance(label, str) else [*(label or [])]
    if group or len(text) > 1 or len(names) > 1:
        raise UserError(
            f"{table.name_of(data)} holds tagged texts: expected one column "
            "of text, one of tags or spans, and none of groups"
        )
    suffix = ""
    if isinstance(data, str | os.PathLike):
        suffix = pathlib.Path(data).suffix.lower()
    if suffix == _JSON_LINES and not names:
        texts = spans.read(pathlib.Path(data), ("", ""))
    elif suffix in ("", *_TABLES):
        lines = _lines(data, text[0], *(names or [_TAGS]))
        texts = spans.of_lines(lines, table.name_of(data))
    else:
        words = text[0] if text[0].isdecimal() else ""
        tags = names[0] if names else ""
        texts = conll.read(pathlib.Path(data), (words, tags))
    rows = [
        table.Row(
            place, (example.text,), "" if example.tags is None else example
        )
        for place, example in texts
    ]
    return rows, Tags("a tag for each word")


def _lines(data: Any, text: str, tags: str) -> Iterator[tuple[str, str]]:
    """Yield a table's rows as lines of JSON, as `spans` reads them."""
    for where, row in table.records(data, [text, tags]):
        words, value = row[text], row[tags]
        if isinstance(words, str):
            line = {"text": words, "spans": value}
        else:
            line = {"tokens": words, "tags": value}
        yield where, json.dumps(line, default=_plain)


def _plain(value: Any) -> Any:
    """Return what NumPy and TensorFlow wrap."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.tolist() if hasattr(value, "tolist") else str(value)
