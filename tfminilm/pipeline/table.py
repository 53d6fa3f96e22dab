"""Read rows of labelled text from a file, a DataFrame or an iterable."""

import dataclasses
import math
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tfminilm.errors import UserError
from tfminilm.tasks.readers import columns

_READ = ".csv, .tsv, .jsonl, .parquet"
_NO_TEXT = ("", "nan", "null", "none", "<na>")


@dataclasses.dataclass(frozen=True)
class Row:
    """Hold one example as it was read.

    Attributes:
        where: its place, such as "support.csv, line 7".
        texts: one or two texts; a missing one is empty.
        label: the label as written; empty if it is missing.
        group: rows of one group stay in one split; empty if there are none.
    """

    where: str
    texts: tuple[str, ...]
    label: str
    group: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """Return the texts without case and spacing, to find duplicates."""
        return tuple(" ".join(text.casefold().split()) for text in self.texts)


def read(
    data: Any, text: Sequence[str], label: str, group: str | None = None
) -> list[Row]:
    """Read labelled text.

    Args:
        data: a .csv, .tsv, .jsonl or .parquet file; a pandas DataFrame; a
            Hugging Face `datasets.Dataset`; a `tf.data.Dataset` of
            dictionaries; or an iterable of dictionaries.
        text: the names of the one or two columns of text.
        label: the name of the label's column.
        group: a column whose equal values stay together, such as an author.

    Returns:
        The rows in their order, those without a text or a label too.

    Raises:
        UserError: a file cannot be read, or a column is missing or twice.
    """
    if len(text) not in (1, 2):
        raise UserError(
            f"{len(text)} columns of text are named; expected one or two"
        )
    names = [*text, label, *filter(None, [group])]
    if len(set(names)) < len(names):
        raise UserError(
            f"columns {', '.join(map(repr, names))}: expected different ones "
            "for text, label and group"
        )
    rows = []
    for where, values in records(data, names):
        rows.append(
            Row(
                where,
                tuple(_cell(values[name]) for name in text),
                _cell(values[label]),
                _cell(values[group]) if group else "",
            )
        )
    if not rows:
        raise UserError(f"{name_of(data)} has no rows; expected labelled text")
    return rows


def name_of(data: Any) -> str:
    """Return what messages call the data."""
    if isinstance(data, str | os.PathLike):
        return os.fspath(data)
    return f"the {type(data).__name__}"


def records(
    data: Any, names: Sequence[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each row's place and its values by column.

    Args:
        data: as `read` takes it.
        names: columns that have to be there, once each.

    Raises:
        UserError: as `read`.
    """
    if isinstance(data, str | os.PathLike):
        yield from _file(pathlib.Path(data).expanduser(), names)
        return
    header = getattr(data, "columns", None)
    if header is not None and hasattr(data, "to_dict"):
        _require(list(header), names, name_of(data))
        data = data.to_dict("records")
    elif hasattr(data, "as_numpy_iterator"):
        data = data.as_numpy_iterator()
    elif isinstance(data, Mapping):
        _require(list(data), names, name_of(data))
        keys = list(data)
        data = (
            dict(zip(keys, row, strict=True))
            for row in zip(*data.values(), strict=True)
        )
    for number, row in enumerate(_iterate(data)):
        if not isinstance(row, Mapping):
            raise UserError(
                f"row {number} is a {type(row).__name__}, expected a "
                "dictionary of columns"
            )
        _require(list(row), names, f"row {number}")
        yield f"row {number}", row


def _iterate(data: Any) -> Iterable[Any]:
    try:
        return iter(data)
    except TypeError:
        raise UserError(
            f"data is of {type(data)}, expected a file ({_READ}), a DataFrame, "
            "a Dataset, or dictionaries"
        ) from None


def _file(
    path: pathlib.Path, names: Sequence[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv", ".jsonl"):
        yield from columns.rows(path, names)
    elif suffix == ".parquet":
        yield from _parquet(path, names)
    else:
        raise UserError(
            f"{path} ends in {suffix or 'nothing'}, expected one of {_READ}"
        )


def _parquet(
    path: pathlib.Path, names: Sequence[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
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
    _require(table.column_names, names, os.fspath(path))
    for number, row in enumerate(table.select(list(names)).to_pylist()):
        yield f"{path}, row {number}", row


def _require(header: Sequence[Any], names: Sequence[str], where: str) -> None:
    for name in names:
        if header.count(name) != 1:
            fault = "two columns" if name in header else "no column"
            shown = ", ".join(map(str, header))[:200]
            raise UserError(
                f"{where}: {fault} {name!r}; there are {shown}; name columns "
                "that are there once"
            )


def _cell(value: Any) -> str:
    """Return a field as text; what is missing is empty."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = str(value).strip()
    return "" if text.casefold() in _NO_TEXT else text
