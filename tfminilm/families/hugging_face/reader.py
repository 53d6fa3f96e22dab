"""Hugging Face folders of BERT, RoBERTa, XLM-R, DistilBERT and ALBERT.

Each weight of the model has to be in the folder, and each tensor there has to
be known. What no weight tells of, such as the activation, is carried over; a
setting that KerasHub has no like for is refused by name. What a setting means
is what it means to `transformers` 5.
"""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tfminilm.errors import UserError
from tfminilm.families.hugging_face import settings
from tfminilm.families.hugging_face.checkpoint import (
    Checkpoint,
    Slot,
    fill,
    layer_slots,
    open_checkpoint,
)
from tfminilm.families.hugging_face.names import FAMILIES, Family, modules
from tfminilm.private.encoders import head_parts

_EPSILON = 1e-12  # Of DistilBERT, whatever its settings say.


def load_backbone(folder: str | os.PathLike, dtype: Any = None) -> keras.Model:
    """A KerasHub backbone with the weights of a folder.

    Where the activation or the epsilon is not KerasHub's own, its class is
    that of the same name in `families.backbones`. The dropout of the hidden
    states is that of the attention too. A BERT or an ALBERT that was saved
    without a pooler gets one: the tanh of the first token's state.

    Raises:
        UserError: it is damaged, its tensors are not the model's, or a
            setting has no like in KerasHub.
    """
    checkpoint = open_checkpoint(pathlib.Path(folder))
    family = _family(checkpoint)
    backbone = _build(checkpoint, family, dtype)
    _fill(checkpoint, family, backbone, [], family.is_masked_lm)
    return backbone


def load_masked_lm(
    folder: str | os.PathLike, dtype: Any = None
) -> keras.Model | None:
    """A masked language model, or `None` where the folder has no such head.

    Raises:
        UserError: as `load_backbone`; or the head is not whole, or its logits
            have a table of their own.
    """
    from tfminilm.families.backbones import MASKED_LMS

    checkpoint = open_checkpoint(pathlib.Path(folder))
    family = _family(checkpoint)
    dense, norm, logits = family.masked_lm
    names = checkpoint.shapes
    if not any(name.startswith(f"{dense}.") for name in names):
        return None
    backbone = _build(checkpoint, family, dtype, masked_lm=True)
    model = MASKED_LMS[family.backbone](backbone)
    head = model.masked_lm_head
    bias, copy = f"{logits}.bias", f"{family.decoder}.bias"
    slots = [
        *layer_slots(dense, head_parts(head).dense),
        *layer_slots(norm, head_parts(head).norm),
        Slot(
            head_parts(head).bias,
            copy if copy in names and bias not in names else bias,
        ),
    ]
    is_copy = rf"{family.decoder}\.(weight|bias)$"
    _fill(checkpoint, family, backbone, slots, is_copy)
    return model


def _family(checkpoint: Checkpoint) -> Family:
    kind = checkpoint.settings.get("model_type")
    if not isinstance(kind, str) or kind not in FAMILIES:
        raise UserError(
            f"{checkpoint.settings_file}: model_type is {kind!r}, expected one "
            f"of {', '.join((*FAMILIES, 'mobilebert'))}"
        )
    return FAMILIES[kind]


def _build(
    checkpoint: Checkpoint, family: Family, dtype: Any, masked_lm: bool = False
) -> Any:
    """A model of a folder's settings, with random weights."""
    import keras_hub

    from tfminilm.families.backbones import BACKBONES, OWN_SETTINGS

    path = checkpoint.settings_file
    found = {**family.defaults, **checkpoint.settings}
    settings.check(path, found, masked_lm)
    options = _options(path, family, found)
    activation = settings.activation(path, found, family.activation)
    epsilon = _EPSILON
    if "layer_norm_eps" in family.defaults:
        epsilon = settings.number(path, found, "layer_norm_eps")
    cls = getattr(keras_hub.models, family.backbone)
    # KerasHub's heads have another epsilon than its encoders.
    own = OWN_SETTINGS[family.backbone]
    if masked_lm or (activation, epsilon) != own:
        cls = BACKBONES[family.backbone]
        options |= {"activation": activation, "layer_norm_epsilon": epsilon}
    return cls(**options, dtype=dtype)


