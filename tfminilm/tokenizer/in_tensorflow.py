"""Cut texts by BERT's rules with TensorFlow's own operations alone.

A graph of these runs wherever TensorFlow does, without tensorflow-text. What
becomes of each character is asked of the tokenizer itself, once for all of
Unicode, so that the rules are its own.
"""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tfminilm.errors import UserError
from tfminilm.tokenizer.exact import BERT, Exact, rules_of

if TYPE_CHECKING:
    import tensorflow as tf

    from tfminilm.typing import Tokenizer

_UNICODE = 0x110000
_SURROGATES = range(0xD800, 0xE000)
# Stands between characters: a letter that nothing else becomes.
_MARK = "\ua66e"
_CHUNK = 4096
# What a character becomes: itself, nothing, a space, a word, or other ones.
_SAME, _GONE, _SPACE, _WORD, _OTHER = range(5)


class WordPieces:
    """A WordPiece tokenizer with BERT's rules, as TensorFlow operations."""

    def __init__(self, tokenizer: "Tokenizer"):
        """Build the tables.

        Args:
            tokenizer: one whose `rules_of` are `BERT`.

        Raises:
            UserError: it has other rules.
        """
        import tensorflow as tf

        if rules_of(tokenizer) != BERT or not isinstance(tokenizer, Exact):
            raise UserError(
                f"the rules of a {type(tokenizer).__name__} have no "
                "operations in TensorFlow itself: expected a tokenizer with "
                "BERT's rules"
            )
        content = json.loads(tokenizer.engine.to_str())["model"]
        self._mark = content["continuing_subword_prefix"]
        self._most = content["max_input_chars_per_word"]
        words = content["vocab"]
        self._unknown = words[content["unk_token"]]
        self._longest = max(len(x.removeprefix(self._mark)) for x in words)
        self._ids = _table(tf, list(words), list(words.values()), -1)
        kinds, others = _characters(tokenizer.engine)
        changes = np.flatnonzero(np.diff(kinds, prepend=-1))
        self._starts = changes.astype(np.int32)
        self._kinds = kinds[changes].astype(np.int32)
        self._others = _table(tf, list(others), list(others.values()), "")
        # What a SavedModel has to hold beside the function.
        self.tables = [self._ids, self._others]

    def __call__(self, texts: "tf.Tensor") -> "tf.RaggedTensor":
        """Return the token ids of texts, int32 `[texts, (tokens)]`.

        Args:
            texts: UTF-8, string `[texts]`.
        """
        import tensorflow as tf

        words = tf.strings.split(self._split(texts))
        # Each word once: most stand in the vocabulary as they are.
        unique, places = tf.unique(words.flat_values)
        pieces = tf.gather(self._pieces(unique), places)
        rows = tf.RaggedTensor.from_row_splits(pieces, words.row_splits)
        return rows.merge_dims(1, 2)

    def _split(self, texts: "tf.Tensor") -> "tf.Tensor":
        """Return texts whose words have a space between them."""
        import tensorflow as tf

        codes = tf.strings.unicode_decode(texts, "UTF-8")
        flat = codes.flat_values
        signs = tf.strings.unicode_encode(flat[:, None], "UTF-8")
        at = tf.searchsorted(self._starts, flat, side="right") - 1
        kind = tf.gather(self._kinds, at)
        options = (
            (_GONE, tf.zeros_like(signs)),
            (_SPACE, tf.fill(tf.shape(signs), " ")),
            (_WORD, tf.strings.join([" ", signs, " "])),
            (_OTHER, self._others.lookup(tf.cast(flat, tf.int64))),
        )
        written = signs
        for number, value in options:
            written = tf.where(kind == number, value, written)
        rows = tf.RaggedTensor.from_row_splits(written, codes.row_splits)
        return tf.strings.reduce_join(rows, axis=1)

    def _pieces(self, words: "tf.Tensor") -> "tf.RaggedTensor":
        """Return the ids of the pieces of each word."""
        import tensorflow as tf

        sizes = tf.strings.length(words, "UTF8_CHAR")
        is_long = sizes > self._most
        ids = tf.where(is_long, self._unknown, self._id(words))
        is_open = ids < 0
        cut = self._cut(tf.boolean_mask(words, is_open))
        closed = tf.boolean_mask(ids, ~is_open)[:, None]
        both = tf.concat([tf.RaggedTensor.from_tensor(closed), cut], 0)
        order = tf.concat([tf.where(~is_open), tf.where(is_open)], 0)[:, 0]
        return tf.gather(both, tf.argsort(order))

    def _id(self, words: "tf.Tensor") -> "tf.Tensor":
        """Return the ids of words, int32; -1 of those that are not there."""
        import tensorflow as tf

        return tf.cast(self._ids.lookup(words), tf.int32)

    def _cut(self, words: "tf.Tensor") -> "tf.RaggedTensor":
        """Cut words into the longest pieces from the left; step by step."""
        import tensorflow as tf

        sizes = tf.strings.length(words, "UTF8_CHAR")
        lengths = tf.range(1, self._longest + 1)[None, :]
        zeros = tf.zeros_like(sizes)
        none = tf.zeros_like(sizes, tf.bool)
        found = tf.TensorArray(tf.int32, 1, True, element_shape=[None])
        # So that there is one where all words are whole.
        found = found.write(0, zeros - 1)

        def is_going(step: Any, start: Any, bad: Any, found: Any) -> Any:
            return tf.reduce_any((start < sizes) & ~bad)

        def cut(step: Any, start: Any, bad: Any, found: Any) -> Any:
            left = (sizes - start)[:, None]
            # A word that is done has nothing left, but a character to read.
            places = tf.minimum(start, sizes - 1)[:, None]
            parts = tf.strings.substr(
                words[:, None],
                places + 0 * lengths,
                lengths + 0 * places,
                "UTF8_CHAR",
            )
            inner = tf.strings.join([self._mark, parts])
            parts = tf.where(start[:, None] > 0, inner, parts)
            ids = self._id(parts)
            fits = (ids >= 0) & (lengths <= left)
            longest = tf.reduce_max(tf.where(fits, lengths, 0), axis=1)
            at = tf.maximum(longest - 1, 0)
            piece = tf.gather(ids, at, axis=1, batch_dims=1)
            is_open = (start < sizes) & ~bad
            bad = bad | (is_open & (longest == 0))
            found = found.write(step, tf.where(is_open & ~bad, piece, -1))
            return (
                step + 1,
                tf.where(is_open, start + longest, start),
                bad,
                found,
            )

        _, _, bad, found = tf.while_loop(is_going, cut, [1, zeros, none, found])
        ids = tf.transpose(found.stack())
        ids = tf.where(bad[:, None], -1, ids)
        first = tf.where(bad, self._unknown, -1)[:, None]
        ids = tf.concat([first, ids], 1)
        return tf.ragged.boolean_mask(ids, ids >= 0)


