"""Pairs of texts for next-sentence prediction.

The second objective of BERT (arXiv 1810.04805, section 3.1), made from packed
sequences: each one is cut in two after a sentence, and half of the second parts
are replaced by the beginnings of other sequences.
"""

import dataclasses

import numpy as np

from tfminilm.data.packing import special_ids
from tfminilm.errors import UserError
from tfminilm.typing import Tokenizer

_ENDS = frozenset(".!?…。")


@dataclasses.dataclass(frozen=True, eq=False)
class SentencePairs:
    """The properties of a vocabulary that pairs depend on.

    Attributes:
        end_id: the id that ends a text, `[SEP]`.
        is_special: `[vocabulary_size]`: ids of special tokens.
        ends_sentence: `[vocabulary_size]`: ids of "." and the like.
    """

    end_id: int
    is_special: np.ndarray
    ends_sentence: np.ndarray

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> "SentencePairs":
        """Read the vocabulary of a KerasHub WordPiece tokenizer."""
        pieces = [str(piece) for piece in tokenizer.get_vocabulary()]
        is_special = np.zeros(len(pieces), bool)
        is_special[[int(i) for i in tokenizer.special_token_ids]] = True
        return cls(
            end_id=special_ids(tokenizer)[1],
            is_special=is_special,
            ends_sentence=np.array([piece in _ENDS for piece in pieces]),
        )

    def apply(
        self, inputs: dict[str, np.ndarray], random: np.random.Generator
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Turn a batch of packed sequences into pairs.

        The first text ends at the end of a sentence, in the middle half of
        its sequence; if no sentence ends there, in the middle. A second text
        that does not follow is the beginning of another sequence of the
        batch, which is rarely of the same document. Pairs have full length.

        Args:
            inputs: `token_ids` `[batch, length]`, with special ones at both
                ends, and any other inputs of the models.
            random: the random number generator.

        Returns:
            The inputs, `segment_ids` being 1 behind the first text's
            `end_id`; and `[batch]` int32 labels, 0 where the second text
            follows and 1, in half of the cases, where it does not.

        Raises:
            UserError: the batch has only one sequence.
        """
        original = inputs["token_ids"]
        batch, length = original.shape
        if batch < 2:
            raise UserError(
                "next sentences are drawn from a batch, and one has a single "
                "sequence: expected train.batch_size, divided by "
                "train.gradient_accumulation, to be 2 or more, and as many "
                "sequences of held-out text"
            )
        shuffled = np.roll(original, int(random.integers(1, batch)), axis=0)
        labels = random.integers(0, 2, batch, np.int32)
        cuts = self._cuts(original, random)[:, None]
        positions = np.arange(length)
        is_second = positions > cuts
        following = np.take_along_axis(original, positions - is_second, axis=1)
        replacement = np.take_along_axis(
            shuffled, np.maximum(positions - cuts, 0), axis=1
        )
        is_replaced = is_second & (labels[:, None] == 1)
        token_ids = np.where(is_replaced, replacement, following)
        token_ids[(positions == cuts) | (positions == length - 1)] = self.end_id
        segment_ids = is_second.astype(np.int32)
        pairs = {"token_ids": token_ids, "segment_ids": segment_ids}
        return inputs | pairs, labels

    def _cuts(
        self, token_ids: np.ndarray, random: np.random.Generator
    ) -> np.ndarray:
        """Choose where the second texts begin, `[batch]`."""
        length = token_ids.shape[1]
        is_allowed = np.zeros(token_ids.shape, bool)
        is_allowed[:, 1:] = self.ends_sentence[token_ids[:, :-1]]
        is_allowed &= ~self.is_special[token_ids]
        positions = np.arange(length)
        is_allowed &= positions >= length // 4
        is_allowed &= positions <= 3 * length // 4
        is_allowed[~is_allowed.any(axis=1), length // 2] = True
        return np.argmax(random.random(is_allowed.shape) * is_allowed, axis=1)
