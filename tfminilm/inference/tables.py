"""Read texts from a file or from standard input, with their columns."""

import pathlib
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from tfminilm import files, json_files
from tfminilm.errors import UsageError, UserError
from tfminilm.inference.texts import Row
from tfminilm.tasks.readers import paths
from tfminilm.tasks.readers.columns import rows_of

FORMATS = ("txt", "csv", "tsv", "jsonl")
STANDARD_INPUT = "-"
# Of a file of lines, and of texts on the command line.
TEXT = "text"
# How columns of texts are often called; looked for if none are named.
_OFTEN: dict[int, tuple[tuple[str, ...], ...]] = {
    1: ((TEXT,), ("sentence",)),
    2: (
        ("question", "context"),
        ("sentence1", "sentence2"),
        ("text1", "text2"),
        ("premise", "hypothesis"),
    ),
}
_REMEDY = "expected an object with texts on each line, or a text"


class Table(NamedTuple):
    """Hold rows of columns.

    Attributes:
        name: of the file, for messages.
        rows: each with its values by column.
        places: of each row, for messages.
    """

    name: str
    rows: list[dict[str, Any]]
    places: list[str]

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column, those of the first row first."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row))


def of_texts(texts: Sequence[str], seconds: Sequence[str]) -> Table:
    """Return texts of the command line as rows.

    Args:
        texts: the texts, or the first ones of pairs.
        seconds: what belongs to each; empty for single texts.

    Raises:
        UsageError: there are not as many of both.
    """
    if seconds and len(seconds) != len(texts):
        raise UsageError(
            f"predict: {len(texts)} --text and {len(seconds)} --context: "
            "expected as many of both"
        )
    rows = [{TEXT: text} for text in texts]
    for row, second in zip(rows, seconds, strict=False):
        row["context"] = second
    places = [f"--text number {number}" for number in range(1, len(rows) + 1)]
    return Table("--text", rows, places)


def read(path: str, format: str | None = None) -> Table:
    """Read a file.

    Args:
        path: the file, or "-" for standard input.
        format: one of `FORMATS`; by default by the file's ending, and "txt" of
            standard input: a text a line.

    Raises:
        UsageError: the ending is none of those.
        UserError: the file cannot be read, or is empty or damaged.
    """
    if path == STANDARD_INPUT:
        name, format = "standard input", format or "txt"
        content = paths.decoded(_standard_input(), name)
    else:
        name = path
        format = format or pathlib.Path(path).suffix.lower().removeprefix(".")
        if format not in FORMATS:
            raise UsageError(
                f"predict: --file={path} ends in none of .txt, .csv, .tsv and "
                ".jsonl: say what it is with --input_format=csv, for example"
            )
        content = paths.text(pathlib.Path(path).expanduser())
    if format == "txt":
        return _lines(name, content)
    if format == "jsonl":
        return _json_lines(name, content)
    return _columns(name, content, format)


def texts_of(
    table: Table,
    columns: Sequence[str] | None,
    is_pair: bool,
    skips_blank: bool = False,
) -> tuple[Table, list[Row]]:
    """Return the texts of a table's rows.

    Args:
        table: the rows.
        columns: that hold the texts; None to look for them.
        is_pair: whether the model reads two texts together.
        skips_blank: leave rows without a text out.

    Returns:
        The rows that are left, and the texts of each.

    Raises:
        UsageError: there are no such columns, or it is not known which.
        UserError: a row has no text.
    """
    count = 2 if is_pair else 1
    columns = _chosen(table, columns, count)
    kept, texts = Table(table.name, [], []), []
    for row, place in zip(table.rows, table.places, strict=True):
        found = [row.get(name) for name in columns]
        for name, value in zip(columns, found, strict=True):
            if value is not None and not isinstance(value, str):
                raise UserError(
                    f"{place}: {name} is {str(value)[:40]!r}, expected text"
                )
        if all(value and value.strip() for value in found):
            kept.rows.append(row)
            kept.places.append(place)
            texts.append(tuple(map(str, found)))
        elif not skips_blank:
            raise UserError(
                f"{place}: {' or '.join(columns)} is blank, expected text: "
                "fill it in, or leave such rows out with --skip_blank"
            )
    if not texts:
        raise UserError(f"{table.name} has no text but blank ones")
    return kept, texts


def _chosen(
    table: Table, columns: Sequence[str] | None, count: int
) -> Sequence[str]:
    names = table.columns
    if columns is None:
        often = (each for each in _OFTEN[count] if {*each} <= {*names})
        columns = names if len(names) == count else next(often, None)
    together = "two texts together" if count == 2 else "single texts"
    if columns is None:
        example = ",".join(names[:count])
        raise UsageError(
            f"{table.name} has {_listed(names)}, and the model reads "
            f"{together}: name what it reads with --text_columns={example}"
        )
    if len(columns) != count or not {*columns} <= {*names}:
        raise UsageError(
            f"--text_columns={','.join(columns)}: the model reads {together}, "
            f"and {table.name} has {_listed(names)}"
        )
    return columns


def _listed(names: Sequence[str]) -> str:
    many = f"the columns {', '.join(map(repr, names))}"
    return many if len(names) > 1 else f"one column {names[0]!r}"


def _standard_input() -> bytes:
    raw = sys.stdin.buffer.read(files.MOST_BYTES + 1)
    if len(raw) > files.MOST_BYTES:
        raise UserError(
            "standard input is too large: expected up to "
            f"{files.megabytes(files.MOST_BYTES)}"
        )
    return raw


def _lines(name: str, content: str) -> Table:
    """Return a row for each line; blank lines at the end are none."""
    # Not `splitlines`: a text may hold a line separator of Unicode's.
    lines = content.rstrip().split("\n")
    rows, places = [], []
    for number, line in enumerate(lines, start=1):
        places.append(f"{name}, line {number}")
        line = line.removesuffix("\r")
        paths.require_short(line, places[-1])
        rows.append({TEXT: line})
    return Table(name, rows, places)


def _columns(name: str, content: str, format: str) -> Table:
    rows, places = [], []
    for place, row in rows_of(name, content, format == "tsv"):
        rows.append(row)
        places.append(place)
    return Table(name, rows, places)


def _json_lines(name: str, content: str) -> Table:
    rows, places = [], []
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.strip():
            continue
        place = f"{name}, line {number}"
        paths.require_short(line, place)
        value = json_files.parse(line, place, (dict, str), _REMEDY)
        rows.append({TEXT: value} if isinstance(value, str) else value)
        places.append(place)
    return Table(name, rows, places)
