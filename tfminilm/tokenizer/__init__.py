"""Turn texts into token ids by the rules that a model was trained with."""

from tfminilm.tokenizer.exact import (
    BERT,
    KERAS_HUB,
    Exact,
    engine_digest,
    rules_of,
    trim,
    with_engine,
)

__all__ = [
    "BERT",
    "KERAS_HUB",
    "Exact",
    "engine_digest",
    "rules_of",
    "trim",
    "with_engine",
]
