"""Vocabulary trimming: the token table without the rows that no text needs.

After "Load What You Need: Smaller Versions of Multilingual BERT",
arXiv 2010.05609, where a language's own text says which word pieces stay. A
table is often half of a small student, and four fifths of a multilingual one.
"""

from collections.abc import Callable, Iterable
from typing import Any

import keras
import keras_hub
import numpy as np

from tfminilm.data import packing
from tfminilm.errors import UserError
from tfminilm.private.tokenizers import extra_special_tokens
from tfminilm.tasks import heads
from tfminilm.tokenizer import Exact, trim
from tfminilm.typing import Tokenizer


def trim_vocabulary(
    model: keras.Model, tokenizer: Tokenizer, used: Iterable[int]
) -> tuple[keras.Model, Any]:
    """A copy that knows only the word pieces which are used.

    Pieces keep their order, and special tokens and single characters stay:
    what could be spelt before still can be. A text whose pieces are all kept
    is cut into the same ones, and the copy's outputs are the same numbers.

    Args:
        model: an encoder, or one with a head for a task.
        tokenizer: its WordPiece tokenizer, or a SentencePiece one, as XLM-R's
            and ALBERT's.
        used: token ids that occur, such as `np.unique` of a corpus' ids; see
            `used_ids`.

    Returns:
        The smaller model, and its tokenizer.

    Raises:
        UserError: the tokenizer is of another kind, or not the model's, or
            the model is a masked language model.
    """
    backbone = getattr(model, "backbone", model)
    if isinstance(model, keras_hub.models.MaskedLM):
        raise UserError(
            "cannot trim the vocabulary of a masked language model, whose "
            "head names all words: trim its backbone"
        )
    if tokenizer.vocabulary_size() > backbone.vocabulary_size:
        raise UserError(
            f"the tokenizer has {tokenizer.vocabulary_size()} pieces and the "
            f"model {backbone.vocabulary_size} rows: expected the model's own"
        )
    kept, trimmed = _trimmed(tokenizer, {int(index) for index in used})
    smaller = heads.rebuilt(model, vocabulary_size=len(kept))
    for ours, theirs in zip(smaller.weights, model.weights, strict=True):
        value = keras.ops.convert_to_numpy(theirs)
        is_table = value.shape != tuple(ours.shape)
        ours.assign(value[kept] if is_table else value)
    return smaller, trimmed


def used_ids(tokenizer: Tokenizer, texts: Iterable[str]) -> set[int]:
    """The token ids that occur in texts, such as a language's."""
    documents = packing.encode(([text] for text in texts), tokenizer)
    return {int(i) for each in documents for i in np.unique(each.token_ids)}


def _trimmed(tokenizer: Any, used: set[int]) -> tuple[np.ndarray, Any]:
    """The ids that are kept, in order, and a tokenizer of them."""
    config = tokenizer.get_config()
    if hasattr(tokenizer, "suffix_indicator"):
        words = list(tokenizer.get_vocabulary())
        # KerasHub leaves it out.
        config["split_on_cjk"] = tokenizer.split_on_cjk
        special = {words.index(word) for word in _named(tokenizer)}
        mark = tokenizer.suffix_indicator
        letters = _letters(words, lambda word: _wordpieces(word, mark))
        kept = sorted(special | used | letters)
        config["vocabulary"] = [words[index] for index in kept]
    elif isinstance(getattr(tokenizer, "proto", None), bytes):
        kept, config["proto"] = _sentencepiece(tokenizer, used)
    else:
        raise UserError(
            f"cannot trim a {type(tokenizer).__name__}: expected a WordPiece "
            "tokenizer, as BERT's, or XLM-R's"
        )
    smaller = tokenizer.__class__.from_config(config)
    return np.array(kept), trim(tokenizer, smaller, kept)


def _named(tokenizer: Any) -> set[str]:
    """Words that stand in a text as they are, or for what is unknown."""
    named = {*tokenizer.special_tokens, tokenizer.oov_token}
    named.update(extra_special_tokens(tokenizer))
    if isinstance(tokenizer, Exact):
        added = tokenizer.engine.get_added_tokens_decoder()
        named.update(token.content for token in added.values())
    return named


def _letters(words: list[str], spell: Callable[[str], list[str]]) -> set[int]:
    """Ids of what is needed to spell: letters, and words without letters."""
    known = set(words)
    needed = set()
    for index, word in enumerate(words):
        letters = spell(word)
        if letters == [word] or not known.issuperset(letters):
            needed.add(index)
    return needed


def _wordpieces(word: str, mark: str) -> list[str]:
    """The letters of a WordPiece, each as a piece: `##it` is `##i`, `##t`."""
    if word.startswith(mark) and word != mark:
        return [mark + letter for letter in word.removeprefix(mark)]
    return [word[:1], *(mark + letter for letter in word[1:])]


def _sentencepiece(tokenizer: Any, used: set[int]) -> tuple[list[int], bytes]:
    """The ids that are kept of a SentencePiece tokenizer, and its model.

    An id is its piece's number in the model; of XLM-R's and 1, as the first
    ids are special ones, and so is the last.
    """
    from sentencepiece import sentencepiece_model_pb2

    # Its classes are made as it is imported.
    known: Any = sentencepiece_model_pb2
    proto = known.ModelProto.FromString(tokenizer.proto)
    kinds = (proto.trainer_spec.UNIGRAM, proto.trainer_spec.CHAR)
    if proto.trainer_spec.model_type not in kinds:
        raise UserError(
            "cannot trim a SentencePiece model of merges, each of which may "
            "need the others: expected a unigram model, as XLM-R's"
        )
    shifts = isinstance(tokenizer, keras_hub.models.XLMRobertaTokenizer)
    pieces = list(proto.pieces)
    needed = {i for i, piece in enumerate(pieces) if piece.type != piece.NORMAL}
    needed |= {index - shifts for index in used}
    needed |= _letters([piece.piece for piece in pieces], list)
    kept = [i for i in range(len(pieces)) if i in needed]
    del proto.pieces[:]
    proto.pieces.extend(pieces[i] for i in kept)
    ids = [i + shifts for i in kept]
    if shifts:
        ids = [0, *ids, tokenizer.vocabulary_size() - 1]
    return ids, proto.SerializeToString()
