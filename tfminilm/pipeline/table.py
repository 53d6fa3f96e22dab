"""Read rows of labelled text from a file, a DataFrame or an iterable."""

import contextlib
import dataclasses
import json
import math
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tfminilm.errors import UserError
from tfminilm.tasks.example import TaggedText
from tfminilm.tasks.readers import columns
from tfminilm.tasks.readers.columns import require_columns

_READ = ".csv, .tsv, .jsonl, .parquet"
_NO_TEXT = ("", "nan", "null", "none", "<na>")

# As written; of a list, or of several columns, as many; or with its tags.
Label = str | tuple[str, ...] | TaggedText


@dataclasses.dataclass(frozen=True)
class Row:
    """Hold one example as it was read.

    Attributes:
        where: its place, such as "support.csv, line 7".
        texts: one or two texts; a missing one is empty.
        label: as written, empty if it is missing; a tuple of a list, or of
            several columns; the text itself if it has tags.
        group: rows of one group stay in one split; empty if there are none.
        missing: what is written in place of a label, such as "none".
    """

    where: str
    texts: tuple[str, ...]
    label: Label
    group: str = ""
    missing: str = ""

    @property
    def fields(self) -> tuple[str, ...]:
        """Return those of a list, or of several columns; else the label's."""
        if isinstance(self.label, TaggedText):
            return ()
        return (self.label,) if isinstance(self.label, str) else self.label

    @property
    def key(self) -> tuple[str, ...]:
        """Return the texts without case and spacing, to find duplicates."""
        return tuple(" ".join(text.casefold().split()) for text in self.texts)


def read(
    data: Any,
    text: Sequence[str],
    label: str | Sequence[str],
    group: str | None = None,
) -> list[Row]:
    """Read labelled text.

    Args:
        data: a .csv, .tsv, .jsonl or .parquet file; a pandas DataFrame; a
            Hugging Face `datasets.Dataset`; a `tf.data.Dataset` of
            dictionaries; or an iterable of dictionaries.
        text: the names of the one or two columns of text.
        label: the name of the label's column; or of one for each class.
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
    labels = [label] if isinstance(label, str) else [*label]
    names = [*text, *labels, *filter(None, [group])]
    if len(set(names)) < len(names):
        raise UserError(
            f"columns {', '.join(map(repr, names))}: expected different ones "
            "for text, label and group"
        )
    rows = []
    for where, values in records(data, names):
        _require_plain(where, values, [*text, *filter(None, [group])])
        cells = [values[name] for name in labels]
        parts = cells[0] if _is_list(cells[0]) else ()
        _require_plain(where, dict(enumerate(parts)), range(len(parts)))
        if len(labels) > 1 or isinstance(cells[0], Mapping):
            _require_plain(where, values, labels)
        label_cell = _label(cells)
        rows.append(
            Row(
                where,
                tuple(_cell(values[name]) for name in text),
                label_cell,
                _cell(values[group]) if group else "",
                "" if label_cell else _missing(cells[0]),
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
    if hasattr(data, "column_names"):
        yield from _of_dataset(data, names)
        return
    header = getattr(data, "columns", None)
    if header is not None and hasattr(data, "to_dict"):
        require_columns(list(header), names, name_of(data))
        data = data.to_dict("records")
    elif hasattr(data, "as_numpy_iterator"):
        data = data.as_numpy_iterator()
    elif isinstance(data, Mapping):
        require_columns(list(data), names, name_of(data))
        keys = list(data)
        sizes = {name: len(data[name]) for name in keys}
        if len({*sizes.values()}) > 1:
            raise UserError(
                f"the columns have {sizes} rows, expected as many in each"
            )
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
        require_columns(list(row), names, f"row {number}")
        yield f"row {number}", row


def _of_dataset(
    data: Any, names: Sequence[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the rows of a Hugging Face data set, classes by their names."""
    if isinstance(data, Mapping):
        raise UserError(
            f"the data is a {type(data).__name__} of the splits "
            f"{', '.join(data)}: give one of them, such as "
            f"data[{next(iter(data), 'train')!r}]"
        )
    features = data.features or {}
    if data.column_names is not None:
        require_columns(data.column_names, names, name_of(data))
    classes = {name: _classes(features.get(name)) for name in names}
    for number, row in enumerate(data):
        require_columns(list(row), names, f"row {number}")
        yield (
            f"row {number}",
            {name: _named(row[name], classes[name]) for name in names},
        )


def _classes(feature: Any) -> Sequence[str] | None:
    """Return the names of a ClassLabel, or of a list of them."""
    return getattr(getattr(feature, "feature", feature), "names", None)


def _named(value: Any, classes: Sequence[str] | None) -> Any:
    """Return a class, or a list of them, by name; None for -1, for none."""
    if classes is None or value is None:
        return value
    if isinstance(value, list | tuple | np.ndarray):
        return [_named(each, classes) for each in value]
    return classes[value] if value >= 0 else None


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
    table = columns.parquet_table(path, names)
    classes = _classes_in(table.schema.metadata or {}, names)
    for number, row in enumerate(table.select(list(names)).to_pylist()):
        yield (
            f"{path}, row {number}",
            {name: _named(row[name], classes[name]) for name in names},
        )


def _classes_in(
    metadata: Mapping[bytes, bytes], names: Sequence[str]
) -> dict[str, Sequence[str] | None]:
    """Return the names of classes that `datasets` wrote beside a table."""
    features: Mapping[str, Any] = {}
    with contextlib.suppress(ValueError, KeyError, TypeError):
        facts = json.loads(metadata.get(b"huggingface", b"{}"))
        features = facts["info"]["features"]
    found: dict[str, Sequence[str] | None] = {}
    for name in names:
        feature = features.get(name) or {}
        feature = feature.get("feature") or feature
        found[name] = feature.get("names") if feature else None
    return found


def _label(cells: Sequence[Any]) -> str | tuple[str, ...]:
    """Return a field; of several columns, or of a list, its fields."""
    if len(cells) > 1:
        # Of booleans "True" is no number.
        return tuple(
            _cell(int(x) if isinstance(x, bool | np.bool_) else x)
            for x in cells
        )
    (cell,) = cells
    if _is_list(cell):
        return tuple(map(_cell, cell))
    return _cell(cell)


def _is_list(cell: Any) -> bool:
    return isinstance(cell, list | tuple | np.ndarray)


def _require_plain(
    where: str, values: Mapping[Any, Any], names: Iterable[Any]
) -> None:
    """Refuse lists and dictionaries where a text or a number is expected."""
    for name in names:
        value = values[name]
        if _is_list(value) or isinstance(value, Mapping):
            raise UserError(
                f"{where}: a {type(value).__name__} in column {name!r}, "
                "expected a text or a number"
            )


def _missing(cell: Any) -> str:
    """Return the word in place of a label; empty if there is nothing."""
    return cell.strip() if isinstance(cell, str) else ""


def _cell(value: Any) -> str:
    """Return a field as text; what is missing is empty."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if value is None or (
        isinstance(value, float | np.floating) and math.isnan(value)
    ):
        return ""
    # pandas makes 1.0 of 1 where other rows have nothing.
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    text = str(value).strip()
    return "" if text.casefold() in _NO_TEXT else text
