"""Find the layers of MobileBERT's head for masked words, to write them."""

from typing import Any

import keras
import numpy as np

from tfminilm.errors import UserError
from tfminilm.families.hugging_face import writer
from tfminilm.families.hugging_face.modules import Variables

_HEAD = "cls.predictions"


def of(model: keras.Model) -> dict[str, Any]:
    """Return a head's layers by the names of PyTorch's modules.

    Args:
        model: a `MobileBertMaskedLM`.

    Raises:
        UserError: it also predicts next sentences; or the padding's row of
            the token table is not zero, as `transformers` needs it.
    """
    problem = ""
    if isinstance(model.output, dict):
        problem = "it predicts next sentences too, expected masked words alone"
    elif np.any(keras.ops.convert_to_numpy(_table(model)[0])):
        problem = (
            "row 0 of its token table, the padding's, is not zero, as "
            "transformers needs it, and makes a logit"
        )
    if problem:
        raise UserError(
            f"cannot write a {type(model).__name__} as a Hugging Face folder: "
            f"{problem}; export the encoder alone (--as=encoder)"
        )
    head = model.masked_lm_head
    kernel = keras.ops.convert_to_numpy(head.kernel)
    return {
        f"{_HEAD}.transform.dense": head.dense,
        f"{_HEAD}.transform.LayerNorm": head.norm,
        # From tokens to features, as PyTorch's layer has it.
        f"{_HEAD}.dense": writer.table(kernel),
        _HEAD: Variables([writer.bias(head.bias)]),
    }


def _table(model: keras.Model) -> keras.Variable:
    return model.backbone.token_embedding.embeddings
