"""Sequences that are masked once in advance, several copies of each.

As in BERT's own preparation (arXiv 1810.04805, appendix A.2), nothing is masked
during training; one of the copies is drawn each time a sequence is read.
"""

import dataclasses

import numpy as np

from tfminilm.data import masking
from tfminilm.data.masking import MaskedBatch, Masking
from tfminilm.data.next_sentence import SentencePairs
from tfminilm.data.shards.settings import Settings
from tfminilm.typing import Tokenizer


@dataclasses.dataclass(frozen=True)
class Layout:
    """The layout of a record with masked copies.

    First comes the unmasked sequence. Then for each copy the masked ids, the
    positions, and the original ids at them; with pairs also the length of the
    first text, and whether the second text is a random one.

    Attributes:
        length: ids in a sequence.
        places: positions in a copy; unused ones are 0.
        copies: number of copies; 0: a record is only the sequence.
        pairs: whether the copies are pairs of texts.
    """

    length: int
    places: int = 0
    copies: int = 0
    pairs: bool = False

    @classmethod
    def of(cls, settings: Settings) -> "Layout":
        """Return the layout of shards that were made with these settings."""
        if not settings.masked_copies:
            return cls(settings.sequence_length)
        places = max(1, round(settings.mask_rate * settings.sequence_length))
        return cls(
            settings.sequence_length,
            places,
            settings.masked_copies,
            settings.next_sentence,
        )

    @property
    def width(self) -> int:
        """The number of integers in a record."""
        return self.length + self.copies * self._copy

    @property
    def _copy(self) -> int:
        return self.length + 2 * self.places + 2 * self.pairs

    def apply(
        self, inputs: dict[str, np.ndarray], random: np.random.Generator
    ) -> MaskedBatch:
        """Return a batch of copies; it replaces `Masking.apply`.

        Args:
            inputs: `token_ids`: records `[batch, width]`.
            random: draws the copies.
        """
        records = inputs["token_ids"]
        copies = records[:, self.length :].reshape(-1, self.copies, self._copy)
        drawn = random.integers(self.copies, size=len(records))
        copy = copies[np.arange(len(records)), drawn]
        ends = np.cumsum([self.length, self.places, self.places])
        token_ids, positions, labels, pairs = np.split(copy, ends, axis=1)
        x = {
            "token_ids": token_ids,
            "segment_ids": np.zeros_like(token_ids),
            "padding_mask": np.ones_like(token_ids),
            "mask_positions": positions,
        }
        weights = (positions > 0).astype(np.float32)
        if not self.pairs:
            return x, labels, weights
        is_second = np.arange(self.length) >= pairs[:, :1]
        x["segment_ids"] = is_second.astype(np.int32)
        y = {"logits": labels, "next_sentence_logits": pairs[:, 1]}
        return x, y, weights


def make(
    token_ids: np.ndarray,
    tokenizer: Tokenizer,
    settings: Settings,
    random: np.random.Generator,
) -> np.ndarray:
    """Build records, int32 `[sequences, width]`, from sequences.

    Args:
        token_ids: `[sequences, length]`.
        tokenizer: decides which tokens may be masked.
        settings: the share of masked tokens and the number of copies.
        random: the random number generator.
    """
    masks = Masking.of(tokenizer, settings.mask_rate, settings.whole_words)
    pairs = SentencePairs.of(tokenizer) if settings.next_sentence else None
    # Pairs need another sequence; a single one is paired with itself.
    sequences = token_ids if len(token_ids) > 1 else token_ids.repeat(2, axis=0)
    inputs = {
        "token_ids": sequences,
        "segment_ids": np.zeros_like(sequences),
        "padding_mask": np.ones_like(sequences),
    }
    blocks = [sequences]
    for _ in range(settings.masked_copies):
        x, y, _ = masking.masked(inputs, masks, pairs, random)
        if pairs is None:
            blocks += [x["token_ids"], x["mask_positions"], y]
            continue
        first = (x["segment_ids"] == 0).sum(axis=1)
        pair_info = np.stack([first, y["next_sentence_logits"]], axis=1)
        blocks += [x["token_ids"], x["mask_positions"], y["logits"], pair_info]
    return np.concatenate(blocks, axis=1)[: len(token_ids)]
