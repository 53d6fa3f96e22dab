"""Tokenise texts, and tell which characters each token stands for.

A tokenizer of `tokenizers` knows them. KerasHub's own give ids alone: there
the same vocabulary is run by a library that keeps the offsets, behind the same
normalisation.
"""

import functools
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tfminilm.errors import UserError
from tfminilm.tokenizer import Exact, engines
from tfminilm.typing import Tokenizer

if TYPE_CHECKING:
    import keras_hub


class Spans(NamedTuple):
    """The tokens of one text.

    `ids` is int32 `[tokens]`; `spans` int32 `[tokens, 2]`: the first
    character of each and the one behind its last, in the text as it was.
    """

    ids: np.ndarray
    spans: np.ndarray


def span_tokenizer(
    tokenizer: Tokenizer,
) -> Callable[[Sequence[str]], list[Spans]]:
    """Return a function that tokenises as `tokenizer` does, with offsets.

    Args:
        tokenizer: a KerasHub tokenizer: WordPiece (BERT, DistilBERT,
            ELECTRA), byte-level BPE (RoBERTa) or SentencePiece (ALBERT,
            XLM-R).

    Raises:
        UserError: it is of another kind.
    """
    import keras_hub

    if isinstance(tokenizer, Exact):
        return lambda texts: [
            Spans(*encoded) for encoded in tokenizer.encode_spans(texts)
        ]
    for kind, make in (
        (keras_hub.tokenizers.WordPieceTokenizer, _word_piece),
        (keras_hub.tokenizers.BytePairTokenizer, _byte_pair),
        (keras_hub.tokenizers.SentencePieceTokenizer, _sentence_piece),
    ):
        if isinstance(tokenizer, kind):
            return make(tokenizer)
    raise UserError(
        f"{type(tokenizer).__name__} gives no character offsets: expected a "
        "WordPiece, byte-level BPE or SentencePiece tokenizer"
    )


def _word_piece(
    tokenizer: "keras_hub.tokenizers.WordPieceTokenizer",
) -> Callable[[Sequence[str]], list[Spans]]:
    import tokenizers

    pieces = tokenizers.models.WordPiece(
        {word: i for i, word in enumerate(tokenizer.get_vocabulary())},
        unk_token=tokenizer.oov_token,
        continuing_subword_prefix=tokenizer.suffix_indicator,
    )
    engine = tokenizers.Tokenizer(pieces)
    split = functools.partial(
        _words,
        lowercase=bool(tokenizer.lowercase),
        strips=bool(tokenizer.strip_accents),
    )

    def tokenize(texts: Sequence[str]) -> list[Spans]:
        words_of = [split(text) for text in texts]
        encodings = engine.encode_batch(
            [[word.text for word in words] for words in words_of],
            is_pretokenized=True,
            add_special_tokens=False,
        )
        return [
            Spans(
                np.array(encoding.ids, np.int32),
                _array(
                    words[index or 0].span(*offsets)
                    for index, offsets in zip(
                        encoding.word_ids, encoding.offsets, strict=True
                    )
                ),
            )
            for encoding, words in zip(encodings, words_of, strict=True)
        ]

    return tokenize


def _byte_pair(
    tokenizer: "keras_hub.tokenizers.BytePairTokenizer",
) -> Callable[[Sequence[str]], list[Spans]]:
    engine = engines.byte_pair(
        tokenizer.vocabulary,
        tokenizer.merges,
        (),
        bool(tokenizer.add_prefix_space),
    )

    def tokenize(texts: Sequence[str]) -> list[Spans]:
        encodings = engine.encode_batch(list(texts), add_special_tokens=False)
        return [
            Spans(np.array(encoding.ids, np.int32), _array(encoding.offsets))
            for encoding in encodings
        ]

    return tokenize


def _sentence_piece(
    tokenizer: "keras_hub.tokenizers.SentencePieceTokenizer",
) -> Callable[[Sequence[str]], list[Spans]]:
    import sentencepiece

    from tfminilm.tasks.encode import tokens_of

    engine: Any = sentencepiece.SentencePieceProcessor(
        model_proto=tokenizer.proto
    )

    def tokenize(texts: Sequence[str]) -> list[Spans]:
        # XLM-R's ids are not SentencePiece's: the tokenizer's own are taken.
        ids, lengths = tokens_of(texts, tokenizer)
        ids_of = np.split(ids, np.cumsum(lengths)[:-1])
        encoded = []
        for text, text_ids in zip(texts, ids_of, strict=True):
            spans = engine.encode(text, return_type="offset_mapping")["offsets"]
            if len(spans) != len(text_ids):
                raise UserError(
                    f"{type(tokenizer).__name__} splits {text[:40]!r}... "
                    "otherwise than its SentencePiece model does"
                )
            encoded.append(Spans(text_ids, _array(spans)))
        return encoded

    return tokenize


def _array(spans: Iterable[tuple[int, int]]) -> np.ndarray:
    return np.array(list(spans), np.int32).reshape(-1, 2)


class _Word(NamedTuple):
    """A word as WordPiece sees it, and the characters that it stands for."""

    text: str
    places: Sequence[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where `text[start:end]` was in the original text."""
        if len(self.places) != len(self.text):  # Folding "½" makes it longer.
            return self.places[0], self.places[-1] + 1
        return self.places[start], self.places[end - 1] + 1


def _words(text: str, lowercase: bool, strips: bool) -> list[_Word]:
    """Split and fold a text in the order in which KerasHub does it."""
    places: Sequence[int] = range(len(text))
    if strips and not text.isascii():
        parts = [_without_accents(each) for each in text]
        places = [i for i, part in enumerate(parts) for _ in part]
        text = "".join(parts)
    return [
        _Word(
            _folded(match[0]) if lowercase else match[0],
            places[match.start() : match.end()],
        )
        for match in _pattern().finditer(text)
    ]


@functools.cache
def _pattern() -> Any:
    """Match a punctuation mark, a Chinese character, or a run of others.

    BERT's rules; spaces are ASCII's and what is invisible.
    """
    import regex

    alone = (
        r"!-/:-@\[-`{-~\p{P}\u4E00-\u9FFF\u3400-\u4DBF\U00020000-\U0002A6DF"
        r"\U0002A700-\U0002B73F\U0002B740-\U0002B81F\U0002B820-\U0002CEAF"
        r"\uF900-\uFAFF\U0002F800-\U0002FA1F"
    )
    return regex.compile(rf"[{alone}]|[^{alone} \t\n\r\f\p{{Cc}}\p{{Cf}}]+")


@functools.lru_cache(maxsize=10_000)
def _without_accents(character: str) -> str:
    return "".join(
        each
        for each in unicodedata.normalize("NFD", character)
        if unicodedata.category(each) != "Mn"
    )


def _folded(word: str) -> str:
    if word.isascii():
        return word.lower()
    folded = unicodedata.normalize("NFKC", word).casefold()
    return unicodedata.normalize("NFKC", folded)
