"""Masked-language-model heads, new ones and those of checkpoints."""

import os
import pathlib
import re
from typing import Any

import keras

from tfminilm import families
from tfminilm.errors import UserError
from tfminilm.families.hugging_face.checkpoint import open_checkpoint
from tfminilm.families.room import require_preset_room
from tfminilm.layers.factorised_head import FactorisedMaskedLMHead
from tfminilm.layers.tied_head import TiedMaskedLMHead
from tfminilm.private.deferred import made_with_values
from tfminilm.private.encoders import head_parts
from tfminilm.teachers import tiny
from tfminilm.teachers.load import (
    hugging_face_folder,
    is_foreign,
    is_tiny,
    load_backbone,
    resolve,
)
from tfminilm.typing import Policy


def build_masked_lm(
    backbone: keras.Model, next_sentence: bool = False
) -> keras.Model:
    """Build a masked language model on a backbone, with a new head.

    The logits' kernel is the backbone's token table; only the tokens at
    `mask_positions` get logits.

    Args:
        backbone: a KerasHub encoder that was made for it, such as BERT, or a
            MobileBERT.
        next_sentence: whether it also predicts next sentences, which a
            MobileBERT and an IB-BERT can.

    Returns:
        A `keras_hub.models.MaskedLM`. Its inputs are the backbone's and
        `mask_positions` `[batch, masked]`; its output is the logits
        `[batch, masked, vocabulary_size]`, or with `next_sentence` a dict of
        these, "logits", and "next_sentence_logits" `[batch, 2]`.

    Raises:
        UserError: there is no such model for this backbone.
    """
    kinds = families.masked_lms()
    if type(backbone) not in kinds:
        raise UserError(
            "there is no masked language model on a "
            f"{type(backbone).__name__}; expected one of "
            f"{', '.join(sorted({cls.__name__ for cls in kinds}))}"
        )
    kind, options = kinds[type(backbone)], {}
    if next_sentence:
        family = families.of_backbone(backbone)
        if family is None or not family.predicts_next_sentence:
            raise UserError(
                f"a {kind.__name__} predicts no next sentences, only a "
                "MobileBERT or an IB-BERT does: expected one of these, or a "
                "next_sentence_weight of 0"
            )
        options["next_sentence"] = True
    return _in_any_precision(kind(backbone, **options))


def load_masked_lm(
    source: str | os.PathLike, dtype: Policy = None
) -> keras.Model:
    """Load a masked language model with its trained head.

    Args:
        source: a KerasHub preset of one, or a Hugging Face folder, as
            `load_backbone` takes them.
        dtype: the dtype or dtype policy to compute in.

    Raises:
        UserError: nothing is there, or it is a model without such a head.
    """
    families.register()
    if is_tiny(source):
        return build_masked_lm(tiny.backbone(os.fspath(source), dtype))
    model = find_masked_lm(source, dtype)
    if model is None:
        load_backbone(source, dtype)  # Refuses what is no model at all.
        raise _no_head(source)
    return model


def find_masked_lm(
    source: str | os.PathLike, dtype: Policy = None
) -> keras.Model | None:
    """Load a masked language model; `None` where there is no such head.

    Args:
        source: as `load_masked_lm` takes it, but for `tiny:` ones.
        dtype: the dtype or dtype policy to compute in.

    Raises:
        UserError: nothing is there, or its head is not read.
    """
    import keras_hub
    from keras_hub.src.utils import preset_utils

    families.register()
    folder = hugging_face_folder(resolve(source))
    model = None
    if is_foreign(folder):
        checkpoint = open_checkpoint(pathlib.Path(folder))
        family, reader = families.of_checkpoint(checkpoint)
        with made_with_values():
            model = reader.load_masked_lm(checkpoint, family, dtype)
        if model is not None:
            model.compile()
    elif preset_utils.check_file_exists(folder, "task.json"):
        task = preset_utils.load_json(folder, "task.json")
        if task["class_name"].endswith("MaskedLM"):
            require_preset_room(folder)
            options: dict[str, Any] = {"preprocessor": None}
            options |= {} if dtype is None else {"dtype": dtype}
            with made_with_values():  # Where no optimizer can be made.
                model = keras_hub.models.MaskedLM.from_preset(
                    folder, compile=False, **options
                )
            model.compile()
    return None if model is None else _in_any_precision(model)


def has_masked_lm(source: str | os.PathLike) -> bool:
    """Tell from a folder's files whether it holds a head for masked words.

    Args:
        source: as `load_masked_lm` takes it.

    Raises:
        UserError: nothing is there, or it is damaged.
    """
    from keras_hub.src.utils import preset_utils

    if is_tiny(source):
        return False
    folder = hugging_face_folder(resolve(source))
    if not is_foreign(folder):
        if not preset_utils.check_file_exists(folder, "task.json"):
            return False
        task = preset_utils.load_json(folder, "task.json")
        return task["class_name"].endswith("MaskedLM")
    checkpoint = open_checkpoint(pathlib.Path(folder))
    family, _ = families.of_checkpoint(checkpoint)
    names = family.hugging_face.names if family.hugging_face else None
    if names is None:
        return "MaskedLM" in str(checkpoint.settings.get("architectures"))
    return any(re.match(names.is_masked_lm, x) for x in checkpoint.shapes)


def copy_head(student: keras.Model, teacher: keras.Model) -> bool:
    """Give a student's heads its teacher's weights where both are as wide.

    The token table is the backbone's own, and stays. So does a head on next
    sentences where the teacher has none.

    Returns:
        Whether that on masked tokens took them.
    """
    _copy(*(_next_sentence_weights(m) for m in (student, teacher)))
    return _copy(*(_head_weights(m.masked_lm_head) for m in (student, teacher)))


def _copy(weights: list[Any], sources: list[Any]) -> bool:
    """Copy weights if all shapes agree; tell whether they did."""
    shapes = [[tuple(w.shape) for w in side] for side in (weights, sources)]
    if shapes[0] != shapes[1]:
        return False
    for weight, value in zip(weights, sources, strict=True):
        weight.assign(keras.ops.convert_to_numpy(value))
    return True


def _next_sentence_weights(model: keras.Model) -> list[Any]:
    """Return those of the head on next sentences; none if there is none."""
    layers = {layer.name: layer for layer in model.layers}
    head = layers.get("next_sentence")
    return [] if head is None else head.weights


def _no_head(source: str | os.PathLike) -> UserError:
    return UserError(
        f"{os.fspath(source)} has no masked-language-model head, only a "
        "backbone: give a checkpoint that was saved with it, such as "
        "bert-base-uncased, or choose a method that needs none"
    )


def _in_any_precision(model: keras.Model) -> keras.Model:
    """Let a model's head compute in float32, whatever the policy is.

    KerasHub's head adds a float32 bias to logits of the policy's dtype, which
    fails in mixed precision; float32 logits are what a loss wants. Its matrix
    products are those of layers with policies of their own.
    """
    model.masked_lm_head.dtype_policy = keras.DTypePolicy("float32")
    return model


def _head_weights(head: Any) -> list[Any]:
    """Return all but the token table, in the same order for a kind."""
    if isinstance(head, FactorisedMaskedLMHead):
        layers = head.dense, head.norm
        weights = [weight for layer in layers for weight in layer.weights]
        return [*weights, head.kernel, head.bias]
    if isinstance(head, TiedMaskedLMHead):
        return [*head.dense.weights, *head.norm.weights, head.bias]
    dense, norm = head_parts(head).dense, head_parts(head).norm
    return [
        dense.kernel,
        dense.bias,
        norm.gamma,
        norm.beta,
        head_parts(head).bias,
    ]
