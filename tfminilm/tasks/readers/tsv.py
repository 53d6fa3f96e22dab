"""Read tab-separated files as GLUE and XNLI write them, without quoting."""

import logging
import pathlib
from collections.abc import Iterator

from tfminilm.errors import UserError
from tfminilm.tasks.example import Example
from tfminilm.tasks.kinds import kind_of
from tfminilm.tasks.readers import paths
from tfminilm.tasks.task import Task

_LOG = logging.getLogger(__name__)
_LANGUAGE = "language"


def read(
    task: Task,
    path: pathlib.Path,
    columns: tuple[str, ...] = (),
    labelled: bool = True,
    language: str = "",
) -> list[Example]:
    """Read the examples of a file, in its order; ids are row numbers from 0.

    Fields are cut at tabs and nowhere else. A quoting reader would swallow
    the lines between two of the lone quotes of MRPC and others.

    Args:
        columns: the columns' names; () if the first line tells them.
        labelled: whether the label's column must be there. If it is not
            there, labels are None.
        language: the only language to read, in files with such a column.

    Raises:
        UserError: the file is missing, empty or cut, a column is missing, a
            row has more or fewer than the others, or a label is not the
            task's. The message names the file and the line.
    """
    rows = paths.lines(path)
    if not columns:
        number, line = next(rows)
        columns = tuple(line.split("\t"))
        wanted = task.texts + (task.label,) * labelled
        wanted += (_LANGUAGE,) * bool(language)
        _check_header(task, columns, wanted, f"{path}, line {number}")
    examples = []
    languages = set()
    for index, where, row in _whole_rows(task, path, rows, columns):
        row_language = row.get(_LANGUAGE, language)
        languages.add(row_language)
        if not language or row_language == language:
            examples.append(_example(task, index, row, where))
    if not examples:
        raise UserError(
            f"{path} has no example of language {language!r}; it has "
            f"{', '.join(sorted(languages))}"
            if languages
            else f"{path} has a header and no examples; copy it again"
        )
    return examples


def _example(
    task: Task, index: int, row: dict[str, str], where: str
) -> Example:
    label = row.get(task.label)
    return Example(
        id=str(index),
        texts=tuple(row[name] for name in task.texts),
        label=None
        if label is None
        else kind_of(task).parse_label(task, label, where),
    )


def _check_header(
    task: Task, columns: tuple[str, ...], wanted: tuple[str, ...], where: str
) -> None:
    for name in wanted:
        if name not in columns:
            raise UserError(
                f"{where}: no column {name!r} as {task.name} has it; the "
                f"header reads {', '.join(columns)[:200]!r}; is it another "
                "task's? copy the file again"
            )


def _whole_rows(
    task: Task,
    path: pathlib.Path,
    rows: Iterator[tuple[int, str]],
    columns: tuple[str, ...],
) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Yield each whole row's index, place in the file, and fields."""
    broken = []
    for index, (number, line) in enumerate(rows):
        fields = line.split("\t")
        if len(fields) == len(columns):
            row = dict(zip(columns, fields, strict=True))
            yield index, f"{path}, line {number}", row
        elif task.drops_broken_rows:
            broken.append(number)
        else:
            raise UserError(
                f"{path}, line {number}: {len(fields)} columns, expected "
                f"{len(columns)}; is the file cut, or another task's?"
            )
    if broken:
        _LOG.warning(
            "%s: left out %d rows of a wrong number of columns, the first in "
            "line %d",
            path,
            len(broken),
            broken[0],
        )
