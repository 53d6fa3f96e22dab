"""Sequences that are masked once for all, several copies of each.

As in BERT's own preparation (arXiv 1810.04805, appendix A.2), training then
masks nothing itself; each time a sequence comes, one of its copies is drawn.
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
    """What lies where in a record of masked copies.

    First comes the sequence as it is. Of each copy follow the masked ids,
    positions, and original ids at these; with pairs also how long the first
    text is, and whether the second is another's.

    Attributes:
        length: ids in a sequence.
        places: positions in a copy; those not used are 0.
        copies: how many there are; 0: a record is a sequence alone.
        pairs: whether they are pairs of texts.
    """

    length: int
    places: int = 0
    copies: int = 0
    pairs: bool = False

    @classmethod
    def of(cls, settings: Settings) -> "Layout":
        """That of shards made with these settings."""
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
        """Numbers in a record."""
        return self.length + self.copies * self._copy

    @property
    def _copy(self) -> int:
        return self.length + 2 * self.places + 2 * self.pairs

    def apply(
        self, inputs: dict[str, np.ndarray], random: np.random.Generator
    ) -> MaskedBatch:
        """A batch of copies, in the place of `Masking.apply`.

        Args:
            inputs: `token_ids`: records `[batch, width]`.
            random: draws the copies.
        """
        records = inputs["token_ids"]
        copies = records[:, self.length :].reshape(-1, self.copies, self._copy)
        drawn = random.integers(self.copies, size=len(records))
        own = copies[np.arange(len(records)), drawn]
        ends = np.cumsum([self.length, self.places, self.places])
        token_ids, positions, labels, pairs = np.split(own, ends, axis=1)
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
    """Records, int32 `[sequences, width]`, of sequences.

    Args:
        token_ids: `[sequences, length]`.
        tokenizer: says what may be masked.
        settings: say how much, and how often.
        random: where chance comes from.
    """
    how = Masking.of(tokenizer, settings.mask_rate, settings.whole_words)
    pairs = SentencePairs.of(tokenizer) if settings.next_sentence else None
    # Alone, a sequence is followed by none; its own beginning stands for one.
    several = token_ids if len(token_ids) > 1 else token_ids.repeat(2, axis=0)
    inputs = {
        "token_ids": several,
        "segment_ids": np.zeros_like(several),
        "padding_mask": np.ones_like(several),
    }
    blocks = [several]
    for _ in range(settings.masked_copies):
        x, y, _ = masking.masked(inputs, how, pairs, random)
        if pairs is None:
            blocks += [x["token_ids"], x["mask_positions"], y]
            continue
        first = (x["segment_ids"] == 0).sum(axis=1)
        about = np.stack([first, y["next_sentence_logits"]], axis=1)
        blocks += [x["token_ids"], x["mask_positions"], y["logits"], about]
    return np.concatenate(blocks, axis=1)[: len(token_ids)]
