"""Tell whether a teacher's vocabulary knows the language of texts."""

from collections.abc import Sequence

import numpy as np

from tfminilm.pipeline.survey import scripts
from tfminilm.tasks.encode import tokens_of
from tfminilm.typing import Tokenizer

# English has 3.1 letters a piece with an English vocabulary, German and
# Spanish have 2.2, Russian and Greek 1.0.
_FEWEST_LETTERS = 1.5
_MOST_UNKNOWN = 0.2
_MOST_TEXTS = 1_000
# Of these a letter is a syllable, or words have no blanks between them.
_DENSE = ("Han", "Hiragana", "Katakana", "Hangul", "Thai")


def warning(texts: Sequence[str], tokenizer: Tokenizer) -> str:
    """Say that a vocabulary hardly knows texts; empty if it does.

    Args:
        texts: the first of them are looked at.
        tokenizer: the teacher's.
    """
    texts = texts[:_MOST_TEXTS]
    pieces, _ = tokens_of(texts, tokenizer)
    if not len(pieces):
        return ""
    name = getattr(tokenizer, "oov_token", None)
    unknown = 0.0
    if name is not None:
        unknown = float(np.mean(pieces == tokenizer.token_to_id(name)))
    letters = sum(map(str.isalpha, "".join(texts))) / len(pieces)
    main = next(iter(scripts(texts)), "")
    if unknown > _MOST_UNKNOWN:
        fault = f"{unknown:.0%} of the pieces are unknown to it"
    elif letters < _FEWEST_LETTERS and main and main not in _DENSE:
        fault = f"it cuts them into pieces of {letters:.1f} letters"
    else:
        return ""
    return (
        f"the teacher hardly knows the language of these texts: {fault}; "
        "choose a --teacher of it, such as a multilingual one"
    )
