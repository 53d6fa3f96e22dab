"""Tokenizers of small random models: each character, or byte, is a token."""

import functools
import io
import string

from tfminilm.typing import Tokenizer

_LETTERS = string.ascii_lowercase + string.digits + string.punctuation


def word_pieces() -> Tokenizer:
    """Make BERT's tokenizer of letters, digits and punctuation."""
    import keras_hub

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = [f"##{letter}" for letter in string.ascii_lowercase]
    return keras_hub.models.BertTokenizer(
        vocabulary=[*special, *_LETTERS, *pieces], lowercase=True
    )


def sentence_pieces() -> Tokenizer:
    """Make XLM-R's tokenizer of letters, digits and punctuation."""
    import keras_hub

    return keras_hub.models.XLMRobertaTokenizer(proto=_sentencepiece())


def byte_pairs() -> Tokenizer:
    """Make RoBERTa's tokenizer of single bytes."""
    import keras_hub
    import tokenizers

    bytes_ = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    words = ["<s>", "<pad>", "</s>", "<unk>", *bytes_, "<mask>", "th"]
    return keras_hub.models.RobertaTokenizer(
        vocabulary={word: index for index, word in enumerate(words)},
        merges=["t h"],
    )


@functools.cache
def _sentencepiece() -> bytes:
    """Train a SentencePiece model of single characters."""
    import sentencepiece

    content = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(_LETTERS)]),
        model_writer=content,
        model_type="char",
        vocab_size=len(_LETTERS) + 4,
        # As XLM-R's.
        unk_id=0,
        bos_id=1,
        eos_id=2,
        minloglevel=2,
    )
    return content.getvalue()
