"""Read single tensors of safetensors files, each into memory of its own.

The library checks a file, and this module reads its bytes: the library maps
the whole file into memory, and copies a tensor out of it more slowly.
"""

import json
import math
import pathlib
from typing import NamedTuple

import numpy as np

from tfminilm.private.deferred import aligned

_LENGTH_BYTES = 8  # Of the header's length, with which a file begins.
# Those that weights have, by the names of the format; small end first.
_DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}


class Memory:
    """Memory for one array at a time: the next one overwrites it.

    New memory takes as long as what is read into it, since the system fills
    it with zeros first.
    """

    def __init__(self) -> None:
        self._bytes = aligned((0,), np.dtype("uint8"))

    def array(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return an array whose values are any, as `aligned` does."""
        size = math.prod(shape) * dtype.itemsize
        if size > self._bytes.size:
            self._bytes = aligned((size,), np.dtype("uint8"))
        return self._bytes[:size].view(dtype).reshape(shape)


class StoredTensor(NamedTuple):
    """Say where a tensor is.

    Attributes:
        path: of its file.
        start: its first byte there.
        shape: its shape.
        dtype: as the format calls it, such as "F32".
    """

    path: pathlib.Path
    start: int
    shape: tuple[int, ...]
    dtype: str

    def read(self, memory: "Memory | None" = None) -> np.ndarray:
        """Return its values, in an array that begins at a multiple of 64.

        Args:
            memory: where to; None for memory of its own.
        """
        give = aligned if memory is None else memory.array
        array = give(self.shape, _numpy_dtype(self.dtype))
        # NumPy's own `fromfile` copies through a buffer.
        with open(self.path, "rb", buffering=0) as file:
            file.seek(self.start)
            left = memoryview(array.reshape(-1).view("uint8").data)
            while len(left):
                num_bytes = file.readinto(left)
                if not num_bytes:
                    raise OSError(f"{self.path} ends too early")
                left = left[num_bytes:]
        return array


def find(path: pathlib.Path) -> dict[str, StoredTensor]:
    """Find the tensors of a file, by their names.

    Raises:
        SafetensorError: the file is damaged.
        OSError: it cannot be read.
    """
    import safetensors

    # It refuses tensors that overlap, and those beyond the end of the file.
    with safetensors.safe_open(path, framework="np") as file:
        names = file.keys()
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        header = json.loads(file.read(length))
    begin = _LENGTH_BYTES + length
    return {
        name: StoredTensor(
            path,
            begin + header[name]["data_offsets"][0],
            tuple(header[name]["shape"]),
            header[name]["dtype"],
        )
        for name in names
    }


def _numpy_dtype(name: str) -> np.dtype:
    if name == "BF16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(_DTYPES[name])
