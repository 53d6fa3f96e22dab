"""Masked-language-model batches: masked during training, from a seed.

Devlin et al. (arXiv 1810.04805, section 3.1): 15 % of the tokens are to be
predicted; of these, 80 % are replaced by `[MASK]`, 10 % by a random token,
and 10 % stay. The masks are a pure function of the seed and the step, so every
epoch masks other tokens, and a resumed run masks the same ones as a run that
was never interrupted.
"""

import dataclasses
import typing
import unicodedata
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tfminilm.data import batches
from tfminilm.data.next_sentence import SentencePairs
from tfminilm.data.packing import PackedText
from tfminilm.errors import UserError
from tfminilm.typing import Tokenizer

if TYPE_CHECKING:
    import tensorflow as tf

# The arguments of KerasHub's masked-language models: inputs, labels, weights.
# With next-sentence prediction the labels are a dict by the model's outputs.
MaskedBatch = tuple[dict[str, np.ndarray], Any, np.ndarray]

_MASK, _RANDOM = 0.8, 0.1
# Scripts that put no space between words: each piece is a word of its own.
_UNSPACED = "CJK HIRAGANA KATAKANA THAI LAO KHMER MYANMAR TIBETAN".split()
# Added to the seed, so that training and held-out batches get other masks.
_TRAIN, _HELD_OUT = 1, 2


class Masks(Protocol):
    """The interface of objects that mask a batch, such as `Masking`."""

    def apply(
        self, inputs: dict[str, np.ndarray], random: np.random.Generator
    ) -> MaskedBatch: ...


