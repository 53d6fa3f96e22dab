"""Read a user's own labelled text from a .csv or .tsv file with a header."""

import collections
import dataclasses
import functools
import math
import os
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tfminilm.errors import UserError
from tfminilm.tasks.example import Example, Label
from tfminilm.tasks.kinds import COLUMN_KINDS, KINDS, kind_of, label_rows
from tfminilm.tasks.readers import columns as table
from tfminilm.tasks.task import Files, LabelColumns, Task

# Without a file to validate on, one row in this many is kept for validation.
_HELD_OUT = 10
# A class has a short name, and more than one row.
_MOST_CLASSES = 1_000
_FEW_CLASSES = 20
_MOST_NAME = 100
_ONE_NAME = LabelColumns()
_WHOLE = re.compile(r"-?\d{1,18}")


def csv_task(
    path: str | os.PathLike,
    text_columns: Sequence[str],
    label_column: str | None,
    kind: str = "classification",
    labels: Sequence[str] | None = None,
    eval_path: str | os.PathLike | None = None,
    label_columns: LabelColumns = _ONE_NAME,
) -> Task:
    """Make a task of a user's own file.

    The file is UTF-8 with a header line, fields parted by commas (by tabs if
    it is called *.tsv) and quoted where needed, as spreadsheets write them;
    the quotes of a *.tsv may also be part of its texts, as GLUE's are.
    If it is called *.jsonl, each line is an object of JSON, whose keys are the
    columns; a list holds a text's several labels.
    The task's splits are "train" and "validation", and "all" for every row of
    `path`. Validation is `eval_path`, or else a tenth of the rows of `path`,
    always the same ones, which "train" then leaves out.

    Args:
        path: the file.
        text_columns: the names of the one or two columns of text.
        label_column: the name of the column to predict; None if the file is
            only to be predicted on, and then classes need `labels`.
        kind: "classification", "multi_label" or "regression".
        labels: the classes by index; if None, those found in `path`, sorted
            (as numbers if they all are whole numbers).
        eval_path: a file of the same columns.
        label_columns: how labels are written that are not one name a row. Its
            `columns` are the classes; with a label column as well, that is
            the label to be scored, and they are what is learned.

    Raises:
        UserError: there are fewer than two classes, or `path`, which is only
            read to find them, is not as it should be, or what is found looks
            like scores or texts.
    """
    if kind not in COLUMN_KINDS:
        raise UserError(
            f"kind {kind!r}: expected one of {', '.join(COLUMN_KINDS)}"
        )
    _check_columns(text_columns, label_column, label_columns.columns)
    if not KINDS[kind].has_classes:
        _require_no_columns(kind, label_columns)
        labels = ()
    elif label_columns.columns:
        labels = _named_columns(path, label_columns.columns, labels)
        label_columns = dataclasses.replace(label_columns, columns=labels)
    elif labels is None:
        names_of = functools.partial(
            KINDS[kind].names_of,
            Task("", kind, (), (), label_columns=label_columns),
        )
        labels = _classes(path, text_columns, label_column, names_of)
    else:
        _check_classes(path, labels)
    file = os.fspath(path)
    validation = file if eval_path is None else os.fspath(eval_path)
    names = {"train": (file,), "validation": (validation,), "all": (file,)}
    return Task(
        name=f"csv:{file}",
        kind=kind,
        metrics=KINDS[kind].metrics_of(labels),
        files=(Files(names, reader="csv"),),
        labels=tuple(labels),
        texts=tuple(text_columns),
        label=label_column or "",
        label_columns=label_columns,
        test_splits=("all",),
    )


def read(task: Task, split: str) -> list[Example]:
    """Read the examples of a split of a `csv_task`; ids are row numbers from 0.

    Raises:
        UserError: the file or a column is missing, a row has another number
            of columns, a label is not the task's, or no row is left for the
            split. The message names the file and the line.
    """
    names = task.files[0].names
    path = names[split][0]
    wanted = (*task.texts, task.label, *task.label_columns.columns)
    examples = [
        Example(
            str(index), _texts(task, row, where), *_labels(task, row, where)
        )
        for index, (where, row) in enumerate(table.rows(path, wanted))
    ]
    if not any(text.strip() for one in examples for text in one.texts):
        raise UserError(
            f"{path}: all {len(examples):,} texts in "
            f"{' and '.join(task.texts)} are blank; name another column"
        )
    if split != "all" and names["train"] == names["validation"]:
        rows = held_out(len(examples))
        examples = [
            example
            for index, example in enumerate(examples)
            if (index in rows) == (split == "validation")
        ]
    if not examples:
        raise UserError(
            f"{path} has too few rows to keep one of {_HELD_OUT} for "
            "validation; name a file to validate on"
        )
    return examples


def _texts(task: Task, row: Mapping[str, Any], where: str) -> tuple[str, ...]:
    texts = tuple(row[name] for name in task.texts)
    if not all(isinstance(text, str) for text in texts):
        raise UserError(
            f"{where}: a text is a list, expected a text in "
            f"{' and '.join(task.texts)}"
        )
    return texts


