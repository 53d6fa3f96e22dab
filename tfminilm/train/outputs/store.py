"""Read a teacher's outputs from the files that `tfminilm teach` writes.

Each row belongs to a text, which is known by a hash of its token ids as the
teacher reads them: so any stage that shows its teacher the same texts may use
the same files, in any order.
"""

import dataclasses
import hashlib
import itertools
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from tfminilm import files
from tfminilm.errors import UserError
from tfminilm.tasks.encoded import Encoded, Outputs
from tfminilm.train.outputs.manifest import Manifest, Origin, Shard

_KEYS = "texts"
_KEY_BYTES = 16
_STORE = "store"
_AGAIN = "remove it and run `tfminilm teach` again"


def keys_of(encoded: Encoded) -> list[bytes]:
    """Return the hash of each sequence's token and segment ids."""
    hashes = []
    for first, end in itertools.pairwise(encoded.offsets):
        digest = hashlib.blake2b(digest_size=_KEY_BYTES)
        digest.update(encoded.token_ids[first:end].astype("<i4").tobytes())
        digest.update(encoded.segment_ids[first:end].astype("i1").tobytes())
        hashes.append(digest.digest())
    return hashes


def digest_of(keys: list[bytes]) -> str:
    """Return a hash of all texts, in whatever order they are."""
    return hashlib.sha256(b"".join(sorted(keys))).hexdigest()


def write_shard(
    path: pathlib.Path,
    keys: list[bytes],
    outputs: Mapping[str, np.ndarray],
    store: str,
) -> Shard:
    """Write the outputs of some texts.

    Args:
        path: the file; it appears whole, or not at all.
        keys: of the texts.
        outputs: `[texts, ...]` float32 each.
        store: the identity of the store, which tells it from others.

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """
    table = np.frombuffer(b"".join(keys), np.uint8)
    tensors = {_KEYS: table.reshape(-1, _KEY_BYTES), **outputs}
    content = safetensors.numpy.save(tensors, metadata={_STORE: store})
    files.write_bytes(path, content)
    digest = hashlib.sha256(content).hexdigest()
    return Shard(path.name, len(keys), len(content), digest)


def written_shard(path: pathlib.Path, keys: list[bytes], store: str) -> Shard:
    """Return the shard that an earlier start wrote of these texts.

    Raises:
        UserError: the file holds something else.
    """
    owner, (there, _) = _owner(path), _read(path)
    if owner != store or there != keys:
        raise UserError(
            f"{path} holds outputs of another teacher or of other texts: use "
            "another --output, or remove it"
        )
    size = path.stat().st_size
    return Shard(path.name, len(keys), size, files.sha256(path))


@dataclasses.dataclass(frozen=True)
class Store:
    """Hold a teacher's outputs of texts.

    Attributes:
        folder: where they come from, for messages.
        origin: whose they are.
        values: each output, `[texts, ...]` float32.
        places: the row of each text.
    """

    folder: str
    origin: Origin
    values: dict[str, np.ndarray]
    places: dict[bytes, int]

    @classmethod
    def open(
        cls,
        folder: str | os.PathLike,
        show: Callable[[int], None] = lambda _: None,
    ) -> "Store":
        """Read the outputs of a folder, and compare their checksums.

        Args:
            folder: what `tfminilm teach` wrote.
            show: told how many bytes are read.

        Raises:
            UserError: they are missing, damaged or not whole.
        """
        manifest = Manifest.load(folder)
        path, done = pathlib.Path(folder), 0
        keys: list[bytes] = []
        parts: list[dict[str, np.ndarray]] = []
        for shard in manifest.shards:
            _require_whole(path / shard.file, shard)
            few, arrays = _read(path / shard.file)
            keys += few
            parts.append(arrays)
            done += shard.bytes
            show(done)
        values = {
            name: np.concatenate([part[name] for part in parts])
            for name in manifest.origin.outputs
        }
        places = {key: place for place, key in enumerate(keys)}
        return cls(os.fspath(folder), manifest.origin, values, places)

    def attach(
        self, encoded: Encoded, what: str, examples: Sequence[Any]
    ) -> Encoded:
        """Return sequences with the outputs in place of a teacher's tokens.

        Args:
            encoded: as student and teacher read them.
            what: what messages call them, such as "sst2".
            examples: not looked at: texts are known by their tokens.

        Raises:
            UserError: the teacher's outputs of some are not here.
        """
        read = encoded if encoded.teacher is None else encoded.teacher
        keys = keys_of(read)
        places = np.array([self.places.get(key, -1) for key in keys])
        if (missing := np.flatnonzero(places < 0)).size:
            raise UserError(
                f"{self.folder} has the outputs of {len(self.places):,} texts "
                f"of {self.origin.source}, and {missing.size:,} of the "
                f"{len(keys):,} of {what} are not among them, the first is "
                f"number {missing[0]}: run `tfminilm teach` with this recipe "
                "and another --output"
            )
        return encoded.with_outputs(Outputs(self.values, places))


def _require_whole(path: pathlib.Path, shard: Shard) -> None:
    try:
        size = path.stat().st_size
        digest = files.sha256(path) if size == shard.bytes else ""
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror or error}; {_AGAIN}"
        ) from error
    if digest != shard.sha256:
        raise UserError(
            f"{path} differs from what its manifest says ({shard.bytes:,} "
            f"bytes, sha256 {shard.sha256[:12]}): it is damaged; {_AGAIN}"
        )


def _owner(path: pathlib.Path) -> str:
    """Return the identity of the store that a file belongs to."""
    try:
        with safetensors.safe_open(path, "numpy") as file:
            return (file.metadata() or {}).get(_STORE, "")
    except (OSError, safetensors.SafetensorError):
        return ""


def _read(path: pathlib.Path) -> tuple[list[bytes], dict[str, np.ndarray]]:
    """Return the keys of a file's texts, and its outputs."""
    try:
        tensors = safetensors.numpy.load_file(path)
        table = tensors.pop(_KEYS)
    except (OSError, KeyError, safetensors.SafetensorError) as error:
        raise UserError(
            f"{path} holds no outputs of a teacher ({error}); {_AGAIN}"
        ) from error
    return [row.tobytes() for row in table], tensors