@dataclasses.dataclass(frozen=True, eq=False)
class Masking:
    """The settings of masking and the properties of a vocabulary.

    Attributes:
        mask_id: the id of `[MASK]`.
        is_special: `[vocabulary_size]`: ids that are never masked, such as
            `[CLS]`, `[SEP]` and `[PAD]`.
        starts_word: `[vocabulary_size]`: ids that begin a word.
        replacements: ids that a random token is drawn from.
        rate: share of a sequence's tokens to predict.
        whole_words: whether all pieces of a word are chosen together. A word
            of more pieces than may be predicted is never chosen.
        chances: `[vocabulary_size]`: how much likelier than others each id is
            chosen; `None` for all alike. Not with whole words.
        at_all: whether `mask_positions` are all positions in their order, not
            those to predict alone: then heads give logits of all tokens.
    """

    mask_id: int
    is_special: np.ndarray
    starts_word: np.ndarray
    replacements: np.ndarray
    rate: float = 0.15
    whole_words: bool = True
    chances: np.ndarray | None = None
    at_all: bool = False

    @classmethod
    def of(
        cls, tokenizer: Tokenizer, rate: float = 0.15, whole_words: bool = True
    ) -> "Masking":
        """Build the masking for the vocabulary of a KerasHub tokenizer.

        WordPiece marks the pieces that continue a word ("##ing"),
        SentencePiece and byte-level BPE those that begin one ("▁in", "Ġin").

        Raises:
            UserError: it has no mask token, or the rate is not 0 to 1.
        """
        mask_id = getattr(tokenizer, "mask_token_id", None)
        if mask_id is None:
            raise UserError(
                f"{type(tokenizer).__name__} has no mask token; expected the "
                "tokenizer of a masked language model such as BERT"
            )
        if not 0 < rate < 1:
            raise UserError(f"masking rate is {rate}, expected 0 to 1")
        pieces = pieces_of(tokenizer)
        is_special = np.zeros(len(pieces), bool)
        is_special[[int(i) for i in tokenizer.special_token_ids]] = True
        unused = np.array(["unused" in piece for piece in pieces])
        return cls(
            mask_id=int(mask_id),
            is_special=is_special,
            starts_word=_starts_word(pieces),
            replacements=np.flatnonzero(~(is_special | unused)).astype("int32"),
            rate=rate,
            whole_words=whole_words,
        )

    def num_predictions(self, length: int) -> int:
        """Return the number of places for masked tokens in `length` ids."""
        if self.at_all:
            return length
        return max(1, round(self.rate * length))

    def apply(
        self, inputs: dict[str, np.ndarray], random: np.random.Generator
    ) -> MaskedBatch:
        """Mask a batch.

        Args:
            inputs: `token_ids` and `padding_mask`, `[batch, length]`, and
                any other inputs of the models.
            random: the random number generator.

        Returns:
            The inputs with masked `token_ids` and with `mask_positions`
            (int32), the original ids (int32) and the weights (float32, 0 at
            unused places), `[batch, num_predictions(length)]` each.
        """
        token_ids = inputs["token_ids"]
        positions, used = self._choose(
            token_ids, inputs["padding_mask"].astype(bool), random
        )
        original = np.take_along_axis(token_ids, positions, axis=1)
        chance = random.random(positions.shape)
        drawn = random.choice(self.replacements, positions.shape)
        new = np.where(chance < _MASK + _RANDOM, drawn, original)
        new = np.where(chance < _MASK, self.mask_id, new)
        masked = token_ids.copy()
        rows = np.broadcast_to(np.arange(len(masked))[:, None], used.shape)
        masked[rows[used], positions[used]] = new[used]
        x = inputs | {
            "token_ids": masked,
            "mask_positions": np.where(used | self.at_all, positions, 0).astype(
                np.int32
            ),
        }
        labels = np.where(used, original, 0).astype(np.int32)
        return x, labels, used.astype(np.float32)

    def _choose(
        self,
        token_ids: np.ndarray,
        real: np.ndarray,
        random: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the positions to predict, `[batch, places]`, and their use."""
        length = token_ids.shape[1]
        places = self.num_predictions(length)
        lengths = real.sum(axis=1, keepdims=True)
        budget = np.clip(np.rint(self.rate * lengths), 1, places)
        free = real & ~self.is_special[token_ids]
        starts = free.copy()
        if self.whole_words:
            before = np.pad(free, ((0, 0), (1, 0)))[:, :-1]
            starts &= self.starts_word[token_ids] | ~before
        # Words are numbered from 1 in each sequence; 0 means "do not mask".
        words = np.where(free, np.cumsum(starts, axis=1), 0)
        sizes = np.stack([np.bincount(w, minlength=length + 1) for w in words])
        keys = random.random(sizes.shape)
        if self.chances is not None:
            keys = self._weighted(keys, words, token_ids)
        keys[(sizes > budget) | (np.arange(length + 1) == 0)] = np.inf
        # Sorted by their words' keys, so a word's tokens stay side by side.
        tokens = np.take_along_axis(keys, words, axis=1)
        order = np.argsort(tokens, axis=1, kind="stable")
        sorted_words = np.take_along_axis(words, order, axis=1)
        ends = np.ones_like(free)
        ends[:, :-1] = sorted_words[:, 1:] != sorted_words[:, :-1]
        ends &= np.isfinite(np.take_along_axis(tokens, order, axis=1))
        counts = np.arange(1, length + 1)
        num_chosen = np.where(ends & (counts <= budget), counts, 0).max(axis=1)
        used = np.arange(places) < num_chosen[:, None]
        if not self.at_all:
            return order[:, :places], used
        in_order = np.zeros_like(used)
        np.put_along_axis(in_order, order, used, axis=1)
        return np.broadcast_to(np.arange(length), used.shape), in_order

    def _weighted(
        self, keys: np.ndarray, words: np.ndarray, token_ids: np.ndarray
    ) -> np.ndarray:
        """Turn uniform keys into those of a draw by `chances`.

        The smallest of exponential variables belongs to each with a
        probability that is proportional to its rate, and so does the next one
        among the rest: a draw without replacement (Efraimidis and Spirakis,
        2006).

        Args:
            keys: `[batch, words]`, 0 to 1.
            words: `[batch, length]`, the word that each token is.
            token_ids: the same shape.
        """
        rates = np.ones_like(keys)
        chances = typing.cast(np.ndarray, self.chances)[token_ids]
        np.put_along_axis(rates, words, chances, axis=1)
        return -np.log1p(-keys) / rates


def masked_batch(
    packed: PackedText,
    step: int,
    batch_size: int,
    seed: int,
    masking: Masks,
    pairs: SentencePairs | None = None,
) -> MaskedBatch:
    """Return the masked batch of a global step: `Masking.apply` on `batch`.

    With `pairs` the sequences are first turned into pairs of texts, and the
    labels are a dict: "logits" of the masked tokens, and
    "next_sentence_logits".

    Raises:
        UserError: the text has no sequence.
    """
    inputs = batches.batch(packed, step, batch_size, seed)
    return masked(inputs, masking, pairs, _random(seed, step, _TRAIN))


def masked_dataset(
    packed: PackedText,
    batch_size: int,
    seed: int = 0,
    first_step: int = 0,
    num_steps: int | None = None,
    masking: Masks | None = None,
    pairs: SentencePairs | None = None,
) -> "tf.data.Dataset":
    """Return the masked batches of a text as a `tf.data.Dataset`.

    Args:
        packed: the text, `TextData.train` for example.
        batch_size: sequences in a batch.
        seed: decides the order and the masks.
        first_step: the step to begin with, counted from 0.
        num_steps: number of batches; None: one epoch each time it is read, as
            in `dataset`. Each epoch is masked differently.
        masking: chooses the masks, such as `Masking.of(tokenizer)`; required.
        pairs: makes pairs of texts for next-sentence prediction; see
            `masked_batch`.

    Raises:
        UserError: the text has no sequence, or `masking` is missing.
    """
    import tensorflow as tf

    if masking is None:
        raise UserError(
            "masked_dataset has no masking, expected what chooses the tokens "
            "to mask; give masking=Masking.of(tokenizer)"
        )

    def make(step: int) -> MaskedBatch:
        return masked_batch(packed, step, batch_size, seed, masking, pairs)

    first = make(first_step)
    arrays = tf.nest.flatten(first)
    types = [array.dtype for array in arrays]

    def draw(step: np.ndarray) -> list[np.ndarray]:
        return tf.nest.flatten(make(int(step)))

    def parts(step: "tf.Tensor") -> Any:
        flat = [
            tf.ensure_shape(tensor, array.shape)
            for tensor, array in zip(
                tf.numpy_function(draw, [step], types), arrays, strict=True
            )
        ]
        return tf.nest.pack_sequence_as(first, flat)

    steps = batches.steps_dataset(packed, batch_size, first_step, num_steps)
    return steps.map(parts).prefetch(tf.data.AUTOTUNE)


def masked_held_out_batches(
    packed: PackedText,
    batch_size: int,
    masking: Masks,
    seed: int = 0,
    count: int | None = None,
    pairs: SentencePairs | None = None,
) -> list[MaskedBatch]:
    """Return `held_out_batches`, masked in the same way in every call.

    Raises:
        UserError: the text has no sequence.
    """
    plain = batches.held_out_batches(packed, batch_size, count)
    return [
        masked(inputs, masking, pairs, _random(seed, number, _HELD_OUT))
        for number, inputs in enumerate(plain)
    ]


def masked(
    inputs: dict[str, np.ndarray],
    masking: Masks,
    pairs: SentencePairs | None,
    random: np.random.Generator,
) -> MaskedBatch:
    """Apply the masking to a batch, or to pairs of texts made from it."""
    if pairs is None:
        return masking.apply(inputs, random)
    inputs, follows = pairs.apply(inputs, random)
    x, labels, weights = masking.apply(inputs, random)
    return x, {"logits": labels, "next_sentence_logits": follows}, weights


def smoothed_chances(counts: np.ndarray, smoothing: float) -> np.ndarray:
    """Return how much likelier rare tokens are chosen: counts^-smoothing.

    As XLM (arXiv 1901.07291) and DistilBERT's code, with 0.7, draw them.

    Args:
        counts: `[vocabulary_size]`, how often each id is in the text; one
            that is not there counts as if it were there once.
        smoothing: above 0; with 0 all would be alike.
    """
    return np.maximum(counts, 1).astype(np.float64) ** -smoothing


def whole_words(tokenizer: Tokenizer) -> list[str]:
    """Return for each token id its word, if it is a whole word of letters.

    Other tokens (pieces of words, marks, special ones) get empty strings.
    """
    pieces = pieces_of(tokenizer)
    words = [piece.lstrip("▁Ġ") for piece in pieces]
    return [
        # Byte-level BPE writes non-ASCII letters as other characters.
        word if is_start and word.isascii() and word.isalpha() else ""
        for word, is_start in zip(words, _starts_word(pieces), strict=True)
    ]


def _random(seed: int, step: int, purpose: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([seed, step, purpose]))


def pieces_of(tokenizer: Tokenizer) -> list[str]:
    """Return the vocabulary, in the order of its ids."""
    import keras_hub

    if isinstance(tokenizer, keras_hub.tokenizers.BytePairTokenizer):
        # Its `get_vocabulary` is in the order of the file.
        count = tokenizer.vocabulary_size()
        return [tokenizer.id_to_token(index) for index in range(count)]
    return [str(piece) for piece in tokenizer.get_vocabulary()]


def _starts_word(pieces: list[str]) -> np.ndarray:
    if any(piece.startswith("##") for piece in pieces):
        return np.array([not piece.startswith("##") for piece in pieces])
    starts = np.array(
        [
            piece.startswith(("▁", "Ġ")) or _is_unspaced(piece)
            for piece in pieces
        ]
    )
    # A vocabulary of whole words has no such marks.
    return starts if starts.any() else np.ones_like(starts)


def _is_unspaced(piece: str) -> bool:
    name = unicodedata.name(piece[0], "") if piece else ""
    return name.split(" ")[0] in _UNSPACED
