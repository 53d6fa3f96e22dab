"""Access to the special tokens of KerasHub's tokenizers."""

from collections.abc import Mapping

import keras

from tfminilm.private import Use

USES = (
    Use(
        "keras_hub.tokenizers.WordPieceTokenizer",
        "_init_special_tokens",
        "words that stand in a text as they are",
    ),
    Use(
        "keras_hub.tokenizers.Tokenizer",
        "_add_special_token",
        "a tokenizer says so which words stand for start, end and padding",
    ),
)


def extra_special_tokens(tokenizer: keras.layers.Layer) -> list[str]:
    """Return the special tokens that a tokenizer was made with."""
    return list(tokenizer._init_special_tokens or ())


def declare_special_tokens(
    tokenizer: keras.layers.Layer, tokens: Mapping[str, str]
) -> None:
    """Tell a tokenizer its special tokens, before its own constructor.

    Args:
        tokenizer: of KerasHub's.
        tokens: the words by their attributes, such as `cls_token`.
    """
    for name, token in tokens.items():
        tokenizer._add_special_token(token, name)
