"""A tokenizer whose ids are known by heart."""

import pytest

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PAD, UNK, CLS, SEP, MASK = range(5)


def bert_tokenizer(words):
    import keras_hub

    return keras_hub.models.BertTokenizer(
        vocabulary=[*SPECIAL, *words], lowercase=True
    )


@pytest.fixture(scope="session")
def letters():
    """`a` is 5, `b` is 6, ... `z` is 30, a full stop 31."""
    return bert_tokenizer([*"abcdefghijklmnopqrstuvwxyz", "."])


@pytest.fixture(scope="session")
def make_tokenizer():
    """Makes a BERT tokenizer of the given words, which start at id 5."""
    return bert_tokenizer
