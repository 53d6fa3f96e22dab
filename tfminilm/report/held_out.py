"""Batches of the text that a run held out."""

import pathlib
from collections.abc import Sequence

import numpy as np

from tfminilm import json_files
from tfminilm.errors import UserError
from tfminilm.report.quality import Batch
from tfminilm.typing import Tokenizer

_EXAMPLE_TOKENS = range(8, 19)


def read_sentences(workdir: pathlib.Path) -> list[str]:
    """Return the sentences of `held_out.json`.

    Raises:
        UserError: the file is missing or damaged, or has fewer than three:
            a rank correlation needs three pairs.
    """
    path = workdir / "held_out.json"
    remedy = "start `tfminilm distill`, which writes it, again"
    shape = {"sentences": [str]}
    sentences = json_files.read(path, shape, remedy)["sentences"]
    if len(sentences) < 3:
        raise UserError(
            f"{path} has {len(sentences)} sentences, expected 3 or more; "
            "give more text or a larger data.held_out_fraction"
        )
    return sentences


def sentence_batches(
    sentences: Sequence[str],
    tokenizer: Tokenizer,
    length: int,
    batch_size: int = 32,
    teacher_tokenizer: Tokenizer | None = None,
) -> list[Batch]:
    """Return batches of one sentence a row, sorted by length and truncated.

    Args:
        sentences: held-out text.
        tokenizer: the student's.
        length: tokens of the longest row.
        batch_size: rows.
        teacher_tokenizer: the teacher's, if it is another.

    Returns:
        Dicts of `token_ids`, `segment_ids` and `padding_mask`, int32
        `[rows, tokens of the longest]`; with those of the teacher beside them
        if it has a tokenizer of its own.
    """
    from tfminilm.inputs import TEACHER

    rows = token_ids(sentences, tokenizer, length)
    order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    columns = {"": rows}
    if teacher_tokenizer is not None:
        columns[TEACHER] = token_ids(sentences, teacher_tokenizer, length)
    return [
        {
            prefix + name: array
            for prefix, few in columns.items()
            for name, array in _padded(
                [few[index] for index in order[i : i + batch_size]]
            ).items()
        }
        for i in range(0, len(rows), batch_size)
    ]


def text_batches(
    sentences: Sequence[str],
    tokenizer: Tokenizer,
    length: int,
    batch_size: int = 8,
) -> list[Batch]:
    """Return the sentences packed into rows of exactly `length` tokens.

    If all sentences together do not fill a row, each one gets its own row.
    """
    from tfminilm.data import packing

    encoded = packing.encode([list(sentences)], tokenizer)
    try:
        packed = packing.pack(encoded, tokenizer, length).token_ids
    except UserError:
        return sentence_batches(sentences, tokenizer, length, batch_size)
    return [
        _padded(list(packed[i : i + batch_size]))
        for i in range(0, len(packed), batch_size)
    ]


def token_ids(
    sentences: Sequence[str], tokenizer: Tokenizer, length: int
) -> list[np.ndarray]:
    """Return `[CLS] sentence [SEP]` as at most `length` ids each."""
    from tfminilm.data import packing

    start, end = packing.special_ids(tokenizer)
    # One document each, as sentences that follow another begin with a space.
    documents = packing.encode([[text] for text in sentences], tokenizer)
    return [
        np.concatenate([[start], document.token_ids[: length - 2], [end]])
        for document in documents
    ]


def example(
    sentences: Sequence[str], tokenizer: Tokenizer
) -> tuple[str, list[str], Batch]:
    """Return a sentence for display: short, with few split words.

    Returns:
        The sentence, its tokens, and a batch with only this sentence.
    """
    rows = token_ids(sentences, tokenizer, _EXAMPLE_TOKENS.stop)

    def rank(index: int) -> tuple[bool, float]:
        size = len(rows[index])
        pieces = size / len(sentences[index].split() or [""])
        return size not in _EXAMPLE_TOKENS, pieces

    chosen = min(range(len(rows)), key=rank)
    row = rows[chosen]
    tokens = [str(tokenizer.id_to_token(int(token_id))) for token_id in row]
    return sentences[chosen], tokens, _padded([row])


def _padded(rows: Sequence[np.ndarray]) -> Batch:
    shape = (len(rows), max(map(len, rows)))
    ids, mask = np.zeros(shape, "int32"), np.zeros(shape, "int32")
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return {
        "token_ids": ids,
        "segment_ids": np.zeros(shape, "int32"),
        "padding_mask": mask,
    }
