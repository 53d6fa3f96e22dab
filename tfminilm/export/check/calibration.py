"""Prepare the texts that a model is compared and calibrated on."""

from collections.abc import Iterable, Sequence
from typing import cast

import numpy as np

from tfminilm.errors import UserError
from tfminilm.tasks.encode import encode_texts
from tfminilm.tasks.encoded import Encoded, join
from tfminilm.tasks.example import Example, QAExample
from tfminilm.tasks.kinds import kind_of
from tfminilm.tasks.settings import Settings
from tfminilm.typing import Tokenizer

# One text, or two that are read together.
Texts = tuple[str, ...]

# When nothing better is known: short and long, questions, numbers, accents,
# code, and one longer than any small signature.
SENTENCES = (
    "No.",
    "The quick brown fox jumps over the lazy dog.",
    "Where can I buy a ticket to the museum of modern art?",
    "The café's résumé of 1,024 naïve users arrived at 7:45 p.m.",
    "def mean(values): return sum(values) / len(values)",
    "A very good film, although the ending is hard to believe.",
    "Distillation moves what a large model knows into a small one, layer by "
    "layer, so that a telephone can run it without asking a server.",
    "When the river had risen above the second step, the keeper of the "
    "bridge closed the gate, lit both lamps, and walked up the hill to the "
    "village, where the bells were ringing already; nobody had slept, and "
    "the children stood at the windows and counted the carts which came "
    "down the road from the mill, loaded with flour, blankets and hens. By "
    "morning the water had gone down again, the fields were grey with mud, "
    "and the old man said, as he said every year, that it had been worse in "
    "his father's time, that people had no patience any more, and that "
    "somebody should look after the gate, because he would not do it again.",
)

# `[CLS] a [SEP] [SEP] b [SEP]`, the most that any tokenizer makes of a pair.
_SHORTEST_PAIR = 6


def of_sentences(
    sentences: Sequence[str], only_pairs: bool = False
) -> list[Texts]:
    """Return each sentence alone, and the first two as a pair.

    Args:
        sentences: plain text.
        only_pairs: each sentence with its successor instead, for a model that
            reads two texts, such as a question and its context.
    """
    if only_pairs:
        following = [*sentences[1:], *sentences[:1]]
        return list(zip(sentences, following, strict=True))
    alone: list[Texts] = [(sentence,) for sentence in sentences]
    return alone + ([tuple(sentences[:2])] if len(sentences) > 1 else [])


def as_texts(
    texts: Sequence[str] | Sequence[Texts], settings: Settings | None
) -> list[Texts]:
    """Arrange sentences as the model reads them; keep what is arranged."""
    if all(isinstance(text, str) for text in texts):
        reads_pairs = settings is not None and kind_of(settings).reads_pairs(
            settings.num_texts
        )
        return of_sentences(cast(Sequence[str], texts), only_pairs=reads_pairs)
    return list(cast(Sequence[Texts], texts))


def of_examples(examples: Iterable[Example | QAExample]) -> list[Texts]:
    """Return the texts of a task's examples; questions with their contexts."""
    return [example.texts for example in examples]


def encode(
    tokenizer: Tokenizer, texts: Sequence[Texts], length: int
) -> tuple[list[str], Encoded]:
    """Encode texts, cut to `length`; pairs only where they have room.

    Returns:
        A text for messages of each sequence, and the sequences.

    Raises:
        UserError: there is no text, or `length` has no room for one.
    """
    if not texts:
        raise UserError("no sentences to check parity on, expected one or more")
    alone = [row for row in texts if len(row) == 1]
    pairs = [row for row in texts if len(row) == 2]
    if alone and length < _SHORTEST_PAIR:
        pairs = []
    groups = [group for group in (alone, pairs) if group]
    return (
        [" [SEP] ".join(row) for group in groups for row in group],
        join(encode_texts(group, tokenizer, length) for group in groups),
    )


def batch(
    tokenizer: Tokenizer, texts: Sequence[Texts], length: int
) -> dict[str, np.ndarray]:
    """Encode all texts as one batch for Keras, int32 `[texts, length]` each."""
    _, encoded = encode(tokenizer, texts, length)
    return encoded.padded(np.arange(len(encoded)), length)
