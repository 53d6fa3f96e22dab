"""Shards of one part of a text, and the end of all: what they left, packed.

A file of a part appears whole or not at all, and its record, which says that
the part is done, after its shards.
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

# Single records are read at random, and ids hardly compress.
_OPTIONS = "group_size:1,uncompressed"


def dtype_of(tokenizer: Tokenizer) -> str:
    """The smallest type of a record that holds every id."""
    return "<u2" if tokenizer.vocabulary_size() <= 2**16 else "<i4"


def write_part(
    folder: pathlib.Path,
    number: int,
    documents: Iterable[tuple[list[str], list[str]]],
    tokenizer: Tokenizer,
    settings: Settings,
) -> dict[str, Any]:
    """Writes the shards of one part.

    Args:
        folder: where they go.
        number: the part's.
        documents: the sentences of each, whole, and those of them to keep.
        tokenizer: encodes them.
        settings: say how.

    Returns:
        The part's record, JSON-able, as `finish` takes it.

    Raises:
        UserError: the text cannot be read, or the disk is full.
    """
    sides: collections.deque[str] = collections.deque()

    def kept() -> Iterator[list[str]]:
        # The side is that of the whole document, as when it is not prepared.
        seed, fraction = settings.seed, settings.held_out_fraction
        for whole, sentences in documents:
            sides.append(SPLITS[text.is_held_out(whole, seed, fraction)])
            yield sentences

    found: dict[str, list[EncodedDocument]] = {name: [] for name in SPLITS}
    sentences: list[str] = []
    for document in packing.encode(kept(), tokenizer):
        side = sides.popleft()
        if side == "held_out":
            sentences += document.sentences
        found[side].append(dataclasses.replace(document, sentences=[]))
    record: dict[str, Any] = {
        name: _write_split(
            folder, name, number, found[name], tokenizer, settings
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
    """Packs what the parts left together into one more shard of each split.

    Args:
        folder: where the shards are.
        records: of all parts, in order.
        tokenizer: as of `write_part`.
        settings: as of `write_part`.

    Returns:
        The splits, and the sentences to look at.

    Raises:
        UserError: there is not enough text, or the disk is full.
    """
    splits = {}
    for name in SPLITS:
        own = [record[name] for record in records]
        shards = [Shard(**one["shard"]) for one in own if one["shard"]]
        rest = [_document(*document) for one in own for document in one["rest"]]
        num_documents = sum(one["documents"] for one in own)
        if rest or not shards:
            rows = _pack_rest(folder, name, rest, shards, tokenizer, settings)
            number = len(records)
            shards.append(
                _write(folder, name, number, rows, tokenizer, settings)
            )
        splits[name] = Split(
            documents=num_documents,
            tokens=sum(one["tokens"] for one in own),
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
    packed, rest = packing.pack_part(
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
            [one.token_ids.tolist(), one.lengths.tolist()] for one in rest
        ],
    }


def _document(token_ids: list[int], lengths: list[int]) -> EncodedDocument:
    return EncodedDocument([], np.array(token_ids, np.int32), np.array(lengths))


def _pack_rest(
    folder: pathlib.Path,
    name: str,
    rest: list[EncodedDocument],
    shards: list[Shard],
    tokenizer: Tokenizer,
    settings: Settings,
) -> np.ndarray:
    """Sequences of what fills none by itself; the last one goes on with the
    first of all.
    """
    length = settings.sequence_length
    size = sum(document.token_ids.size for document in rest)
    if size >= length - 2 or not shards:
        called = f"the {name.replace('_', '-')} part of {settings.source}"
        return packing.pack(rest, tokenizer, length, called).token_ids
    only = Split(0, 0, shards[0].sequences, (shards[0],))
    layout, dtype = Layout.of(settings), dtype_of(tokenizer)
    ((_, *first, _),) = Rows(folder, only, dtype, layout, length)[:1]
    rest = [*rest, _document(first, [len(first)])]
    return packing.pack(rest, tokenizer, length).token_ids[:1]


def _write(
    folder: pathlib.Path,
    name: str,
    number: int,
    rows: np.ndarray,
    tokenizer: Tokenizer,
    settings: Settings,
) -> Shard:
    """Writes sequences, with masked copies if that is set, one a record."""
    from array_record.python import array_record_module

    if settings.masked_copies:
        bits = np.random.PCG64([settings.seed, number, SPLITS.index(name)])
        chance = np.random.Generator(bits)
        rows = instances.make(rows, tokenizer, settings, chance)
    path = folder / f"{name}-{number:05d}.array_record"
    with files.new_file(path) as beside:
        writer = array_record_module.ArrayRecordWriter(str(beside), _OPTIONS)
        for row in rows.astype(dtype_of(tokenizer)):
            writer.write(row.tobytes())
        writer.close()
    size = path.stat().st_size
    return Shard(path.name, len(rows), size, files.sha256(path))
