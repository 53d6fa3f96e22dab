"""Read the rows of a user's own table by the names of its columns."""

import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tfminilm.errors import UserError
from tfminilm.tasks.readers import json_rows, paths
from tfminilm.tasks.readers.delimited import quoted, tab_separated

if TYPE_CHECKING:
    import pyarrow


def rows(
    path: str | os.PathLike, wanted: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows of a table in a file, each with its place.

    Args:
        path: a .csv, .tsv, .jsonl or .parquet file; its ending says how it is
            read.
        wanted: columns that have to be there, once each; empty names are left
            out.

    Raises:
        UserError: the file cannot be read, has no rows, or a column is
            missing.
    """
    path = pathlib.Path(path).expanduser()
    names = [*filter(None, wanted)]
    if path.suffix.lower() == ".jsonl":
        yield from json_rows.rows(path, names)
        return
    if path.suffix.lower() == ".parquet":
        for where, row in _parquet_rows(path, names):
            yield where, {key: json_rows.as_written(row[key]) for key in row}
        return
    is_tsv = path.suffix.lower() == ".tsv"
    yield from rows_of(str(path), paths.text(path), is_tsv, wanted)


def values(
    path: pathlib.Path, wanted: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows of a table as `rows` does, with lists of numbers as such.

    Raises:
        UserError: as `rows`.
    """
    if path.suffix.lower() == ".jsonl":
        yield from json_rows.objects(path, wanted)
    elif path.suffix.lower() == ".parquet":
        yield from _parquet_rows(path, wanted)
    else:
        yield from rows(path, wanted)


def parquet_table(path: pathlib.Path, wanted: Sequence[str]) -> "pyarrow.Table":
    """Return columns of a .parquet file.

    Raises:
        UserError: the file cannot be read, or a column is missing.
    """
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise UserError(
            f"{path}: reading .parquet takes a package more: pip install "
            "pyarrow, or save the table as .csv"
        ) from error
    try:
        table = parquet.read_table(path)
    except (OSError, ArrowException) as error:
        raise UserError(
            f"cannot read {path}: {str(error).splitlines()[0]}; expected a "
            "Parquet file"
        ) from error
    require_columns(table.column_names, wanted, os.fspath(path))
    return table.select(list(wanted))


def _parquet_rows(
    path: pathlib.Path, wanted: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    table = parquet_table(path, wanted)
    for number, row in enumerate(table.to_pylist(), 1):
        yield f"{path}, row {number}", row


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
