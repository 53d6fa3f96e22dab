"""Read a user's own labelled text from a .jsonl file, an object a line."""

import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from tfminilm import json_files
from tfminilm.errors import UserError
from tfminilm.tasks.readers import paths

_FIELD = (str, int, float, bool, None, [str])


def rows(
    path: pathlib.Path, wanted: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects of a file, each with its place there.

    Args:
        path: the file.
        wanted: the keys that each object has to have.

    Returns:
        The values as `csv_file` has them: texts, of a list its texts, and
        numbers as they are written; "" for null.

    Raises:
        UserError: the file cannot be read, a line is no such object, or a key
            is not there.
    """
    for where, row in objects(path, wanted):
        for name in wanted:
            try:
                json_files.require(row[name], _FIELD, name)
            except ValueError as error:
                raise UserError(
                    f"{where} cannot be read: {error}; {_remedy(wanted)}"
                ) from None
        yield where, {name: as_written(row[name]) for name in wanted}


def objects(
    path: pathlib.Path, wanted: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects of a file as they are, each with its place there.

    Args:
        path: the file.
        wanted: the keys that each object has to have.

    Raises:
        UserError: the file cannot be read, a line is no object, or a key is
            not there.
    """
    for number, line in paths.lines(path):
        where = f"{path}, line {number}"
        row = json_files.parse(line, where, dict, _remedy(wanted))
        for name in wanted:
            if name not in row:
                raise UserError(f"{where}: no key {name!r}; {_remedy(wanted)}")
        yield where, row


def as_written(value: Any) -> Any:
    """Return a field as other tables write it; a list stays one."""
    if isinstance(value, str | list):
        return value
    return "" if value is None else str(value)


def _remedy(wanted: Sequence[str]) -> str:
    example = ", ".join(f'"{name}": ...' for name in wanted)
    return f"expected an object such as {{{example}}}"