def _table(tf: Any, keys: list, values: list, default: Any) -> Any:
    kind = tf.int64 if isinstance(keys[0], int) else tf.string
    type_ = tf.string if isinstance(default, str) else tf.int64
    initializer = tf.lookup.KeyValueTensorInitializer(
        tf.constant(keys, kind), tf.constant(values, type_)
    )
    return tf.lookup.StaticHashTable(initializer, default)


def _characters(engine: Any) -> tuple[np.ndarray, dict[int, str]]:
    """Return what each character becomes: its kind, and the other ones."""
    kinds = np.zeros(_UNICODE, np.int8)
    kinds[_SURROGATES] = _GONE
    others = {-1: ""}  # A table may not be empty.
    for codes, written in _written(engine):
        for code, text in zip(codes, written, strict=True):
            sign = chr(code)
            if text == sign:
                continue
            if not text:
                kinds[code] = _GONE
            elif not text.strip(" "):
                kinds[code] = _SPACE
            elif text == f" {sign} ":
                kinds[code] = _WORD
            else:
                kinds[code], others[code] = _OTHER, text
    return kinds, others


def _written(engine: Any) -> Iterator[tuple[list[int], list[str]]]:
    """Yield characters, and each as the rules write it between letters."""
    for start in range(0, _UNICODE, _CHUNK):
        codes = [
            code
            for code in range(start, start + _CHUNK)
            if code not in _SURROGATES and chr(code) != _MARK
        ]
        if not codes:
            continue
        text = _MARK + _MARK.join(map(chr, codes)) + _MARK
        text = engine.normalizer.normalize_str(text)
        words = engine.pre_tokenizer.pre_tokenize_str(text)
        yield codes, " ".join(word for word, _ in words).split(_MARK)[1:-1]
