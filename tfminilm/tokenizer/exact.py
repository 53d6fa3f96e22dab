"""KerasHub tokenizers that cut texts as the model's authors did.

KerasHub's own rules differ: they fold compatibility forms, German ß and Korean
syllables, and its ALBERT keeps capitals, so a model would read other ids than
those it was trained with. Here `tokenizers` cuts the text, and KerasHub's class
keeps the vocabulary, the special tokens and the files of a preset.
"""

import functools
import hashlib
import itertools
import json
import os
import pathlib
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfminilm import files, json_files
from tfminilm.errors import UserError
from tfminilm.tokenizer import engines
from tfminilm.tokenizer.graph import in_graph
from tfminilm.typing import Tensors

if TYPE_CHECKING:
    import keras_hub
    import tokenizers

# The names of the rules, in `rules_of` and in a bundle's manifest.
BERT = "bert"
KERAS_HUB = "keras_hub"
HUGGING_FACE = "hugging_face"
# Stands beside KerasHub's own files; KerasHub ignores it.
ENGINE = "hugging_face.json"
# Texts of these characters are cut alike by KerasHub's and BERT's rules:
# printable ASCII, Latin letters that are no compatibility forms, and quotes.
_ALIKE = re.compile(
    "[\\t\\n\\r -~\xc0-\xd6\xd8-\xde\xe0-\xf6\xf8-\xff\u0100-\u012f"
    "\u0134-\u013e\u0141-\u0148\u014a-\u017e\u2013\u2014\u2018\u2019\u201c\u201d]*"
)
# Words that may have over 100 bytes: only then do KerasHub and BERT differ.
_LONG = re.compile("[^ ]{51}")
# Up to so many texts, TensorFlow's own cost is more than it saves.
FEW = 32
_SURROGATES = re.compile("[\ud800-\udfff]")


def with_engine(
    tokenizer: "keras_hub.tokenizers.Tokenizer",
    engine: "tokenizers.Tokenizer",
) -> Any:
    """Let `engine` cut the texts of a KerasHub tokenizer.

    Args:
        tokenizer: a KerasHub tokenizer, which is changed.
        engine: a `tokenizers.Tokenizer` of the same vocabulary.

    Returns:
        The tokenizer. KerasHub loads a preset of it as a plain tokenizer with
        KerasHub's rules; `teachers.load_tokenizer` loads it with the engine.

    Raises:
        UserError: the vocabularies differ, or the tokenizer pads.
    """
    if getattr(tokenizer, "sequence_length", None):
        raise UserError(
            f"the {type(tokenizer).__name__} pads its output; make it without "
            "sequence_length"
        )
    _require_same(tokenizer, engine)
    engine.no_padding()
    engine.no_truncation()
    plain: Any = type(tokenizer)
    tokenizer.__class__ = _class(plain)
    tokenizer.engine = engine
    tokenizer.has_bert_rules = engines.is_bert(engine)
    if tokenizer.has_bert_rules:
        normal = engine.normalizer
        strips = normal.strip_accents
        tokenizer.lowercase = normal.lowercase
        tokenizer.strip_accents = normal.lowercase if strips is None else strips
    return tokenizer


def rules_of(tokenizer: object) -> str:
    """Return the name of the rules by which a tokenizer cuts texts.

    Returns:
        `bert`: BERT's, with case and accents as the tokenizer says;
        `keras_hub`: KerasHub's; `hugging_face`: others of `tokenizers`.
    """
    if not isinstance(tokenizer, Exact):
        return KERAS_HUB
    return BERT if tokenizer.has_bert_rules else HUGGING_FACE


