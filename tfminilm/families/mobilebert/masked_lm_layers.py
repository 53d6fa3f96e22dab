"""Find the layers of MobileBERT's head for masked words, to write them."""

from typing import Any

import keras

from tfminilm.errors import UserError
from tfminilm.families.hugging_face import writer
from tfminilm.families.hugging_face.modules import Variables

_HEAD = "cls.predictions"


def of(model: keras.Model) -> dict[str, Any]:
    """Return a head's layers by the names of PyTorch's modules.

    Args:
        model: a `MobileBertMaskedLM`.

    Raises:
        UserError: it also predicts next sentences.
    """
    if isinstance(model.output, dict):
        raise UserError(
            f"cannot write a {type(model).__name__} as a Hugging Face folder: "
            "it predicts next sentences too, expected masked words alone; "
            "export the encoder alone (--as=encoder)"
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
