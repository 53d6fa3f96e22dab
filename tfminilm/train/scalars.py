"""Write what TensorBoard shows of a run: its metrics as curves."""

import os
import pathlib
import time
from collections.abc import Iterable, Mapping
from typing import Any

from tfminilm import files, json_files
from tfminilm.errors import UserError

_MARKER = "tfminilm.json"
_FORMAT = "tfminilm-scalars"
_EVENTS = "events.out.tfevents."


class Scalars:
    """Write an event file of TensorFlow in which no step comes twice.

    A resumed run does steps again that an older file may hold: that is
    removed, and written anew from the rows that still count. Made here of
    TensorFlow's own records, as `tf.summary.scalar` asks for the package
    tensorboard.

    Args:
        folder: where the file goes. Others may be in it: what is removed is
            the file that a marker beside it names, of the same run.
        rows: those of the metrics so far.
        run: tells this run from others.

    Raises:
        UserError: the folder cannot be written.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        rows: Iterable[Mapping[str, Any]],
        run: str = "",
    ):
        import tensorflow as tf

        self._v1 = tf.compat.v1
        _forget(folder, run)
        self._path = folder / f"{_EVENTS}{time.time_ns() / 1e9:.6f}"
        marker = {"format": _FORMAT, "run": run, "file": self._path.name}
        files.write_json(folder / _MARKER, marker)
        self._writer = tf.io.TFRecordWriter(str(self._path))
        self._write(file_version="brain.Event:2")
        for row in rows:
            self.add(row)

    def add(self, row: Mapping[str, Any]) -> None:
        """Add the numbers of a row, under its split's name.

        Raises:
            UserError: the disk is full.
        """
        value = self._v1.Summary.Value
        values = [
            value(tag=f"{row['split']}/{key}", simple_value=number)
            for key, number in row.items()
            if key not in ("step", "split")
        ]
        self._write(step=row["step"], summary=self._v1.Summary(value=values))

    def _write(self, **content: Any) -> None:
        event = self._v1.Event(wall_time=time.time(), **content)
        try:
            self._writer.write(event.SerializeToString())
            self._writer.flush()
        except Exception as error:  # Of TensorFlow, by the kind of failure.
            raise UserError(f"cannot write {self._path}: {error}") from error


def _forget(folder: pathlib.Path, run: str) -> None:
    """Remove the file that an earlier start of this run wrote."""
    shape = {"format": str, "run": str, "file": str}
    marker = json_files.find(folder / _MARKER, shape)
    if marker is None or (marker["format"], marker["run"]) != (_FORMAT, run):
        return
    path = folder / os.path.basename(marker["file"])
    if path.name.startswith(_EVENTS) and path.is_file():
        path.unlink()
