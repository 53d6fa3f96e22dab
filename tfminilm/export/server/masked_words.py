"""Write the heads for masked words into Hugging Face folders."""

from typing import Any

import keras
import keras_hub
from keras import ops

from tfminilm.errors import UserError
from tfminilm.families.family import Family

OUTPUT = "token_logits"
SUFFIX = "ForMaskedLM"  # Of the names of classes in `transformers`.
# What helps where a head's logits are not those of its folder.
HINT = (
    "; the head of KerasHub's class has an epsilon of 1e-5, and a folder none "
    "but the encoder's: export the encoder alone (--as=encoder)"
)


def is_masked_lm(model: keras.Model) -> bool:
    """Tell whether a model has a head for masked words."""
    return isinstance(model, keras_hub.models.MaskedLM)


def head(family: Family, model: keras.Model) -> tuple[str, dict[str, Any]]:
    """Return the end of the class's name, and the head's layers.

    Args:
        family: of the model's backbone.
        model: a `keras_hub.models.MaskedLM`.

    Returns:
        The end, "ForMaskedLM", and the layers by PyTorch's names.

    Raises:
        UserError: such a head of the family, or this one, is not written.
    """
    kept = family.hugging_face
    if kept is None or kept.masked_lm is None:
        raise UserError(
            f"cannot write a {type(model).__name__} as a Hugging Face folder: "
            f"the head of an {family.title} for masked words is not written; "
            "export the encoder alone (--as=encoder)"
        )
    return SUFFIX, kept.masked_lm(family, model)


def at_all_places(model: keras.Model) -> keras.Model:
    """Return a model that gives the logits of every token.

    Args:
        model: a `keras_hub.models.MaskedLM`.

    Returns:
        A model with the backbone's inputs, and the output "token_logits"
        `[batch, length, vocabulary_size]`.
    """
    backbone = model.backbone
    inputs = dict(backbone.input)
    places = ops.cumsum(ops.ones_like(inputs["token_ids"]), axis=1) - 1
    outputs = model({**inputs, "mask_positions": places})
    if isinstance(outputs, dict):
        outputs = outputs["logits"]
    whole = keras.Model(inputs, {OUTPUT: outputs})
    whole.backbone = backbone
    return whole
