"""`manifest.json`: the contents of a folder of shards, and its settings."""

import dataclasses
from typing import ClassVar

import tfminilm.config
from tfminilm.data.shards.settings import Settings
from tfminilm.shard_manifest import ShardManifest, check_shards

SPLITS = ("train", "held_out")


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
class Manifest(ShardManifest):
    """The contents of a folder of shards.

    A record is one sequence: ids of `dtype`, a little-endian NumPy type.

    Attributes:
        dtype: the type of a record's numbers.
        tokenizer: its class, settings and vocabulary's hash.
        settings: the settings of the command.
        dropped: the number of repeated documents or paragraphs.
        train: the text to train on.
        held_out: the text to evaluate on; no document is in both.
        sentences: some held-out sentences, for display.
    """

    newest: ClassVar[int] = 1
    command: ClassVar[str] = "prepare"
    contents: ClassVar[str] = "shards"

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

    def check(self) -> None:
        """Raise `ValueError` where values do not go together."""
        if self.dtype not in ("<u2", "<i4"):
            raise ValueError(f"dtype is {self.dtype!r}, expected <u2 or <i4")
        for split in (self.train, self.held_out):
            shards = [(shard.file, shard.sequences) for shard in split.shards]
            check_shards(shards, split.sequences)
