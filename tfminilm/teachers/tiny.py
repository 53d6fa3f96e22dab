"""Encoders of a few thousand weights, made on the spot, to try things out.

They need no file and no network, and they know nothing: every weight is
random, though the same each time.
"""

import functools
import io
import string
from typing import Any

import keras
import numpy as np

from tfminilm.errors import UserError

PREFIX = "tiny:"
SIZES = {
    "num_layers": 4,
    "num_heads": 12,
    "hidden_dim": 48,
    "intermediate_dim": 96,
    "max_sequence_length": 512,
}
_LETTERS = string.ascii_lowercase + string.digits + string.punctuation
_KINDS = ("bert", "xlm_roberta")


def backbone(source: str, dtype: Any = None) -> keras.Model:
    """The backbone called `tiny:bert` or `tiny:xlm_roberta`.

    Raises:
        UserError: there is none of that name.
    """
    from tfminilm import students

    size = tokenizer(source).vocabulary_size()
    options = {} if dtype is None else {"dtype": dtype}
    model = getattr(students, _kind(source))(
        vocabulary_size=size, **SIZES, **options
    )
    random = np.random.default_rng(0)
    for variable in model.weights:
        if variable.name in ("kernel", "embeddings"):
            variable.assign(random.normal(scale=0.1, size=variable.shape))
    return model


def tokenizer(source: str) -> Any:
    """Its tokenizer: letters, digits and punctuation, each a token.

    Raises:
        UserError: there is none of that name.
    """
    import keras_hub

    if _kind(source) == "xlm_roberta":
        return keras_hub.models.XLMRobertaTokenizer(proto=_sentencepiece())
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = [f"##{letter}" for letter in string.ascii_lowercase]
    return keras_hub.models.BertTokenizer(
        vocabulary=[*special, *_LETTERS, *pieces], lowercase=True
    )


def _kind(source: str) -> str:
    kind = source.removeprefix(PREFIX)
    if kind not in _KINDS:
        raise UserError(
            f"no model {source!r}: expected "
            + " or ".join(PREFIX + known for known in _KINDS)
        )
    return kind


@functools.cache
def _sentencepiece() -> bytes:
    """A SentencePiece model of single characters."""
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
