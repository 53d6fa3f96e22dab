"""Make a model's inputs of texts, inside of a graph."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from tfminilm.errors import UserError
from tfminilm.export.check import calibration
from tfminilm.tasks import encode
from tfminilm.tasks.settings import Settings
from tfminilm.teachers.embedding import embedding_of
from tfminilm.tokenizer import BERT, rules_of
from tfminilm.tokenizer.in_tensorflow import WordPieces
from tfminilm.typing import Tokenizer

# In tokens, of a text that is embedded.
_LENGTH = 128
# On these, too, the ids have to be Python's.
_HARD = (
    "",
    "  a\t b\n",
    "½ é 日本 привет नमस्ते",
    "[CLS] x[SEP]",
    "ΟΔΟΣ İ ß ﬁ 한국어 a\u0301",
)


def fault(model: keras.Model, tokenizer: Tokenizer) -> str:
    """Return why a graph of a model cannot take texts; empty if it can."""
    outputs = getattr(model, "output", None)
    if hasattr(model, "backbone") and isinstance(outputs, dict):
        return "its answers are places in the text, which Python finds"
    if rules_of(tokenizer) != BERT:
        return (
            "its tokenizer's rules have no operations in TensorFlow itself; "
            "those of BERT's word pieces have"
        )
    return ""


class TextInputs(tf.Module):
    """Texts to a model's inputs, as `tasks.encode` cuts and joins them."""

    def __init__(
        self,
        model: keras.Model,
        tokenizer: Tokenizer,
        settings: Settings | None,
    ):
        """Take what says how texts are read.

        Args:
            model: an encoder, or one with a head on one.
            tokenizer: its own; see `fault`.
            settings: how it was fine-tuned; None for an encoder.
        """
        super().__init__(name="text_inputs")
        self._names = sorted(model.input)
        self._pieces = WordPieces(tokenizer)
        self.tables = self._pieces.tables
        self.num_texts = 1 if settings is None else settings.num_texts
        self._ends = encode.special_ids(tokenizer, self.num_texts)
        self._pad = encode.pad_id(tokenizer)
        embedding = embedding_of(model)
        self._prompt = embedding.prompt if settings is None else ""
        backbone = getattr(model, "backbone", model)
        longest = settings.max_length if settings else embedding.max_length
        most = backbone.max_sequence_length
        self.max_length = min(longest or _LENGTH, most)

    @property
    def signature(self) -> list[tf.TensorSpec]:
        """The texts that the function takes: one each, or two of each pair."""
        names = ("texts", "second_texts")[: self.num_texts]
        return [tf.TensorSpec([None], tf.string, name) for name in names]

    def __call__(self, *texts: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the inputs `[texts, longest]`, int32, by name."""
        start, end, between = self._ends
        room = self.max_length - 2 - between
        first = self._pieces(tf.strings.join([self._prompt, texts[0]]))
        count = tf.shape(texts[0])[0]
        ends = tf.fill([count, 1], end)
        parts = [tf.fill([count, 1], start), first[:, :room], ends]
        if self.num_texts == 2:
            second = self._pieces(texts[1])
            one, other = _kept(first, second, room)
            separators = tf.fill([count, between], end)
            parts = [parts[0], one, separators, other, ends]
        ids = tf.concat(
            [tf.RaggedTensor.from_tensor(x) if isinstance(x, tf.Tensor) else x
             for x in parts], 1)  # fmt: skip
        token_ids = ids.to_tensor(self._pad)
        places = tf.range(tf.shape(token_ids)[1])[None, :]
        sizes = tf.cast(ids.row_lengths(), tf.int32)[:, None]
        segments = tf.zeros_like(token_ids)
        if self.num_texts == 2:
            begin = 1 + between + tf.cast(one.row_lengths(), tf.int32)
            is_second = (places >= begin[:, None]) & (places < sizes)
            segments = tf.cast(is_second, tf.int32)
        inputs = {
            "token_ids": token_ids,
            "segment_ids": segments,
            "padding_mask": tf.cast(places < sizes, tf.int32),
        }
        return {name: inputs[name] for name in self._names}

    def require_same(
        self, tokenizer: Tokenizer, texts: Sequence[calibration.Texts]
    ) -> None:
        """Compare the graph's inputs with Python's.

        Args:
            tokenizer: the model's.
            texts: of what is exported; hard ones are added.

        Raises:
            UserError: they differ.
        """
        rows = [tuple(row) for row in texts if len(row) == self.num_texts]
        rows += [(text,) * self.num_texts for text in _HARD]
        columns = [tf.constant(column) for column in zip(*rows, strict=True)]
        if self._prompt:
            rows = [(self._prompt + text,) for (text,) in rows]
        encoded = encode.encode_texts(rows, tokenizer, self.max_length)
        wanted = encoded.padded(
            np.arange(len(rows)), int(encoded.lengths.max())
        )
        for name, value in self(*columns).items():
            if not np.array_equal(value.numpy(), wanted[name]):
                raise UserError(
                    f"the SavedModel would read texts otherwise ({name}): "
                    "please report the tokenizer"
                )


def _kept(
    first: tf.RaggedTensor, second: tf.RaggedTensor, room: int
) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """Cut the longer of two texts first, as `tasks.encode.fit` does."""
    sizes = first.row_lengths(), second.row_lengths()
    half = tf.cast((room + 1) // 2, tf.int64)
    one = tf.minimum(sizes[0], tf.maximum(room - sizes[1], half))
    other = tf.minimum(sizes[1], room - one)
    return _starts(first, one), _starts(second, other)


def _starts(rows: tf.RaggedTensor, sizes: tf.Tensor) -> tf.RaggedTensor:
    places = tf.ragged.range(rows.row_lengths())
    return tf.ragged.boolean_mask(rows, places < sizes[:, None])
