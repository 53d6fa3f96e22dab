"""Access to the special tokens of KerasHub's tokenizers."""

import keras

from tfminilm.private import Use

USES = (
    Use(
        "keras_hub.tokenizers.WordPieceTokenizer",
        "_init_special_tokens",
        "words that stand in a text as they are",
    ),
)


def extra_special_tokens(tokenizer: keras.layers.Layer) -> list[str]:
    """Return the special tokens that a tokenizer was made with."""
    return list(tokenizer._init_special_tokens or ())
