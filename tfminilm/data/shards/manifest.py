"""`manifest.json`: the contents of a folder of shards, and its settings."""

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
    """The training or the held-out text; `tokens` counts each token once."""

    documents: int
    tokens: int
    sequences: int
    shards: tuple[Shard, ...]


@dataclasses.dataclass(frozen=True)
class Manifest(tfminilm.config.Typed):
    """The contents of a folder of shards.

    A record is one sequence: ids of `dtype`, a little-endian NumPy type.

    Attributes:
        format: the version of this file's and the records' format.
        tfminilm: the version that wrote it.
        dtype: the type of a record's numbers.
        tokenizer: its class, settings and vocabulary's hash.
        settings: the settings of the command.
        dropped: the number of repeated documents or paragraphs.
        train: the text to train on.
        held_out: the text to evaluate on; no document is in both.
        sentences: some held-out sentences, for display.
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
        """The number of token ids in a sequence."""
        return self.settings.sequence_length

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
                # Only a name: nothing outside of the folder is read.
                if not re.fullmatch(r"\w[\w.-]*", shard.file):
                    raise ValueError(
                        f"shard {shard.file!r} is no file name in its folder"
                    )
            if split.sequences != sum(each.sequences for each in split.shards):
                raise ValueError("counts of shards do not add up")
