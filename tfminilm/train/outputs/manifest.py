"""`manifest.json`: whose outputs a folder holds, and of which texts."""

import dataclasses
import hashlib
import json
import os
from typing import Any, ClassVar

import tfminilm
import tfminilm.config
from tfminilm.errors import UserError
from tfminilm.shard_manifest import ShardManifest, check_shards


@dataclasses.dataclass(frozen=True)
class Shard(tfminilm.config.Typed):
    """A file of outputs: its name in the folder, sizes and checksum."""

    file: str
    texts: int
    bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Origin(tfminilm.config.Typed):
    """Say whose outputs these are, and of which texts.

    Attributes:
        teacher: what the recipe called it.
        weights: a hash of its weights.
        precision: the dtype policy that it computed in.
        outputs: the shape of each output, by its name.
        labels: the classes in the order of the outputs; none of embeddings.
        pooling: of embeddings: "mean" or "cls".
        source: what the recipe called the texts.
        sequence_length: the tokens at which the teacher's texts were cut.
        texts: how many different ones there are.
        digest: a hash of them all, as the teacher reads them.
    """

    teacher: str
    weights: str
    precision: str
    outputs: dict[str, tuple[int, ...]]
    labels: tuple[str, ...]
    pooling: str
    source: str
    sequence_length: int
    texts: int
    digest: str

    def identity(self) -> str:
        """Return a hash of all of it."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclasses.dataclass(frozen=True)
class Manifest(ShardManifest):
    """The contents of a folder of outputs."""

    newest: ClassVar[int] = 1
    command: ClassVar[str] = "teach"
    contents: ClassVar[str] = "outputs of a teacher"
    if_missing: ClassVar[str] = "; if it was stopped, start it again"

    origin: Origin
    shards: tuple[Shard, ...]

    @classmethod
    def of(cls, origin: Origin, shards: tuple[Shard, ...]) -> "Manifest":
        """Return the manifest that this version writes."""
        return cls(cls.newest, tfminilm.__version__, origin, shards)

    def check(self) -> None:
        """Raise `ValueError` where values do not go together."""
        shards = [(shard.file, shard.texts) for shard in self.shards]
        check_shards(shards, self.origin.texts)


def require_same(
    folder: str | os.PathLike, written: Origin, wanted: dict[str, Any]
) -> None:
    """Refuse outputs of another teacher, or of other texts.

    Args:
        folder: of the outputs.
        written: what its manifest says.
        wanted: what a stage needs, by the names of `Origin`.

    Raises:
        UserError: naming what differs, both values and the remedy.
    """
    for name, value in wanted.items():
        there = getattr(written, name)
        if there == value:
            continue
        if name == "weights":
            raise UserError(
                f"{folder} holds the outputs of another teacher: of "
                f"{written.teacher} with weights {there[:12]}, and this one's "
                f"are {value[:12]}; run `tfminilm teach` with this teacher "
                "and another --output"
            )
        raise UserError(
            f"{folder} holds outputs with {name} {there!r}, and {value!r} is "
            "needed here; run `tfminilm teach` with this recipe and another "
            "--output"
        )
