"""Pairs of texts, of which the second follows the first or is another's.

The second objective of BERT (arXiv 1810.04805, section 3.1), made from packed
sequences: one is cut in two behind a sentence, and half of the second parts
give way to the beginnings of other sequences.
"""

import dataclasses

import numpy as np

from tfminilm.data.packing import special_ids
from tfminilm.errors import UserError
from tfminilm.typing import Tokenizer

_ENDS = frozenset(".!?…。")


@dataclasses.dataclass(frozen=True, eq=False)
class SentencePairs:
    """What a vocabulary says about pairs.

    Attributes:
        end_id: the id that ends a text, `[SEP]`.
        is_special: `[vocabulary_size]`: ids of no text.
        ends_sentence: `[vocabulary_size]`: ids such as that of ".".
    """

    end_id: int
    is_special: np.ndarray
    ends_sentence: np.ndarray

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> "SentencePairs":
        """Reads the vocabulary of a KerasHub WordPiece tokenizer."""
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
        """Makes pairs of a batch of packed sequences.

        The first text ends with a sentence in the middle half of its
        sequence, or in the middle where none does. A second one that does not
        follow is the beginning of another sequence in the batch, and so of
        another document but by a rare chance. Texts fill the whole length.

        Args:
            inputs: `token_ids` `[batch, length]`, with special ones at both
                ends, and what else the models read.
            random: where chance comes from.

        Returns:
            The inputs, `segment_ids` being 1 behind the first text's
            `end_id`; and `[batch]` int32 labels, 0 where the second text
            follows and 1, in half of the cases, where it does not.

        Raises:
            UserError: the batch has no other sequence.
        """
        own = inputs["token_ids"]
        batch, length = own.shape
        if batch < 2:
            raise UserError(
                "next sentences are drawn from a batch, and one has a single "
                "sequence: expected train.batch_size, divided by "
                "train.gradient_accumulation, to be 2 or more, and as many "
                "sequences of held-out text"
            )
        others = np.roll(own, int(random.integers(1, batch)), axis=0)
        labels = random.integers(0, 2, batch, np.int32)
        cuts = self._cuts(own, random)[:, None]
        places = np.arange(length)
        is_second = places > cuts
        following = np.take_along_axis(own, places - is_second, axis=1)
        foreign = np.take_along_axis(
            others, np.maximum(places - cuts, 0), axis=1
        )
        is_foreign = is_second & (labels[:, None] == 1)
        token_ids = np.where(is_foreign, foreign, following)
        token_ids[(places == cuts) | (places == length - 1)] = self.end_id
        segment_ids = is_second.astype(np.int32)
        pairs = {"token_ids": token_ids, "segment_ids": segment_ids}
        return inputs | pairs, labels

    def _cuts(
        self, token_ids: np.ndarray, random: np.random.Generator
    ) -> np.ndarray:
        """Where the second texts begin, `[batch]`."""
        length = token_ids.shape[1]
        fine = np.zeros(token_ids.shape, bool)
        fine[:, 1:] = self.ends_sentence[token_ids[:, :-1]]
        fine &= ~self.is_special[token_ids]
        places = np.arange(length)
        fine &= (places >= length // 4) & (places <= 3 * length // 4)
        fine[~fine.any(axis=1), length // 2] = True
        return np.argmax(random.random(fine.shape) * fine, axis=1)
