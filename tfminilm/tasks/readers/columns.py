"""Read the rows of a user's own table by the names of its columns."""

import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tfminilm.errors import UserError
from tfminilm.tasks.readers import json_rows, paths
from tfminilm.tasks.readers.delimited import quoted, tab_separated


def rows(
    path: str | os.PathLike, wanted: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows of a .csv, .tsv or .jsonl file, each with its place.

    Args:
        path: the file; its ending says how it is read.
        wanted: columns that have to be there, once each; empty names are left
            out.

    Raises:
        UserError: the file cannot be read, has no rows, or a column is
            missing.
    """
    path = pathlib.Path(path).expanduser()
    if path.suffix.lower() == ".jsonl":
        yield from json_rows.rows(path, [*filter(None, wanted)])
        return
    is_tsv = path.suffix.lower() == ".tsv"
    yield from rows_of(str(path), paths.text(path), is_tsv, wanted)


def rows_of(
    name: str,
    content: str,
    is_tsv: bool,
    wanted: Sequence[str] | None = None,
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the rows of a table with a header, each with its place.

    Args:
        name: what messages call the table.
        content: its text.
        is_tsv: whether tabs part the fields, instead of commas.
        wanted: as `rows` takes it; None for all that the header names.

    Raises:
        UserError: as `rows`.
    """
    path = pathlib.Path(name)
    table = tab_separated(path, content) if is_tsv else quoted(path, content)
    _, header = table[0]
    require_columns(
        header,
        dict.fromkeys(header) if wanted is None else filter(None, wanted),
        f"{name}, line 1",
    )
    # Spreadsheets write rows of nothing but delimiters below a table.
    whole = [
        row
        for row in table[1:]
        if len(header) == 1 or any(map(str.strip, row[1]))
    ]
    if not whole:
        raise UserError(
            f"{name} has a header and no rows; expected a row for each example"
        )
    for line, fields in whole:
        yield f"{name}, line {line}", dict(zip(header, fields, strict=True))


def require_columns(
    header: Sequence[Any], names: Iterable[str], where: str
) -> None:
    """Refuse a table in which a column is missing, or is there twice.

    Raises:
        UserError: names the column, and those that are there.
    """
    for name in names:
        if (count := list(header).count(name)) != 1:
            fault = "two columns" if count else "no column"
            raise UserError(
                f"{where}: {fault} {name!r}; the header reads "
                f"{', '.join(map(str, header))[:200]!r}; name columns that "
                "are there once"
            )
