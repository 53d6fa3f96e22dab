"""Read shards as text to train on; rows are read only when needed."""

import dataclasses
import functools
import os
import pathlib
import resource
import typing
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfminilm import files
from tfminilm.data import cache
from tfminilm.data.packing import PackedText
from tfminilm.data.shards.instances import Layout
from tfminilm.data.shards.manifest import Manifest, Shard, Split
from tfminilm.data.shards.settings import Settings
from tfminilm.data.text import TextData
from tfminilm.errors import UserError
from tfminilm.tokenizer import KERAS_HUB, rules_of
from tfminilm.typing import Tokenizer

PREFIX = "shards:"
# An estimate of the files that a process opens besides shards.
_OTHER_FILES = 200


def open_shards(
    folder: str | os.PathLike,
    tokenizer: Tokenizer,
    sequence_length: int,
    max_tokens: int = 0,
    progress: Callable[[int], None] | None = None,
) -> TextData:
    """Open the shards of `tfminilm prepare` as `TextData`.

    Every shard is read once to verify its checksum. Afterwards nothing stays
    in memory, and rows are read from the files.

    Args:
        folder: the command's `--output`.
        tokenizer: the tokenizer of the model that will read the ids.
        sequence_length: ids in a sequence.
        max_tokens: train only on about this many tokens, from sequences spread
            over the text; 0: on all.
        progress: called with the number of bytes compared so far.

    Raises:
        UserError: a shard is missing, truncated or changed, another tokenizer
            made them, or they are of another length.
    """
    folder = pathlib.Path(folder)
    manifest = Manifest.load(folder)
    _require_tokenizer(folder, manifest, tokenizer)
    if manifest.sequence_length != sequence_length:
        raise UserError(
            f"the shards in {folder} hold sequences of "
            f"{manifest.sequence_length} tokens, and {sequence_length} are "
            "asked for: set data.sequence_length to "
            f"{manifest.sequence_length}, or prepare shards of "
            f"{sequence_length}"
        )
    _verify(
        folder, [*manifest.train.shards, *manifest.held_out.shards], progress
    )
    most = max_tokens and max(1, max_tokens // (sequence_length - 2))
    return TextData(
        _text(folder, manifest, manifest.train, most),
        _text(folder, manifest, manifest.held_out, 0),
        list(manifest.sentences),
    )


class Rows:
    """A matrix on disk; only rows that are indexed are read.

    Args:
        folder: the folder of the shards.
        split: the shards of the training or the held-out text.
        dtype: the type of a record's numbers.
        layout: the layout of a record.
        width: how many of a record's first numbers are read.
        most: use only so many rows, evenly spread; 0: all.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        split: Split,
        dtype: str,
        layout: Layout,
        width: int,
        most: int = 0,
    ):
        count = min(split.sequences, most) if most else split.sequences
        self.shape = (count, width)
        self._total = split.sequences
        self._dtype = dtype
        self._stored = layout.width
        self._files = [
            _File(str(folder / shard.file), shard.sequences)
            for shard in split.shards
        ]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Return the rows of a slice or of a vector of indices, int32."""
        if isinstance(rows, slice):
            numbers = list(range(self.shape[0])[rows])
        else:
            numbers = rows.tolist()
        if not numbers:
            return np.empty((0, self.shape[1]), np.int32)
        numbers = [row * self._total // self.shape[0] for row in numbers]
        records = b"".join(self._records.__getitems__(numbers))
        values = np.frombuffer(records, self._dtype)
        values = values.reshape(-1, self._stored)[:, : self.shape[1]]
        return values.astype(np.int32)

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.shape[0]

    @functools.cached_property
    def _records(self) -> Any:
        from array_record.python import array_record_data_source

        return array_record_data_source.ArrayRecordDataSource(self._files)


@dataclasses.dataclass(frozen=True)
class MaskedText(PackedText):
    """Packed text with copies that were masked in advance.

    Attributes:
        records: the text with its copies, in the form of `Layout`.
        settings: the settings of their preparation.
    """

    records: PackedText
    settings: Settings

    def layout(
        self, mask_rate: float, whole_words: bool, next_sentence: bool
    ) -> Layout:
        """Return the layout of the copies, which replaces a `Masking`.

        Raises:
            UserError: the copies were masked with other settings.
        """
        for name, requested in (
            ("mask_rate", mask_rate),
            ("whole_words", whole_words),
            ("next_sentence", next_sentence),
        ):
            if (stored := getattr(self.settings, name)) != requested:
                raise UserError(
                    f"the shards' masked copies were made with {name}="
                    f"{stored}, and the recipe asks for {requested}: change "
                    "that, or prepare shards without --masked_copies, which "
                    "are masked in training"
                )
        return Layout.of(self.settings)


@dataclasses.dataclass(frozen=True)
class _File:
    """A shard with its size; else array_record would open all to count."""

    filename: str
    take: int
    skip: int = 0

    @property
    def examples_in_shard(self) -> int:
        return self.take


def _text(
    folder: pathlib.Path, manifest: Manifest, split: Split, most: int
) -> PackedText:
    layout = Layout.of(manifest.settings)

    def rows(width: int) -> np.ndarray:
        matrix = Rows(folder, split, manifest.dtype, layout, width, most)
        # It has the array methods that are used.
        return typing.cast(np.ndarray, matrix)

    sequences, num_tokens = rows(layout.length), split.tokens
    if len(sequences) < split.sequences:
        num_tokens = len(sequences) * (layout.length - 2)
    if not layout.copies:
        return PackedText(sequences, num_tokens)
    records = PackedText(rows(layout.width), num_tokens)
    return MaskedText(sequences, num_tokens, records, manifest.settings)


def _require_tokenizer(
    folder: pathlib.Path, manifest: Manifest, tokenizer: Tokenizer
) -> None:
    # Compared without the class: DistilBERT's tokenizer equals BERT's.
    identity = cache.tokenizer_identity(tokenizer)
    if manifest.tokenizer["vocabulary"] != identity["vocabulary"]:
        raise UserError(
            f"the shards in {folder} were made with the tokenizer of "
            f"{manifest.settings.tokenizer}, and the teacher's has "
            "another vocabulary: prepare shards with --tokenizer=TEACHER"
        )
    rules = manifest.tokenizer.get("rules", KERAS_HUB)
    if rules != rules_of(tokenizer):
        raise UserError(
            f"the shards in {folder} were cut by the rules {rules!r}, and the "
            f"teacher reads text cut by {rules_of(tokenizer)!r}: prepare them "
            "again"
        )


def _verify(
    folder: pathlib.Path,
    shards: Sequence[Shard],
    progress: Callable[[int], None] | None,
) -> None:
    """Verify sizes, then checksums, so that missing files are found first."""
    remedy = "copy it again, or prepare again"
    _require_handles(len(shards))
    for shard in shards:
        path = folder / shard.file
        if not path.is_file():
            raise UserError(f"shard {path} is missing: {remedy}")
        if (size := path.stat().st_size) != shard.bytes:
            raise UserError(
                f"shard {path} has {size:,} bytes, expected {shard.bytes:,}: "
                f"{remedy}"
            )
    done = 0
    for shard in shards:
        if files.sha256(folder / shard.file) != shard.sha256:
            raise UserError(
                f"shard {folder / shard.file} is not as it was written (its "
                f"checksum differs): {remedy}"
            )
        done += shard.bytes
        if progress is not None:
            progress(done)


def _require_handles(count: int) -> None:
    """Refuse more shards than can be open at once."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 < most < count + _OTHER_FILES:
        raise UserError(
            f"{count:,} shards cannot be open at once, the limit being "
            f"{most:,} files: raise it (ulimit -n {count + _OTHER_FILES}), or "
            "prepare larger shards (--shard_megabytes)"
        )