def engine_digest(tokenizer: "Exact") -> str:
    """Return a hash of the vocabulary and the rules that texts are cut by."""
    content = json.loads(tokenizer.engine.to_str())
    parts = ("added_tokens", "normalizer", "pre_tokenizer", "model")
    text = json.dumps([content[part] for part in parts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def load(
    tokenizer: "keras_hub.tokenizers.Tokenizer", folder: str | os.PathLike
) -> Any:
    """Restore the rules of a tokenizer that was saved in a preset's folder.

    Args:
        tokenizer: the tokenizer that KerasHub loaded from the preset.
        folder: the preset's folder.

    Raises:
        UserError: the file of its rules is damaged.
    """
    name = str(tokenizer.config_file).split(".")[0]
    path = pathlib.Path(folder) / "assets" / name / ENGINE
    if not path.is_file():
        return tokenizer
    return with_engine(tokenizer, read(path))


def read(path: pathlib.Path) -> Any:
    """Read the `tokenizers.Tokenizer` from a JSON file.

    Raises:
        UserError: it is none.
    """
    import tokenizers

    remedy = "copy the model's folder again"
    # Parsed here first: deep nesting would crash the parser of `tokenizers`.
    content = json_files.read(path, dict, remedy)
    try:
        return tokenizers.Tokenizer.from_str(json.dumps(content))
    except Exception as error:  # `tokenizers` raises no narrower class.
        raise UserError(
            f"{path} is no tokenizer of Hugging Face's: {error}; {remedy}"
        ) from error


def trim(
    tokenizer: "keras_hub.tokenizers.Tokenizer",
    smaller: "keras_hub.tokenizers.Tokenizer",
    kept_ids: Sequence[int],
) -> Any:
    """Give a trimmed tokenizer the rules of the original one.

    Args:
        tokenizer: the original.
        smaller: KerasHub's tokenizer of the pieces that stay.
        kept_ids: the old ids of these pieces, in order.
    """
    if not isinstance(tokenizer, Exact):
        return smaller
    return with_engine(smaller, engines.trimmed(tokenizer.engine, kept_ids))


class Exact:
    """A mixin for a KerasHub tokenizer, whose texts `engine` cuts."""

    engine: Any
    has_bert_rules: bool

    def encode(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return the token ids of all texts in one row, and the number of each.

        Special tokens in a text are text, unless
        `special_tokens_in_strings` is set. Thread-safe, and fastest with
        thousands of texts.

        Returns:
            int32 `[tokens]` and int64 `[texts]`.
        """
        if len(texts) <= FEW:
            return self._encode(texts)
        is_fast = self.has_bert_rules and not self._reads_special()
        is_plain = [is_fast and _is_plain(text) for text in texts]
        if not any(is_plain):
            return self._encode(texts)
        fast = self._encode_plain([*itertools.compress(texts, is_plain)])
        if all(is_plain):
            return fast
        is_other = [not each for each in is_plain]
        slow = self._encode([*itertools.compress(texts, is_other)])
        return _merged(np.array(is_plain), fast, slow)

    def encode_spans(
        self, texts: Sequence[str]
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return each text's token ids and the characters that they stand for.

        Returns:
            int32 `[tokens]` and `[tokens, 2]`: the first character of each
            token and the one behind its last, in the text as it was.
        """
        return [
            (
                np.array(each.ids, np.int32),
                np.array(each.offsets, np.int32).reshape(-1, 2),
            )
            for each in self._run(self.engine.encode_batch, texts)
        ]

    def is_as_keras_hub(self, texts: Sequence[str]) -> bool:
        """Tell whether KerasHub's own rules give the same ids of texts."""
        rows = super().tokenize(list(texts))  # type: ignore[misc]
        plain = [[int(i) for i in row] for row in rows]
        return plain == self.tokenize(list(texts))

    def tokenize(self, inputs: Tensors) -> Any:
        """Return the token ids of one text, or a list of them for several.

        In a TensorFlow function the ids of several texts are ragged.
        """
        import tensorflow as tf

        if tf.is_tensor(inputs) and not hasattr(inputs, "numpy"):
            return self._in_graph(inputs)
        if isinstance(inputs, str | bytes):
            return self._encode([_text(inputs)])[0]
        texts = np.asarray(inputs, object)
        if texts.ndim > 1:
            raise UserError(
                f"texts of shape {texts.shape}, expected one text or a list"
            )
        flat, lengths = self._encode([_text(x) for x in texts.reshape(-1)])
        if not texts.ndim:
            return flat
        return [part.tolist() for part in _split(flat, lengths)]

    def call(self, inputs: Tensors, *args: Any, **kwargs: Any) -> Any:
        """Return `tokenize(inputs)`, as every KerasHub tokenizer does."""
        return self.tokenize(inputs)

    def save_assets(self, dir_path: str) -> None:
        """Write KerasHub's files, and the rules beside them."""
        super().save_assets(dir_path)  # type: ignore[misc]
        files.write_text(pathlib.Path(dir_path) / ENGINE, self.engine.to_str())

    def _encode(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        if len(texts) == 1:
            row = np.array(self._run(self._encode_one, texts), np.int32)
            return row, np.array([len(row)])
        encodings = self._run(self.engine.encode_batch_fast, texts)
        rows = [each.ids for each in encodings]
        lengths = np.array([*map(len, rows)], np.int64)
        ids = itertools.chain.from_iterable(rows)
        return np.fromiter(ids, np.int32, int(lengths.sum())), lengths

    def _encode_one(
        self, texts: Sequence[str], add_special_tokens: bool
    ) -> list[int]:
        """Encode a text in this thread: waking another takes longer."""
        text = self.engine.encode(
            texts[0], add_special_tokens=add_special_tokens
        )
        return text.ids

    def _encode_plain(
        self, texts: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Encode texts that KerasHub cuts alike: three times as fast."""
        # Kept past Keras, which would look for variables in it.
        if "_plain_graph" not in vars(self):
            tokenize = super().tokenize  # type: ignore[misc]
            graph = in_graph(tokenize, type(self).__name__)
            vars(self)["_plain_graph"] = graph
        return vars(self)["_plain_graph"](texts)

    def _run(self, encode: Callable[..., Any], texts: Sequence[str]) -> Any:
        self.engine.encode_special_tokens = not self._reads_special()
        try:
            return encode(list(texts), add_special_tokens=False)
        except TypeError:  # It refuses lone surrogates.
            cleaned = [_SURROGATES.sub("\ufffd", text) for text in texts]
            return encode(cleaned, add_special_tokens=False)

    def _reads_special(self) -> bool:
        return bool(getattr(self, "special_tokens_in_strings", False))

    def _in_graph(self, inputs: Tensors) -> Any:
        import tensorflow as tf

        def encode(texts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return self._encode([_text(each) for each in texts])

        texts = tf.reshape(inputs, [-1])
        flat, lengths = tf.numpy_function(encode, [texts], [tf.int32, tf.int64])
        flat, lengths = tf.ensure_shape(flat, [None]), tf.reshape(lengths, [-1])
        if inputs.shape.rank == 0:
            return flat
        return tf.RaggedTensor.from_row_lengths(flat, lengths)


@functools.cache
def _class(base: type) -> Any:
    """Return a KerasHub class with `Exact`'s methods.

    An object's `__class__` still is KerasHub's class, so that Keras writes
    that name into presets.
    """
    return type(
        base.__name__, (Exact, base), {"__class__": property(lambda _: base)}
    )


def _require_same(
    tokenizer: "keras_hub.tokenizers.Tokenizer",
    engine: "tokenizers.Tokenizer",
) -> None:
    """Raise `UserError` if a word has another id in the engine."""
    engine_ids = engine.get_vocab()
    if isinstance(getattr(tokenizer, "vocabulary", None), dict):
        keras_ids = tokenizer.vocabulary
    else:
        words = map(str, tokenizer.get_vocabulary())
        keras_ids = {word: index for index, word in enumerate(words)}
    for word in keras_ids.keys() | engine_ids.keys():
        keras_id, engine_id = keras_ids.get(word), engine_ids.get(word)
        if engine_id != keras_id:
            raise UserError(
                f"the vocabulary has {word!r} as {keras_id}, and Hugging "
                f"Face's tokenizer has it as {engine_id}: expected the files "
                "of one model"
            )


def _split(flat: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
    return np.split(flat, np.cumsum(lengths)[:-1]) if len(lengths) else []


def _is_plain(text: str) -> bool:
    """Return whether KerasHub's rules and BERT's cut a text alike."""
    if not _ALIKE.fullmatch(text):
        return False
    return text.isascii() or not _LONG.search(text)


def _merged(
    is_first: np.ndarray,
    first: tuple[np.ndarray, np.ndarray],
    second: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Merge the ids and lengths of texts that are in the first or second."""
    lengths = np.empty(len(is_first), np.int64)
    lengths[is_first], lengths[~is_first] = first[1], second[1]
    flat = np.empty(lengths.sum(), np.int32)
    in_first = np.repeat(is_first, lengths)
    flat[in_first], flat[~in_first] = first[0], second[0]
    return flat, lengths


def _text(content: str | bytes) -> str:
    return content if isinstance(content, str) else content.decode()