def _options(
    path: pathlib.Path, family: Family, found: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns what KerasHub's class takes."""
    options: dict[str, Any] = {
        ours: settings.count(path, found, theirs)
        for ours, theirs in family.sizes.items()
    }
    options["dropout"] = settings.number(path, found, family.dropout, 0.0)
    if options["hidden_dim"] % options["num_heads"]:
        raise UserError(
            f"{path}: {family.sizes['hidden_dim']} is "
            f"{options['hidden_dim']}, expected a multiple of "
            f"{family.sizes['num_heads']}, {options['num_heads']}"
        )
    if family.has_pads_position:
        skipped = settings.count(path, found, "pad_token_id", 0) + 1
        options["max_sequence_length"] -= skipped
        if options["max_sequence_length"] < 1:
            raise UserError(
                f"{path}: max_position_embeddings is "
                f"{found['max_position_embeddings']}, expected more than "
                f"{skipped}, since positions begin behind pad_token_id"
            )
    elif "type_vocab_size" in family.defaults:
        options["num_segments"] = settings.count(path, found, "type_vocab_size")
    if "num_hidden_groups" in family.defaults:
        groups = settings.count(path, found, "num_hidden_groups")
        if options["num_layers"] % groups:
            raise UserError(
                f"{path}: num_hidden_layers is {options['num_layers']}, "
                f"expected a multiple of num_hidden_groups, {groups}"
            )
        options["num_groups"] = groups
        options["num_inner_repetitions"] = settings.count(
            path, found, "inner_group_num"
        )
    return options


def _fill(
    checkpoint: Checkpoint,
    family: Family,
    backbone: Any,
    head: list[Slot],
    ignored: str,
) -> None:
    """Gives the backbone and the head their values."""
    names, prefix = checkpoint.shapes, family.prefix
    if not any(name.startswith(prefix) for name in names):
        prefix = ""
    slots = [
        slot
        for module, layer in modules(family, backbone)
        for slot in layer_slots(prefix + module, layer)
    ]
    if family.pooler is not None:
        pooler = layer_slots(prefix + family.pooler, backbone.pooled_dense)
        if any(slot.name in names for slot in pooler):
            slots += pooler
        else:
            backbone.pooled_dense.kernel.assign(np.eye(backbone.hidden_dim))
    positions = None
    if family.has_pads_position:
        positions = _PaddedPositions(checkpoint, family, backbone)
        slots += positions.slots(prefix)
    fill(checkpoint, [*slots, *head], f"{ignored}|{family.is_other}")
    if positions is not None:
        positions.assign()


class _Array:
    """Takes a value from a file, as a variable does, to go elsewhere."""

    def __init__(self, *shape: int):
        self.shape = shape
        self.value: Any = None

    def assign(self, value: np.ndarray) -> None:
        self.value = np.asarray(value, "float32")


class _PaddedPositions:
    """RoBERTa's positions, with the first token type added to each.

    In a file, padding's come first, which nothing reads. KerasHub's model has
    neither these nor token types.
    """

    def __init__(self, checkpoint: Checkpoint, family: Family, backbone: Any):
        found = {**family.defaults, **checkpoint.settings}
        layer = backbone.embeddings.position_embedding
        self._variable = layer.position_embeddings
        rows, width = self._variable.shape
        types = settings.count(
            checkpoint.settings_file, found, "type_vocab_size"
        )
        self._skipped = found["max_position_embeddings"] - rows
        self._positions = _Array(rows + self._skipped, width)
        self._types = _Array(types, width)

    def slots(self, prefix: str) -> list[Slot]:
        """Finds the two tables."""
        tables = {"position": self._positions, "token_type": self._types}
        return [
            Slot(table, f"{prefix}embeddings.{name}_embeddings.weight")
            for name, table in tables.items()
        ]

    def assign(self) -> None:
        """Gives the model its positions, once the tables are read."""
        real = self._positions.value[self._skipped :]
        self._variable.assign(real + self._types.value[0])
