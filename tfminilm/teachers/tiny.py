"""Encoders of a few thousand weights, made on the spot, to try things out.

They need no file and no network, and they know nothing: every weight is
random, though the same each time.
"""

import keras
import numpy as np

from tfminilm import families
from tfminilm.errors import UserError
from tfminilm.families.family import Family
from tfminilm.typing import Policy, Tokenizer

PREFIX = "tiny:"
SIZES = {
    "num_layers": 4,
    "num_heads": 12,
    "hidden_dim": 48,
    "intermediate_dim": 96,
    "max_sequence_length": 512,
}


def backbone(source: str, dtype: Policy = None) -> keras.Model:
    """Build the backbone called `tiny:bert` or `tiny:xlm_roberta`.

    Raises:
        UserError: there is none of that name.
    """
    family = _family(source)
    size = tokenizer(source).vocabulary_size()
    options = {} if dtype is None else {"dtype": dtype}
    model = family.students[family.name](
        vocabulary_size=size, **SIZES, **options
    )
    random = np.random.default_rng(0)
    for variable in model.weights:
        if variable.name in ("kernel", "embeddings"):
            variable.assign(random.normal(scale=0.1, size=variable.shape))
    return model


def tokenizer(source: str) -> Tokenizer:
    """Make its tokenizer: letters, digits and punctuation, each a token.

    Raises:
        UserError: there is none of that name.
    """
    make = _family(source).tokens.tiny_tokenizer
    assert make is not None
    return make()


def _family(source: str) -> Family:
    models = families.tiny_models()
    name = source.removeprefix(PREFIX)
    if name not in models:
        raise UserError(
            f"no model {source!r}: expected "
            + " or ".join(PREFIX + each for each in models)
        )
    return models[name]
