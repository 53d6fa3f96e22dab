"""Write Keras' HDF5 files so that a full disk is an error, and no crash.

HDF5 cannot close a file whose last writes failed: the process ends in native
code. Here it is given a file that takes every write, and remembers the first
one that the disk refused: that is raised as soon as HDF5 is done.
"""

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import h5py
from keras.src.saving import saving_lib

from tfminilm.private import Use

USES = (
    Use(
        "keras.src.saving.saving_lib.H5IOStore",
        "_get_h5_file",
        "the file that weights go to, which Keras opens itself",
    ),
)


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Raise `OSError` for a weights file that cannot be written.

    It holds for the whole process, as it replaces a method of Keras'.

    Raises:
        OSError: a write failed, as it would in Python: with its number, such
            as `errno.ENOSPC`.
    """
    files: list[_Patient] = []
    keras_open = saving_lib.H5IOStore._get_h5_file

    def opened(store: Any, path: Any, mode: str | None = None) -> Any:
        is_written = (mode or store.mode) == "w" and not store.archive
        # Keras asks a file of several for its name.
        is_one = type(store) is saving_lib.H5IOStore
        if not (is_written and is_one) or isinstance(path, io.BytesIO):
            return keras_open(store, path, mode)
        file = open(path, "w+b", buffering=0)  # noqa: SIM115, closed by `end`.
        files.append(_Patient(file))
        return h5py.File(files[-1], "w")

    saving_lib.H5IOStore._get_h5_file = opened
    try:
        yield
    except BaseException:
        _end(files)
        raise
    finally:
        saving_lib.H5IOStore._get_h5_file = keras_open
    _end(files)


def _end(files: list["_Patient"]) -> None:
    for file in files:
        file.end()
    for file in files:
        if file.error is not None:
            raise file.error


class _Patient(io.RawIOBase):
    """A file whose writes never fail; `error` says whether one did.

    From then on nothing is written, and what was not reads as zeros.

    Args:
        file: an open file without a buffer.
    """

    def __init__(self, file: BinaryIO):
        super().__init__()
        self._file = file
        self._place = 0
        self._size = 0
        self._has_ended = False
        self.error: OSError | None = None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place; return it, in bytes."""
        starts = {os.SEEK_CUR: self._place, os.SEEK_END: self._size}
        self._place = starts.get(whence, 0) + offset
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer from the place on."""
        asked = memoryview(buffer).cast("B")
        content = bytearray(len(asked))
        self._try(lambda: self._fill(content))
        asked[:] = content
        self._place += len(content)
        return len(content)

    def write(self, content: Any) -> int:
        """Write all of the content at the place."""
        rest = memoryview(content).cast("B")
        self._try(lambda: self._put(rest))
        self._place += len(rest)
        self._size = max(self._size, self._place)
        return len(rest)

    def truncate(self, size: int | None = None) -> int:
        """Cut the file, or make it longer."""
        self._size = self._place if size is None else size
        self._try(lambda: self._file.truncate(self._size))
        return self._size

    def end(self) -> None:
        """Bring the file to the disk; HDF5 may write on, to no effect."""
        self._try(lambda: os.fsync(self._file.fileno()))
        self._has_ended = True
        try:
            self._file.close()
        except OSError as error:
            self.error = self.error or error

    def _put(self, rest: memoryview) -> None:
        self._file.seek(self._place)
        while rest:
            rest = rest[self._file.write(rest) :]

    def _fill(self, content: bytearray) -> None:
        self._file.seek(self._place)
        read = self._file.read(len(content))
        content[: len(read)] = read

    def _try(self, act: Callable[[], Any]) -> None:
        if self.error is None and not self._has_ended:
            try:
                act()
            except OSError as error:
                self.error = error
