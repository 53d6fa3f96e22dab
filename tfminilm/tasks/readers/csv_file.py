"""Read a user's own labelled text from a .csv or .tsv file with a header."""

import collections
import math
import os
import pathlib
import random
import re
from collections.abc import Iterator, Sequence

from tfminilm.errors import UserError
from tfminilm.tasks.example import Example
from tfminilm.tasks.kinds import COLUMN_KINDS, KINDS, kind_of
from tfminilm.tasks.readers import paths
from tfminilm.tasks.readers.delimited import quoted, tab_separated
from tfminilm.tasks.task import Files, Task

# Without a file to validate on, one row in this many is kept for validation.
_HELD_OUT = 10
# A class has a short name, and more than one row.
_MOST_CLASSES = 1_000
_FEW_CLASSES = 20
_MOST_NAME = 100
_WHOLE = re.compile(r"-?\d{1,18}")


def csv_task(
    path: str | os.PathLike,
    text_columns: Sequence[str],
    label_column: str | None,
    kind: str = "classification",
    labels: Sequence[str] | None = None,
    eval_path: str | os.PathLike | None = None,
) -> Task:
    """Make a task of a user's own file.

    The file is UTF-8 with a header line, fields parted by commas (by tabs if
    it is called *.tsv) and quoted where needed, as spreadsheets write them;
    the quotes of a *.tsv may also be part of its texts, as GLUE's are.
    The task's splits are "train" and "validation", and "all" for every row of
    `path`. Validation is `eval_path`, or else a tenth of the rows of `path`,
    always the same ones, which "train" then leaves out.

    Args:
        path: the file.
        text_columns: the names of the one or two columns of text.
        label_column: the name of the column to predict; None if the file is
            only to be predicted on, and then classes need `labels`.
        kind: "classification" or "regression".
        labels: the classes by index; if None, those found in `path`, sorted
            (as numbers if they all are whole numbers).
        eval_path: a file of the same columns.

    Raises:
        UserError: there are fewer than two classes, or `path`, which is only
            read to find them, is not as it should be, or what is found looks
            like scores or texts.
    """
    if kind not in COLUMN_KINDS:
        raise UserError(
            f"kind {kind!r}: expected one of {', '.join(COLUMN_KINDS)}"
        )
    _check_columns(text_columns, label_column)
    if not KINDS[kind].has_classes:
        labels = ()
    elif labels is None:
        labels = _classes(path, text_columns, label_column)
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
    kind = kind_of(task)
    examples = [
        Example(
            id=str(index),
            texts=tuple(row[name] for name in task.texts),
            label=kind.parse_label(task, row[task.label].strip(), where)
            if task.label
            else None,
        )
        for index, (where, row) in enumerate(
            _rows(path, (*task.texts, task.label))
        )
    ]
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


def _check_columns(
    text_columns: Sequence[str], label_column: str | None
) -> None:
    if len(text_columns) not in (1, 2):
        raise UserError(
            f"{len(text_columns)} text columns are named; expected one or two"
        )
    columns = [*text_columns, *filter(None, [label_column])]
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
    path: str | os.PathLike, text_columns: Sequence[str], column: str | None
) -> list[str]:
    """Return the distinct labels of a file, sorted."""
    if not column:
        raise UserError(f"{path}: name the label's column, or the labels")
    counts: collections.Counter[str] = collections.Counter()
    for where, row in _rows(path, (*text_columns, column)):
        label = row[column].strip()
        if not label:
            raise UserError(
                f"{where}: no label in column {column!r}; give the row one, or "
                "remove it"
            )
        counts[label] += 1
    _check_names(counts, f"{path}, column {column!r}")
    _check_classes(path, list(counts))
    if all(map(_WHOLE.fullmatch, counts)):
        return sorted(counts, key=lambda label: (int(label), label))
    return sorted(counts)


def _check_names(counts: collections.Counter[str], where: str) -> None:
    """Refuse labels that look like scores, texts or the numbers of rows."""
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


def _rows(
    path: str | os.PathLike, wanted: Sequence[str]
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the rows below the header, each with its place in the file."""
    path = pathlib.Path(path).expanduser()
    content = paths.text(path)
    is_tsv = path.suffix.lower() == ".tsv"
    table = tab_separated(path, content) if is_tsv else quoted(path, content)
    _, header = table[0]
    _check_header(path, header, wanted)
    # Spreadsheets write rows of nothing but delimiters below a table.
    rows = [
        row
        for row in table[1:]
        if len(header) == 1 or any(map(str.strip, row[1]))
    ]
    if not rows:
        raise UserError(
            f"{path} has a header and no rows; expected a row for each example"
        )
    for line, fields in rows:
        where = f"{path}, line {line}"
        yield where, dict(zip(header, fields, strict=True))


def _check_header(
    path: pathlib.Path, header: list[str], wanted: Sequence[str]
) -> None:
    for name in filter(None, wanted):
        if header.count(name) != 1:
            fault = "two columns" if name in header else "no column"
            raise UserError(
                f"{path}, line 1: {fault} {name!r}; the header reads "
                f"{', '.join(header)[:200]!r}; name columns that are there "
                "once"
            )
