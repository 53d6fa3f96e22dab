"""Write predictions: as lines for people, as CSV or as JSON lines."""

import contextlib
import csv
import dataclasses
import json
import pathlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

import numpy as np

from tfminilm import files
from tfminilm.errors import UsageError
from tfminilm.inference.texts import Row

FORMATS = ("lines", "csv", "jsonl")
# What stands in front of a prediction's columns, beside those of the file.
PREFIX = "predicted_"
_ENDINGS = {".csv": "csv", ".jsonl": "jsonl", ".txt": "lines"}
_CUT, _SURE = "is_truncated", "is_sure"


def format_of(output: str | None, format: str | None) -> str:
    """Return the format that is asked for, or that a file's ending says.

    Raises:
        UsageError: the ending says none.
    """
    if format:
        return format
    if not output:
        return "lines"
    ending = pathlib.Path(output).suffix.lower()
    if ending not in _ENDINGS:
        raise UsageError(
            f"predict: --output={output} ends in none of "
            f"{', '.join(_ENDINGS)}: say what to write with --format=csv, for "
            "example"
        )
    return _ENDINGS[ending]


class Writer:
    """Write rows and what a model says of them.

    Args:
        file: open for text.
        format: one of `FORMATS`.
        columns: of the rows.
    """

    def __init__(self, file: IO[str], format: str, columns: Sequence[str]):
        self._file = file
        self._format = format
        self._columns = list(columns)
        self._csv: Any = None

    def write(
        self, row: Mapping[str, Any], texts: Row, prediction: Any
    ) -> None:
        """Write a row.

        Args:
            row: as the input has it.
            texts: what the model read of it.
            prediction: one of `tasks.predictions`.

        Raises:
            UsageError: the row has a column of the prediction's name.
        """
        said = as_dict(prediction)
        if self._format == "lines":
            self._file.write(_line(said, texts))
            return
        said = {PREFIX + name: value for name, value in said.items()}
        if taken := {*said} & {*self._columns}:
            raise UsageError(
                f"the input has a column {min(taken)!r} already: leave it out "
                "of the file, or give it another name"
            )
        if self._format == "jsonl":
            text = json.dumps({**row, **said}, ensure_ascii=False)
            self._file.write(text + "\n")
            return
        if self._csv is None:
            names = [*self._columns, *said]
            self._csv = csv.DictWriter(self._file, names, lineterminator="\n")
            self._csv.writeheader()
        self._csv.writerow({k: _cell(v) for k, v in {**row, **said}.items()})


@contextlib.contextmanager
def open_output(output: str | None) -> Iterator[IO[str]]:
    """Open a file that appears whole or not at all, or standard output.

    Raises:
        UserError: the file cannot be written.
    """
    if not output:
        yield sys.stdout
        return
    # The csv module writes line feeds itself, also those inside texts.
    with (
        files.new_file(output) as temporary,
        open(temporary, "w", encoding="utf-8", newline="") as file,
    ):
        yield file


def as_dict(prediction: Any) -> dict[str, Any]:
    """Return a prediction's fields as JSON's types."""
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in dataclasses.asdict(prediction).items()
    }


def _line(said: Mapping[str, Any], texts: Row) -> str:
    """Return a line: what is said, in a word or a few, and the texts."""
    words = [_in_words(value) for value in said.values()]
    shown = [" ".join(text.split()) for text in texts]
    notes = ["(truncated)"] if said.get(_CUT) else []
    notes += [] if said.get(_SURE, True) else ["(unsure)"]
    return "\t".join([*filter(None, words), *shown, *notes]) + "\n"


def _in_words(value: Any) -> str:
    """Return a value for people; "" for what other columns say better."""
    if isinstance(value, str):
        return value or "-"
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, list):  # An embedding.
        return json.dumps(value)
    if isinstance(value, tuple):  # Several labels, or parts of a text.
        return ", ".join(map(_part, value)) or "-"
    return ""


def _part(value: str | Mapping[str, Any]) -> str:
    if isinstance(value, str):
        return value
    text = " ".join(value["text"].split())
    return f"{text} ({value['label']})"


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False)
