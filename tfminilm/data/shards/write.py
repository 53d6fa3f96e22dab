"""Write the shards of a part, and at the end those of all remainders.

A file appears complete or not at all. A part's record, which marks it as done,
is written after its shards.
"""

import collections
import dataclasses
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from tfminilm import files
from tfminilm.data import packing, text
from tfminilm.data.packing import EncodedDocument
from tfminilm.data.shards import instances
from tfminilm.data.shards.instances import Layout
from tfminilm.data.shards.manifest import SPLITS, Shard, Split
from tfminilm.data.shards.read import Rows
from tfminilm.data.shards.settings import Settings
from tfminilm.typing import Tokenizer

# One record in a group for random access; ids can hardly be compressed.
_OPTIONS = "group_size:1,uncompressed"


def dtype_of(tokenizer: Tokenizer) -> str:
    """Return the smallest integer type of a record that holds every id."""
    return "<u2" if tokenizer.vocabulary_size() <= 2**16 else "<i4"


def write_part(
    folder: pathlib.Path,
    number: int,
    documents: Iterable[tuple[list[str], list[str]]],
    tokenizer: Tokenizer,
    settings: Settings,
) -> dict[str, Any]:
    """Write the shards of one part.

    Args:
        folder: the folder of the shards.
        number: the number of the part.
        documents: pairs of all sentences of a document, and those to keep.
        tokenizer: encodes the sentences.
        settings: the settings of the preparation.

    Returns:
        The part's record, JSON-able, as `finish` takes it.

    Raises:
        UserError: the text cannot be read, or the disk is full.
    """
    sides: collections.deque[str] = collections.deque()

    def sentences_to_keep() -> Iterator[list[str]]:
        # Held out by the whole document's text, as without preparation.
        seed, fraction = settings.seed, settings.held_out_fraction
        for whole, sentences in documents:
            sides.append(SPLITS[text.is_held_out(whole, seed, fraction)])
            yield sentences

    documents_by_split: dict[str, list[EncodedDocument]] = {
        name: [] for name in SPLITS
    }
    sentences: list[str] = []
    for document in packing.encode(sentences_to_keep(), tokenizer):
        side = sides.popleft()
        if side == "held_out":
            sentences += document.sentences
        documents_by_split[side].append(
            dataclasses.replace(document, sentences=[])
        )
    record: dict[str, Any] = {
        name: _write_split(
            folder, name, number, documents_by_split[name], tokenizer, settings
        )
        for name in SPLITS
    }
    record["sentences"] = text.choose_sentences(sentences, settings.seed)
    return record


def finish(
    folder: pathlib.Path,
    records: list[dict[str, Any]],
    tokenizer: Tokenizer,
    settings: Settings,
) -> tuple[dict[str, Split], list[str]]:
    """Pack the remainders of all parts into one more shard of each split.

    Args:
        folder: the folder of the shards.
        records: the records of all parts, in order.
        tokenizer: as in `write_part`.
        settings: as in `write_part`.

    Returns:
        The splits, and some held-out sentences for display.

    Raises:
        UserError: there is not enough text, or the disk is full.
    """
    splits = {}
    for name in SPLITS:
        part_records = [record[name] for record in records]
        shards = [Shard(**one["shard"]) for one in part_records if one["shard"]]
        remainders = [
            _document(*document)
            for one in part_records
            for document in one["rest"]
        ]
        num_documents = sum(one["documents"] for one in part_records)
        if remainders or not shards:
            rows = _pack_remainders(
                folder, name, remainders, shards, tokenizer, settings
            )
            number = len(records)
            shards.append(
                _write(folder, name, number, rows, tokenizer, settings)
            )
        splits[name] = Split(
            documents=num_documents,
            tokens=sum(one["tokens"] for one in part_records),
            sequences=sum(shard.sequences for shard in shards),
            shards=tuple(shards),
        )
    sentences = (one for record in records for one in record["sentences"])
    return splits, text.choose_sentences(sentences, settings.seed)


def _write_split(
    folder: pathlib.Path,
    name: str,
    number: int,
    documents: list[EncodedDocument],
    tokenizer: Tokenizer,
    settings: Settings,
) -> dict[str, Any]:
    packed, remainders = packing.pack_part(
        documents, tokenizer, settings.sequence_length
    )
    shard = None
    if len(packed):
        rows = packed.token_ids
        shard = _write(folder, name, number, rows, tokenizer, settings)
    return {
        "documents": len(documents),
        "tokens": packed.num_tokens,
        "shard": shard and dataclasses.asdict(shard),
        "rest": [
            [one.token_ids.tolist(), one.lengths.tolist()] for one in remainders
        ],
    }


def _document(token_ids: list[int], lengths: list[int]) -> EncodedDocument:
    return EncodedDocument([], np.array(token_ids, np.int32), np.array(lengths))


def _pack_remainders(
    folder: pathlib.Path,
    name: str,
    documents: list[EncodedDocument],
    shards: list[Shard],
    tokenizer: Tokenizer,
    settings: Settings,
) -> np.ndarray:
    """Pack documents that fill no sequence of their part.

    If they do not fill one together, the first sequence of all fills it up.
    """
    length = settings.sequence_length
    size = sum(document.token_ids.size for document in documents)
    if size >= length - 2 or not shards:
        description = f"the {name.replace('_', '-')} part of {settings.source}"
        return packing.pack(documents, tokenizer, length, description).token_ids
    only = Split(0, 0, shards[0].sequences, (shards[0],))
    layout, dtype = Layout.of(settings), dtype_of(tokenizer)
    ((_, *first, _),) = Rows(folder, only, dtype, layout, length)[:1]
    documents = [*documents, _document(first, [len(first)])]
    return packing.pack(documents, tokenizer, length).token_ids[:1]


def _write(
    folder: pathlib.Path,
    name: str,
    number: int,
    rows: np.ndarray,
    tokenizer: Tokenizer,
    settings: Settings,
) -> Shard:
    """Write sequences, and masked copies if they are set, one in a record."""
    from array_record.python import array_record_module

    if settings.masked_copies:
        bits = np.random.PCG64([settings.seed, number, SPLITS.index(name)])
        chance = np.random.Generator(bits)
        rows = instances.make(rows, tokenizer, settings, chance)
    path = folder / f"{name}-{number:05d}.array_record"
    with files.new_file(path) as temporary:
        writer = array_record_module.ArrayRecordWriter(str(temporary), _OPTIONS)
        for row in rows.astype(dtype_of(tokenizer)):
            writer.write(row.tobytes())
        writer.close()
    size = path.stat().st_size
    return Shard(path.name, len(rows), size, files.sha256(path))
