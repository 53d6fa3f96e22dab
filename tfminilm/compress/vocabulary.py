"""Vocabulary trimming: remove unused rows from the token embeddings.

It follows "Load What You Need: Smaller Versions of Multilingual BERT",
arXiv 2010.05609, where the word pieces stay that occur in a language's texts.
The embeddings are often half of a small student, and four fifths of a
multilingual one.
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
from tfminilm.tokenizer.settings import config_of
from tfminilm.typing import Tokenizer


def trim_vocabulary(
    model: keras.Model, tokenizer: Tokenizer, used: Iterable[int]
) -> tuple[keras.Model, Any]:
    """Return a copy of a model without the word pieces that are not used.

    Pieces keep their order. Special tokens and single characters stay, so no
    text that could be tokenized before becomes unknown. If all pieces of a
    text are kept, the copy gets the same pieces and gives the same outputs.

    Args:
        model: an encoder, or one with a head for a task.
        tokenizer: its tokenizer, a WordPiece or SentencePiece one (as XLM-R's,
            ALBERT's and DeBERTa's).
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
    if not hasattr(backbone, "vocabulary_size"):
        raise UserError(
            f"cannot trim the vocabulary of a {type(backbone).__name__}: "
            "expected a model whose table of tokens has one width, as a BERT"
        )
    if tokenizer.vocabulary_size() > backbone.vocabulary_size:
        raise UserError(
            f"the tokenizer has {tokenizer.vocabulary_size()} pieces and the "
            f"model {backbone.vocabulary_size} rows: expected the model's own"
        )
    kept_ids, trimmed = _trimmed(tokenizer, {int(index) for index in used})
    smaller = heads.rebuilt(model, vocabulary_size=len(kept_ids))
    for new_weight, old_weight in zip(
        smaller.weights, model.weights, strict=True
    ):
        value = keras.ops.convert_to_numpy(old_weight)
        is_table = value.shape != tuple(new_weight.shape)
        new_weight.assign(value[kept_ids] if is_table else value)
    return smaller, trimmed


def used_ids(tokenizer: Tokenizer, texts: Iterable[str]) -> set[int]:
    """Return the token ids that occur in texts, such as those of a language."""
    documents = packing.encode(([text] for text in texts), tokenizer)
    return {int(i) for each in documents for i in np.unique(each.token_ids)}


def _trimmed(
    tokenizer: keras_hub.tokenizers.Tokenizer, used: set[int]
) -> tuple[np.ndarray, Any]:
    """Return the ids that are kept, in order, and a tokenizer of them."""
    config = config_of(tokenizer)
    if hasattr(tokenizer, "suffix_indicator"):
        words = list(tokenizer.get_vocabulary())
        special = {words.index(word) for word in _special_words(tokenizer)}
        prefix = tokenizer.suffix_indicator
        letters = _letters(words, lambda word: _wordpieces(word, prefix))
        kept_ids = sorted(special | used | letters)
        config["vocabulary"] = [words[index] for index in kept_ids]
    elif isinstance(getattr(tokenizer, "proto", None), bytes):
        kept_ids, config["proto"] = _sentencepiece(tokenizer, used)
    else:
        raise UserError(
            f"cannot trim a {type(tokenizer).__name__}: expected a WordPiece "
            "tokenizer, as BERT's, or XLM-R's"
        )
    smaller = tokenizer.__class__.from_config(config)
    return np.array(kept_ids), trim(tokenizer, smaller, kept_ids)


def _special_words(tokenizer: keras_hub.tokenizers.Tokenizer) -> set[str]:
    """Return the special tokens, the unknown token and added words."""
    special = {*tokenizer.special_tokens, tokenizer.oov_token}
    special.update(extra_special_tokens(tokenizer))
    if isinstance(tokenizer, Exact):
        added = tokenizer.engine.get_added_tokens_decoder()
        special.update(token.content for token in added.values())
    return special


def _letters(words: list[str], spell: Callable[[str], list[str]]) -> set[int]:
    """Return the ids of single letters, and of words they cannot spell."""
    vocabulary = set(words)
    needed = set()
    for index, word in enumerate(words):
        letters = spell(word)
        if letters == [word] or not vocabulary.issuperset(letters):
            needed.add(index)
    return needed


def _wordpieces(word: str, mark: str) -> list[str]:
    """Return the letters of a WordPiece as pieces: `##it` is `##i`, `##t`."""
    if word.startswith(mark) and word != mark:
        return [mark + letter for letter in word.removeprefix(mark)]
    return [word[:1], *(mark + letter for letter in word[1:])]


def _sentencepiece(
    tokenizer: keras_hub.tokenizers.Tokenizer, used: set[int]
) -> tuple[list[int], bytes]:
    """Return the ids that a SentencePiece tokenizer keeps, and its model.

    An id is the index of its piece in the model. XLM-R's ids are one higher,
    and CamemBERT's four; the ids in front and the last are special tokens. So
    is DeBERTa's last.
    """
    from sentencepiece import sentencepiece_model_pb2

    # `Any`: its classes are made at import, where mypy cannot see them.
    messages: Any = sentencepiece_model_pb2
    proto = messages.ModelProto.FromString(tokenizer.proto)
    kinds = (proto.trainer_spec.UNIGRAM, proto.trainer_spec.CHAR)
    if proto.trainer_spec.model_type not in kinds:
        raise UserError(
            "cannot trim a SentencePiece model of merges, each of which may "
            "need the others: expected a unigram model, as XLM-R's"
        )
    is_xlm_r = isinstance(tokenizer, keras_hub.models.XLMRobertaTokenizer)
    shifts = getattr(tokenizer, "id_offset", int(is_xlm_r))
    pieces = list(proto.pieces)
    needed = {i for i, piece in enumerate(pieces) if piece.type != piece.NORMAL}
    needed |= {index - shifts for index in used}
    needed |= _letters([piece.piece for piece in pieces], list)
    kept_pieces = [i for i in range(len(pieces)) if i in needed]
    del proto.pieces[:]
    proto.pieces.extend(pieces[i] for i in kept_pieces)
    ids = [*range(shifts), *(i + shifts for i in kept_pieces)]
    if shifts or tokenizer.vocabulary_size() > len(pieces):
        # The mask's, which is no piece: DeBERTa's mostly, the others' always.
        ids.append(tokenizer.vocabulary_size() - 1)
    return ids, proto.SerializeToString()
