"""Read and write `manifest.json`: what a folder of shards holds."""

import abc
import dataclasses
import os
import pathlib
import re
from collections.abc import Sequence
from typing import ClassVar, Self

import tfminilm.config
from tfminilm import files, json_files
from tfminilm.errors import UserError

NAME = "manifest.json"


@dataclasses.dataclass(frozen=True)
class ShardManifest(tfminilm.config.Typed, abc.ABC):
    """Base of what commands write beside the shards of their `--output`.

    Attributes:
        format: the version of this file's and the shards' format.
        tfminilm: the version that wrote it.
    """

    format: int
    tfminilm: str

    newest: ClassVar[int]
    """The `format` that this version writes, the newest that it reads."""

    command: ClassVar[str]
    """The command that writes such a folder."""

    contents: ClassVar[str]
    """What messages call the shards."""

    if_missing: ClassVar[str] = ""
    """What may be done where there is no manifest, beside the command."""

    def save(self, folder: pathlib.Path) -> None:
        """Write it into its folder."""
        files.write_json(folder / NAME, dataclasses.asdict(self))

    @classmethod
    def load(cls, folder: str | os.PathLike) -> Self:
        """Read the manifest of a folder.

        Raises:
            UserError: it is missing, damaged, of a newer version, or names
                files outside of its folder.
        """
        path = pathlib.Path(folder) / NAME
        expected = (
            f"expected what `tfminilm {cls.command}` wrote: the folder of its "
            "--output"
        )
        if not path.exists():
            raise UserError(
                f"{folder} holds no {cls.contents} (no {NAME}); {expected}"
                f"{cls.if_missing}"
            )
        content = json_files.read(path, {"format": int}, expected)
        if (number := content["format"]) > cls.newest:
            raise UserError(
                f"{path} has format {number}, and this version of tfminilm "
                f"reads up to {cls.newest}: upgrade tfminilm, or "
                f"{cls.command} again"
            )
        try:
            manifest = tfminilm.config.parse(cls, content, NAME)
            manifest.check()
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path} is damaged ({error}); {expected}"
            ) from None
        return manifest

    @abc.abstractmethod
    def check(self) -> None:
        """Raise `ValueError` where values do not go together."""


def check_shards(shards: Sequence[tuple[str, int]], total: int) -> None:
    """Raise `ValueError` for a file elsewhere, or counts that do not add up.

    Args:
        shards: the file of each, and how much it has.
        total: how much all have together.
    """
    for name, _ in shards:
        # Only a name: nothing outside of the folder is read.
        if not re.fullmatch(r"\w[\w.-]*", name):
            raise ValueError(f"shard {name!r} is no file name in its folder")
    if total != sum(count for _, count in shards):
        raise ValueError("counts of shards do not add up")