def _labels(
    task: Task, row: Mapping[str, Any], where: str
) -> tuple[Label | None, tuple[float, ...] | None]:
    """Return an example's label, and the probabilities to learn instead."""
    kind, columns = kind_of(task), task.label_columns.columns
    label: Label | None = None
    soft = None
    if columns:
        values = label_rows.numbers({n: row[n] for n in columns}, where)
        if values is not None:
            label, soft = kind.parse_numbers(task, values, where)
        elif not task.label:
            raise UserError(
                f"{where}: no numbers in {', '.join(columns)}; give the row "
                "some, or remove it"
            )
    if task.label:
        written = row[task.label]
        if isinstance(written, str):
            written = written.strip()
        elif not kind.has_several_labels:
            raise UserError(
                f"{where}: a list in column {task.label!r}, expected one "
                "label; several of a text are --kind=multi_label"
            )
        if label is not None and kind.has_several_labels:
            assert isinstance(label, tuple)
            soft = label
        elif not written and soft is not None:
            return label, soft  # The likeliest class.
        label = kind.parse_label(task, written, where)
    return label, soft


def _require_no_columns(kind: str, label_columns: LabelColumns) -> None:
    if label_columns.columns:
        raise UserError(
            f"the label columns are {', '.join(label_columns.columns)}, and "
            f"--kind={kind} has no classes: name one column to predict"
        )


def _named_columns(
    path: str | os.PathLike,
    columns: Sequence[str],
    labels: Sequence[str] | None,
) -> tuple[str, ...]:
    """Return the columns in the order of the classes, if that is known."""
    if labels is not None and {*labels} != {*columns}:
        raise UserError(
            f"{path}: the label columns are {', '.join(columns)}, expected "
            f"one for each of {', '.join(labels)}"
        )
    _check_classes(path, columns)
    return tuple(labels or columns)


def _check_columns(
    text_columns: Sequence[str],
    label_column: str | None,
    more: Sequence[str] = (),
) -> None:
    if len(text_columns) not in (1, 2):
        raise UserError(
            f"{len(text_columns)} text columns are named; expected one or two"
        )
    columns = [*text_columns, *filter(None, [label_column]), *more]
    if len(set(columns)) < len(columns) or not all(text_columns):
        raise UserError(
            f"columns {', '.join(map(repr, columns))}: expected the text's "
            "and the label's to be different ones, each with a name; see "
            "--text_columns and --label_column"
        )


def held_out(rows: int) -> set[int]:
    """Draw the rows to validate on.

    They are drawn at random: in files where classes take turns, every tenth
    row may be of the same class.
    """
    return set(random.Random(0).sample(range(rows), rows // _HELD_OUT))


def _check_classes(path: str | os.PathLike, names: Sequence[str]) -> None:
    if len(set(names)) < max(2, len(names)):
        raise UserError(
            f"{path}: the labels are {', '.join(names) or 'none'}; expected "
            "two or more, each once"
        )


def _classes(
    path: str | os.PathLike,
    text_columns: Sequence[str],
    column: str | None,
    names_of: Callable[[Any], list[str]],
) -> list[str]:
    """Return the distinct labels of a file, sorted."""
    if not column:
        raise UserError(f"{path}: name the label's column, or the labels")
    counts: collections.Counter[str] = collections.Counter()
    places: dict[str, str] = {}
    for where, row in table.rows(path, (*text_columns, column)):
        names = names_of(row[column])
        for name in names:
            places.setdefault(name, where)
        if "" in names:
            raise UserError(
                f"{where}: no label in column {column!r}; give the row one, or "
                "remove it"
            )
        counts.update(names)
    check_names(counts, f"{path}, column {column!r}")
    _check_classes(path, list(counts))
    require_distinct(places.items(), os.fspath(path))
    if all(map(_WHOLE.fullmatch, counts)):
        return sorted(counts, key=lambda label: (int(label), label))
    return sorted(counts)


def require_distinct(labels: Iterable[tuple[str, str]], where: str) -> None:
    """Refuse labels that a person would take for one.

    Args:
        labels: each with its place, such as "a.csv, line 7".
        where: what the message calls the file.

    Raises:
        UserError: two differ in case or spacing alone.
    """
    written: dict[str, tuple[str, str]] = {}
    for label, place in labels:
        first, before = written.setdefault(plain(label), (label, place))
        if first != label:
            raise UserError(
                f"{where}: labels {first!r} ({before}) and {label!r} "
                f"({place}) differ in case or spacing alone; write them alike"
            )


def plain(label: str) -> str:
    """Return a label without case and spacing."""
    return " ".join(label.casefold().split())


def check_names(counts: collections.Counter[str], where: str) -> None:
    """Refuse labels that look like scores, texts or the numbers of rows.

    Args:
        counts: how many rows have each label.
        where: what the message calls their place.

    Raises:
        UserError: they do.
    """
    longest = max(counts, key=len, default="")
    if len(longest) > _MOST_NAME:
        raise UserError(
            f"{where}: the label {longest[:30]!r}... has {len(longest):,} "
            f"characters, expected up to {_MOST_NAME}; is it a column of "
            "texts? name another as the label's"
        )
    fraction = next(filter(_is_fraction, counts), None)
    if fraction and all(map(_is_number, counts)):
        raise UserError(
            f"{where}: the labels are numbers such as {fraction}, expected "
            "classes; to predict numbers use --kind=regression"
        )
    count, rows = len(counts), counts.total()
    is_rare = count > _FEW_CLASSES and 2 * count > rows
    if count > _MOST_CLASSES or is_rare:
        raise UserError(
            f"{where}: {count:,} different labels in {rows:,} rows, "
            f"expected up to {_MOST_CLASSES:,} classes, of two rows or more; "
            "name another column as the label's, or use --kind=regression"
        )


def _is_number(label: str) -> bool:
    try:
        return math.isfinite(float(label))
    except ValueError:
        return False


def _is_fraction(label: str) -> bool:
    return _is_number(label) and not float(label).is_integer()
