"""Text for a run: packed for training, and a part held out for evaluation."""

import dataclasses
import hashlib
import itertools
import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tfminilm.data import cache, corpus, packing
from tfminilm.data.packing import EncodedDocument, PackedText
from tfminilm.data.sentences import is_prose, words
from tfminilm.errors import UserError
from tfminilm.typing import Tokenizer

_MOST_SENTENCES = 256
_SENTENCE_WORDS = range(5, 61)


@dataclasses.dataclass(frozen=True)
class TextData:
    """A text to train on and a held-out one, without common documents.

    `held_out_sentences` are up to 256 different sentences of the held-out
    part, 5 to 60 words of prose each.
    """

    train: PackedText
    held_out: PackedText
    held_out_sentences: list[str]


def text_data(
    source: str | os.PathLike,
    tokenizer: Tokenizer,
    sequence_length: int,
    seed: int = 0,
    held_out_fraction: float = 0.02,
    cache_dir: str | os.PathLike | None = None,
    max_tokens: int = 0,
    progress: Callable[[int], None] | None = None,
) -> TextData:
    """Read, split, tokenize and pack a source of text.

    Args:
        source: see `documents`.
        tokenizer: a KerasHub tokenizer of an encoder.
        sequence_length: token ids in a sequence.
        seed: decides, together with a document's text, whether it is held
            out.
        held_out_fraction: share of the documents to hold out, 0 to below 1.
        cache_dir: folder to keep the result in. It is reused for the same
            source (files, sizes, times), tokenizer and arguments.
        max_tokens: read no more documents after so many tokens; 0: read all.
        progress: called with the number of tokens so far, after a document.

    Raises:
        UserError: the source cannot be read, or a part of it does not fill
            one sequence.
    """
    if not 0 <= held_out_fraction < 1:
        raise UserError(
            f"held-out fraction is {held_out_fraction}, expected 0 to below 1"
        )

    def build() -> TextData:
        encoded = packing.encode(corpus.documents(source), tokenizer)
        parts = _split(encoded, seed, held_out_fraction, max_tokens, progress)
        train, held_out = _pack(
            *parts, tokenizer, sequence_length, source, held_out_fraction
        )
        texts = itertools.chain.from_iterable(d.sentences for d in parts[1])
        return TextData(train, held_out, choose_sentences(texts, seed))

    if cache_dir is None:
        return build()
    identity = {
        "source": corpus.identity(source),
        "tokenizer": cache.tokenizer_identity(tokenizer),
        "sequence_length": sequence_length,
        "seed": seed,
        "held_out_fraction": held_out_fraction,
        "max_tokens": max_tokens,
    }
    if cached := cache.load(cache_dir, identity):
        return _from_cache(*cached)
    data = build()
    cache.save(cache_dir, identity, *_to_cache(data))
    return data


def is_held_out(document: list[str], seed: int, fraction: float) -> bool:
    """Return whether a document, given as its sentences, is held out.

    This depends only on its text and the seed, so all stages of a run hold out
    the same documents.
    """
    return place("\n".join(document), seed) < fraction


def place(text: str, seed: int) -> float:
    """Return a number in [0, 1) that is a hash of text and seed."""
    digest = hashlib.blake2b(f"{seed}\n{text}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) * 2.0**-53


def _split(
    documents: Iterable[EncodedDocument],
    seed: int,
    fraction: float,
    max_tokens: int,
    progress: Callable[[int], None] | None,
) -> tuple[list[EncodedDocument], list[EncodedDocument]]:
    train: list[EncodedDocument] = []
    held_out: list[EncodedDocument] = []
    num_tokens = 0
    for document in documents:
        if is_held_out(document.sentences, seed, fraction):
            held_out.append(document)
        else:  # Without its sentences, to save memory.
            train.append(dataclasses.replace(document, sentences=[]))
        num_tokens += document.token_ids.size
        if progress is not None:
            progress(num_tokens)
        if 0 < max_tokens <= num_tokens:
            break
    return train, held_out


def _pack(
    train: list[EncodedDocument],
    held_out: list[EncodedDocument],
    tokenizer: Tokenizer,
    sequence_length: int,
    source: str | os.PathLike,
    fraction: float,
) -> tuple[PackedText, PackedText]:
    packed = packing.pack(
        train, tokenizer, sequence_length, f"the text to train on of {source}"
    )
    if fraction == 0:
        return packed, PackedText(packed.token_ids[:0], 0)
    packed_out = packing.pack(
        held_out,
        tokenizer,
        sequence_length,
        f"the held-out part of {source} ({len(held_out)} documents of "
        f"{len(train) + len(held_out)} by a held-out fraction of "
        f"{fraction:g})",
    )
    return packed, packed_out


def choose_sentences(sentences: Iterable[str], seed: int) -> list[str]:
    """Choose up to 256 sentences for display, by a hash of each.

    A choice from the choices of several parts equals a choice from all at
    once.
    """
    distinct = {
        sentence
        for sentence in sentences
        if len(words(sentence)) in _SENTENCE_WORDS and is_prose(sentence)
    }
    chosen = sorted(distinct, key=lambda text: (place(text, seed), text))
    return chosen[:_MOST_SENTENCES]


def _to_cache(data: TextData) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    arrays = {
        "train": data.train.token_ids,
        "held_out": data.held_out.token_ids,
    }
    facts = {
        "train": data.train.num_tokens,
        "held_out": data.held_out.num_tokens,
        "sentences": data.held_out_sentences,
    }
    return arrays, facts


def _from_cache(
    arrays: dict[str, np.ndarray], facts: dict[str, Any]
) -> TextData:
    return TextData(
        PackedText(arrays["train"], facts["train"]),
        PackedText(arrays["held_out"], facts["held_out"]),
        facts["sentences"],
    )
