"""Read tables of fields between delimiters, with quotes or without."""

import contextlib
import csv
import io
import logging
import pathlib
from collections.abc import Iterable, Iterator

from tfminilm.errors import UserError
from tfminilm.tasks.readers import paths

_LOG = logging.getLogger(__name__)

# Each row's first line in the file, from 1, and its fields.
Table = list[tuple[int, list[str]]]


def quoted(path: pathlib.Path, content: str, delimiter: str = ",") -> Table:
    """Return the rows of a table by the rules of RFC 4180, the header first.

    Args:
        path: what errors call the file.
        content: its text, line ends as they are.
        delimiter: what parts fields that are not in quotes.

    Raises:
        UserError: a quote is not closed or not doubled, or a row has another
            number of fields than the first.
    """
    rows: Table = []
    first = 1
    file = io.StringIO(content, newline="")
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    with _fields_up_to(len(content)):
        try:
            for fields in reader:
                rows.append((first, fields))
                first = reader.line_num + 1
        except csv.Error as error:
            raise UserError(
                f"{path}, line {first}: {error}; is a quote not closed, or not "
                "doubled?"
            ) from error
    return _even(path, rows, "is a text with the delimiter in it not quoted?")


def tab_separated(path: pathlib.Path, content: str) -> Table:
    """Return the rows of a table with tabs, and with or without quoting.

    Quotes are read as part of the texts, and this is logged, if every line
    is a whole row without quoting, while quoting would join lines or is not
    closed.

    Raises:
        UserError: the rows differ in width, both with quoting and without.
    """
    table: Table | UserError
    try:
        table = quoted(path, content, "\t")
    except UserError as error:
        table = error
    if '"' in content:
        try:
            plain = _unquoted(path, content)
        except UserError as error:
            if isinstance(table, UserError):
                raise UserError(
                    f"{table}; if quotes are part of the text: {error}"
                ) from error
        else:
            if isinstance(table, UserError) or len(table) < len(plain):
                _LOG.warning(
                    "%s: quotes are read as part of its texts, as every line "
                    "is a row without them",
                    path,
                )
                return plain
    if isinstance(table, UserError):
        raise table
    return table


def _unquoted(path: pathlib.Path, content: str) -> Table:
    """Return the rows of a table without quoting: lines, cut at their tabs."""
    lines = content.split("\n")
    rows = (
        (number, line.removesuffix("\r").split("\t"))
        for number, line in enumerate(lines, start=1)
        if line.removesuffix("\r")
    )
    return _even(path, rows, "is the file cut?")


def _even(
    path: pathlib.Path, rows: Iterable[tuple[int, list[str]]], hint: str
) -> Table:
    """Return the rows that are not blank; refuse rows of another width."""
    kept = [row for row in rows if row[1]]
    width = len(kept[0][1])
    for line, fields in kept:
        paths.require_short(max(fields, key=len), f"{path}, line {line}")
        if len(fields) != width:
            raise UserError(
                f"{path}, line {line}: {len(fields)} columns, expected "
                f"{width}; {hint}"
            )
    return kept


@contextlib.contextmanager
def _fields_up_to(size: int) -> Iterator[None]:
    """Let `csv` read fields of so many characters; its default is 131,072."""
    before = csv.field_size_limit(max(size, csv.field_size_limit()))
    try:
        yield
    finally:
        csv.field_size_limit(before)
