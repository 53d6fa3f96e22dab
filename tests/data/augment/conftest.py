"""A vocabulary of few words, and a language model that knows them."""

import keras
import keras_hub
import numpy as np
import pytest

from tfminilm.data.augment import masked_words, tinybert, word_vectors
from tfminilm.teachers import build_masked_lm

WORDS = "good bad fine film story actor plays sings dull the of is and".split()
PIECES = ["un", "##like", "##ly", "s", "##s", "."]
WINDOW = 16


@pytest.fixture(scope="session")
def tokenizer():
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return keras_hub.models.BertTokenizer(
        [*special, *WORDS, *PIECES], lowercase=True
    )


@pytest.fixture(scope="session")
def masked_lm(tokenizer, randomise):
    keras.utils.set_random_seed(0)
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=tokenizer.vocabulary_size() + 3,
        num_layers=1,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=32,
        max_sequence_length=32,
    )
    return randomise(build_masked_lm(backbone))


@pytest.fixture(scope="session")
def masked(masked_lm, tokenizer):
    return masked_words.MaskedWords(masked_lm, tokenizer, 4, WINDOW)


@pytest.fixture(scope="session")
def vectors():
    """Words on a circle, in this order."""
    angles = np.linspace(0, 3, len(WORDS))
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return word_vectors.WordVectors(
        [*WORDS, "unlikely"], np.concatenate([points, points[:1] + 0.01])
    )


@pytest.fixture(scope="session")
def make_augmenter(tokenizer, masked, vectors):
    """`make_augmenter(texts, **options)`."""

    def make(texts, masked=masked, seed=0, **options):
        how = tinybert.Augmentation(**{"num_candidates": 4} | options)
        pieces = tinybert.spell(texts, tokenizer)
        return tinybert.Augmenter(pieces, vectors, masked, how, seed)

    return make
