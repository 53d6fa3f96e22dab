"""Predict likely words with a masked language model."""

import itertools
from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from tfminilm.data import masking, packing
from tfminilm.typing import Tokenizer

# Lengths are rounded up to it, as each length has to be traced.
_LENGTH_STEP = 16
_EXCLUDED = -1e9


class MaskedWords:
    """Predicts the likeliest words at many masked places at once.

    Args:
        model: a `keras_hub.models.MaskedLM`.
        tokenizer: the model's tokenizer.
        count: words for each place; at most the size of the vocabulary.
        max_length: tokens of a text that the model reads, with `[CLS]` and
            `[SEP]`; at most its number of positions.
        batch_size: places in a batch.
    """

    def __init__(
        self,
        model: keras.Model,
        tokenizer: Tokenizer,
        count: int,
        max_length: int,
        batch_size: int = 64,
    ):
        positions = getattr(model.backbone, "max_sequence_length", max_length)
        self.max_length = min(max_length, positions)
        self.batch_size = batch_size
        self._words = np.array(masking.whole_words(tokenizer))
        self._specials = packing.special_ids(tokenizer)
        self._mask_id = int(tokenizer.mask_token_id)
        # The model may have more outputs than the vocabulary has tokens.
        bias = np.full(model.output.shape[-1], _EXCLUDED, "float32")
        bias[: len(self._words)][self._words != ""] = 0.0
        logits = ops.cast(model.output[:, 0], "float32") + bias
        self._count = min(count, int(np.count_nonzero(self._words)))
        _, ids = ops.top_k(logits, max(self._count, 1))
        self._model = keras.Model(model.input, ids)
        # Without XLA on TensorFlow, whose graphs are fast enough; JAX needs it.
        self._model.compile(jit_compile=keras.backend.backend() == "jax")

    def is_word(self, pieces: np.ndarray) -> bool:
        """Return whether these token ids are one word of letters."""
        return len(pieces) == 1 and self._words[pieces[0]] != ""

    def is_visible(self, place: int) -> bool:
        """Return whether a text's token of this index is within the window."""
        return place < self.max_length - 2

    def likeliest(
        self, texts: Sequence[np.ndarray], places: Sequence[tuple[int, int]]
    ) -> list[list[str]]:
        """Predict the likeliest words at places that are masked one by one.

        The rows are sorted by length and batched; the last batch is filled
        up, so that there are only a few shapes to trace.

        Args:
            texts: token ids, without special ones.
            places: pairs of a text's index and a visible token's index.

        Returns:
            Whole words of the vocabulary for each place, the likeliest first;
            the masked word may be among them.
        """
        lengths = np.array([self._length(texts[text]) for text, _ in places])
        order = np.argsort(lengths, kind="stable").tolist()
        words_by_place: list[list[str]] = [[] for _ in places]
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            filled = itertools.islice(itertools.cycle(rows), self.batch_size)
            longest = -(-int(lengths[rows[-1]]) // _LENGTH_STEP) * _LENGTH_STEP
            batch = self._batch(
                texts,
                [places[row] for row in filled],
                min(longest, self.max_length),
            )
            ids = ops.convert_to_numpy(self._model.predict_on_batch(batch))
            words = self._words[ids[: len(rows), : self._count]].tolist()
            for row, likely in zip(rows, words, strict=True):
                words_by_place[row] = likely
        return words_by_place

    def _length(self, text: np.ndarray) -> int:
        return min(len(text) + 2, self.max_length)

    def _batch(
        self,
        texts: Sequence[np.ndarray],
        places: Sequence[tuple[int, int]],
        length: int,
    ) -> dict[str, np.ndarray]:
        shape = (len(places), length)
        token_ids, is_real = np.zeros(shape, "int32"), np.zeros(shape, "int32")
        start, end = self._specials
        for row, (text, place) in enumerate(places):
            size = self._length(texts[text])
            token_ids[row, 0], token_ids[row, size - 1] = start, end
            token_ids[row, 1 : size - 1] = texts[text][: size - 2]
            token_ids[row, place + 1] = self._mask_id
            is_real[row, :size] = 1
        batch = {
            "token_ids": token_ids,
            "segment_ids": np.zeros(shape, "int32"),
            "padding_mask": is_real,
            "mask_positions": np.array([[p + 1] for _, p in places], "int32"),
        }
        return {name: batch[name] for name in self._model.input}
