"""What TensorBoard shows of a run: the rows of its metrics, as curves."""

import pathlib
import shutil
import time
from collections.abc import Iterable, Mapping
from typing import Any

from tfminilm.errors import UserError


class Scalars:
    """An event file of TensorFlow, in which no step comes twice.

    A resumed run does steps again that an older file may hold: that is
    removed, and written anew from the rows that still count. Made here of
    TensorFlow's own records, as `tf.summary.scalar` asks for the package
    tensorboard.

    Args:
        folder: where the file goes; nothing else is in it.
        rows: those of the metrics so far.

    Raises:
        UserError: the folder cannot be written.
    """

    def __init__(self, folder: pathlib.Path, rows: Iterable[Mapping[str, Any]]):
        import tensorflow as tf

        self._v1 = tf.compat.v1
        self._path = folder / f"events.out.tfevents.{time.time():.0f}"
        shutil.rmtree(folder, ignore_errors=True)
        try:
            folder.mkdir()
        except OSError as error:
            raise UserError(
                f"cannot write {folder}: {error.strerror}"
            ) from error
        self._writer = tf.io.TFRecordWriter(str(self._path))
        self._write(file_version="brain.Event:2")
        for row in rows:
            self.add(row)

    def add(self, row: Mapping[str, Any]) -> None:
        """Adds the numbers of a row, under its split's name.

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
