"""Token ids with the characters that each of them stands for.

A tokenizer of `tokenizers` knows them. KerasHub's own give ids alone: there
the same vocabulary is run by a library that keeps the offsets, behind the same
normalisation.
"""

import functools
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tfminilm.errors import UserError
from tfminilm.tokenizer import Exact, engines


class Spans(NamedTuple):
    """The tokens of one text.

    `ids` is int32 `[tokens]`; `spans` int32 `[tokens, 2]`: the first
    character of each and the one behind its last, in the text as it was.
    """

    ids: np.ndarray
    spans: np.ndarray


def span_tokenizer(tokenizer: Any) -> Callable[[Sequence[str]], list[Spans]]:
    """A function that tokenises texts as `tokenizer` does, with offsets.

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
            Spans(*found) for found in tokenizer.encode_spans(texts)
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


def _word_piece(tokenizer: Any) -> Callable[[Sequence[str]], list[Spans]]:
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
        words = [split(text) for text in texts]
        found = engine.encode_batch(
            [[word.text for word in own] for own in words],
            is_pretokenized=True,
            add_special_tokens=False,
        )
        return [
            Spans(
                np.array(encoding.ids, np.int32),
                _array(
                    own[index or 0].span(*offsets)
                    for index, offsets in zip(
                        encoding.word_ids, encoding.offsets, strict=True
                    )
                ),
            )
            for encoding, own in zip(found, words, strict=True)
        ]

    return tokenize


def _byte_pair(tokenizer: Any) -> Callable[[Sequence[str]], list[Spans]]:
    engine = engines.byte_pair(
        tokenizer.vocabulary,
        tokenizer.merges,
        (),
        bool(tokenizer.add_prefix_space),
    )

    def tokenize(texts: Sequence[str]) -> list[Spans]:
        found = engine.encode_batch(list(texts), add_special_tokens=False)
        return [
            Spans(np.array(each.ids, np.int32), _array(each.offsets))
            for each in found
        ]

    return tokenize


def _sentence_piece(tokenizer: Any) -> Callable[[Sequence[str]], list[Spans]]:
    import sentencepiece

    from tfminilm.tasks.encode import tokens_of

    engine: Any = sentencepiece.SentencePieceProcessor(
        model_proto=tokenizer.proto
    )

    def tokenize(texts: Sequence[str]) -> list[Spans]:
        # XLM-R's ids are not SentencePiece's: the tokenizer's own are taken.
        ids, lengths = tokens_of(texts, tokenizer)
        own = np.split(ids, np.cumsum(lengths)[:-1])
        found = []
        for text, text_ids in zip(texts, own, strict=True):
            spans = engine.encode(text, return_type="offset_mapping")["offsets"]
            if len(spans) != len(text_ids):
                raise UserError(
                    f"{type(tokenizer).__name__} splits {text[:40]!r}... "
                    "otherwise than its SentencePiece model does"
                )
            found.append(Spans(text_ids, _array(spans)))
        return found

    return tokenize


def _array(spans: Iterable[tuple[int, int]]) -> np.ndarray:
    return np.array(list(spans), np.int32).reshape(-1, 2)


class _Word(NamedTuple):
    """A word as WordPiece sees it, and the characters that it stands for."""

    text: str
    places: Sequence[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where `text[start:end]` was."""
        if len(self.places) != len(self.text):  # Folding "½" makes it longer.
            return self.places[0], self.places[-1] + 1
        return self.places[start], self.places[end - 1] + 1


def _words(text: str, lowercase: bool, strips: bool) -> list[_Word]:
    """Splits and folds a text in the order in which KerasHub does it."""
    places: Sequence[int] = range(len(text))
    if strips and not text.isascii():
        parts = [_without_accents(each) for each in text]
        places = [i for i, part in enumerate(parts) for _ in part]
        text = "".join(parts)
    return [
        _Word(
            _folded(found[0]) if lowercase else found[0],
            places[found.start() : found.end()],
        )
        for found in _pattern().finditer(text)
    ]


@functools.cache
def _pattern() -> Any:
    """A punctuation mark, a Chinese character, or a run of anything else.

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
