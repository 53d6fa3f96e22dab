"""`manifest.json`: whose outputs a folder holds, and of which texts."""

import dataclasses
import hashlib
import json
import os
import pathlib
import re
from typing import Any

import tfminilm
import tfminilm.config
from tfminilm import files, json_files
from tfminilm.errors import UserError

NAME = "manifest.json"
FORMAT = 1
_EXPECTED = "expected what `tfminilm teach` wrote: the folder of its --output"


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
class Manifest(tfminilm.config.Typed):
    """The contents of a folder of outputs."""

    format: int
    tfminilm: str
    origin: Origin
    shards: tuple[Shard, ...]

    @classmethod
    def of(cls, origin: Origin, shards: tuple[Shard, ...]) -> "Manifest":
        """Return the manifest that this version writes."""
        return cls(FORMAT, tfminilm.__version__, origin, shards)

    def save(self, folder: pathlib.Path) -> None:
        """Write it into its folder."""
        files.write_json(folder / NAME, dataclasses.asdict(self))

    @classmethod
    def load(cls, folder: str | os.PathLike) -> "Manifest":
        """Read the manifest of a folder.

        Raises:
            UserError: it is missing, damaged, of a newer version, or names
                files outside of its folder.
        """
        path = pathlib.Path(folder) / NAME
        if not path.exists():
            raise UserError(
                f"{folder} holds no outputs of a teacher (no {NAME}); "
                f"{_EXPECTED}; if it was stopped, start it again"
            )
        content = json_files.read(path, {"format": int}, _EXPECTED)
        if (number := content["format"]) > FORMAT:
            raise UserError(
                f"{path} has format {number}, and this version of tfminilm "
                f"reads up to {FORMAT}: upgrade tfminilm, or teach again"
            )
        try:
            manifest = tfminilm.config.parse(cls, content, NAME)
            manifest._check()
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path} is damaged ({error}); {_EXPECTED}"
            ) from None
        return manifest

    def _check(self) -> None:
        for shard in self.shards:
            # Only a name: nothing outside of the folder is read.
            if not re.fullmatch(r"\w[\w.-]*", shard.file):
                raise ValueError(
                    f"shard {shard.file!r} is no file name in its folder"
                )
        if self.origin.texts != sum(shard.texts for shard in self.shards):
            raise ValueError("counts of shards do not add up")


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
