"""`manifest.json`: what is in a folder of shards, and what made it."""

import dataclasses
import os
import pathlib
import re

import tfminilm.config
from tfminilm import files, json_files
from tfminilm.data.shards.settings import Settings
from tfminilm.errors import UserError

NAME = "manifest.json"
FORMAT = 1
SPLITS = ("train", "held_out")
_EXPECTED = "expected what `tfminilm prepare` wrote: the folder of its --output"


@dataclasses.dataclass(frozen=True)
class Shard(tfminilm.config.Typed):
    """A file of sequences: its name in the folder, sizes and checksum."""

    file: str
    sequences: int
    bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Split(tfminilm.config.Typed):
    """One side of the text. `tokens` are those of the text, each once."""

    documents: int
    tokens: int
    sequences: int
    shards: tuple[Shard, ...]


@dataclasses.dataclass(frozen=True)
class Manifest(tfminilm.config.Typed):
    """What a folder of shards holds.

    A record is one sequence: ids of `dtype`, a NumPy type in little endian.

    Attributes:
        format: of this file and of the records.
        tfminilm: the version that wrote it.
        dtype: of a record's numbers.
        tokenizer: its class, settings and vocabulary's hash.
        settings: those of the command.
        dropped: repeated documents or paragraphs that were left out.
        train: what to train on.
        held_out: what to evaluate on; no document is in both.
        sentences: some of those held out, to look at.
    """

    format: int
    tfminilm: str
    dtype: str
    tokenizer: dict[str, str]
    settings: Settings
    dropped: int
    train: Split
    held_out: Split
    sentences: tuple[str, ...]

    @property
    def sequence_length(self) -> int:
        """Token ids in a sequence."""
        return self.settings.sequence_length

    def save(self, folder: pathlib.Path) -> None:
        """Writes it into its folder."""
        files.write_json(folder / NAME, dataclasses.asdict(self))

    @classmethod
    def load(cls, folder: str | os.PathLike) -> "Manifest":
        """Reads the manifest of a folder.

        Raises:
            UserError: there is none, it is damaged, a newer version's, or
                names files outside of its folder.
        """
        path = pathlib.Path(folder) / NAME
        if not path.exists():
            raise UserError(
                f"{folder} holds no shards (no {NAME}); {_EXPECTED}"
            )
        content = json_files.read(path, {"format": int}, _EXPECTED)
        if (number := content["format"]) > FORMAT:
            raise UserError(
                f"{path} has format {number}, and this version of tfminilm "
                f"reads up to {FORMAT}: upgrade tfminilm, or prepare again"
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
        if self.dtype not in ("<u2", "<i4"):
            raise ValueError(f"dtype is {self.dtype!r}, expected <u2 or <i4")
        for split in (self.train, self.held_out):
            for shard in split.shards:
                # A name alone: nothing outside of the folder is read.
                if not re.fullmatch(r"\w[\w.-]*", shard.file):
                    raise ValueError(
                        f"shard {shard.file!r} is no file name in its folder"
                    )
            if split.sequences != sum(own.sequences for own in split.shards):
                raise ValueError("counts of shards do not add up")
