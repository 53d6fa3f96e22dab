"""Read the rows of a user's own table by the names of its columns."""

import os
import pathlib
from collections.abc import Iterator, Sequence
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
    content = paths.text(path)
    is_tsv = path.suffix.lower() == ".tsv"
    table = tab_separated(path, content) if is_tsv else quoted(path, content)
    _, header = table[0]
    _check_header(path, header, wanted)
    # Spreadsheets write rows of nothing but delimiters below a table.
    whole = [
        row
        for row in table[1:]
        if len(header) == 1 or any(map(str.strip, row[1]))
    ]
    if not whole:
        raise UserError(
            f"{path} has a header and no rows; expected a row for each example"
        )
    for line, fields in whole:
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
