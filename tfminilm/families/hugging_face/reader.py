"""Hugging Face folders of KerasHub's encoders: BERT and its kin.

Each weight of the model has to be in the folder, and each tensor there has to
be known. What no weight tells of, such as the activation, is carried over; a
setting that KerasHub has no like for is refused by name. What a setting means
is what it means to `transformers` 5.
"""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from tfminilm.errors import UserError
from tfminilm.families import backbones
from tfminilm.families.family import Family
from tfminilm.families.hugging_face import settings
from tfminilm.families.hugging_face.checkpoint import (
    Checkpoint,
    Slot,
    fill,
    layer_slots,
)
from tfminilm.families.hugging_face.modules import modules
from tfminilm.families.hugging_face.names import EPSILON, Names
from tfminilm.families.room import build_in_room
from tfminilm.private.encoders import head_parts
from tfminilm.typing import Policy


def load_backbone(
    checkpoint: Checkpoint, family: Family, dtype: Policy = None
) -> keras.Model:
    """Load a KerasHub backbone with the weights of a folder.

    Where the activation or the epsilon is not KerasHub's own, its class is
    that of the same name in `families.backbones`. The dropout of the hidden
    states is that of the attention too. A BERT or an ALBERT that was saved
    without a pooler gets one, and so does every ELECTRA: the tanh of the
    first token's state.

    Raises:
        UserError: it is damaged, its tensors are not the model's, or a
            setting has no like in KerasHub.
    """
    backbone = _build(checkpoint, family, dtype)
    names = _names(family)
    _fill(checkpoint, names, backbone, [], names.is_masked_lm)
    return backbone


def load_masked_lm(
    checkpoint: Checkpoint, family: Family, dtype: Policy = None
) -> keras.Model | None:
    """Load a masked language model; `None` where there is no such head.

    Raises:
        UserError: as `load_backbone`; or the head is not whole, or its logits
            have a table of their own.
    """
    names, tensors = _names(family), checkpoint.shapes
    dense, norm, logits = names.masked_lm
    if names.new_masked_lm and not checkpoint.settings.get("legacy", True):
        dense, norm, logits = names.new_masked_lm
    if not any(name.startswith(f"{dense}.") for name in tensors):
        return None
    cls = backbones.masked_lm_class(family)
    backbone = _build(checkpoint, family, dtype, masked_lm=True)
    model = cls(backbone, compile=False)
    head = model.masked_lm_head
    bias, copy = f"{logits}.bias", f"{names.decoder}.bias"
    slots = [
        *layer_slots(dense, head_parts(head).dense),
        *layer_slots(norm, head_parts(head).norm),
        Slot(
            head_parts(head).bias,
            copy if copy in tensors and bias not in tensors else bias,
        ),
    ]
    is_copy = rf"{names.decoder}\.(weight|bias)$"
    _fill(checkpoint, names, backbone, slots, is_copy)
    return model


def load_with_head(
    checkpoint: Checkpoint,
    family: Family,
    layers: Mapping[str, str],
    build: Callable[[keras.Model], keras.Model],
    dtype: Policy = None,
) -> keras.Model:
    """Load a backbone, and the head that `build` puts on it.

    Args:
        checkpoint: the opened folder.
        family: of the model.
        layers: PyTorch's names of the head's layers by their names in Keras.
        build: gives a model with a new head.
        dtype: the dtype or dtype policy to compute in.

    Raises:
        UserError: as `load_backbone`; or the head is not whole.
    """
    names = _names(family)
    backbone = _build(checkpoint, family, dtype)
    model = build(backbone)
    head = [
        slot
        for name, module in layers.items()
        for slot in layer_slots(module, model.get_layer(name))
    ]
    pools = "logits" in layers and "pooled_dense" not in layers
    if names.pooler is not None and pools:
        # It computes what is classified: the folder has to have it.
        module = names.prefix + names.pooler
        head += layer_slots(module, backbone.pooled_dense)
    _fill(checkpoint, names, backbone, head, names.is_masked_lm)
    return model


def _has_pooler(checkpoint: Checkpoint, names: Names) -> bool:
    tensors = {f"{names.pooler}.weight", f"{names.prefix}{names.pooler}.weight"}
    return not tensors.isdisjoint(checkpoint.shapes)


def _names(family: Family) -> Names:
    assert family.hugging_face is not None
    assert family.hugging_face.names is not None
    return family.hugging_face.names


def _build(
    checkpoint: Checkpoint,
    family: Family,
    dtype: Policy,
    masked_lm: bool = False,
) -> Any:
    """Build a model of a folder's settings, with random weights."""
    import keras_hub

    path, names = checkpoint.settings_file, _names(family)
    config = {**names.defaults, **checkpoint.settings}
    settings.check(path, config, masked_lm)
    settings.check_fixed(path, config, names.fixed)
    if names.require is not None:
        names.require(path, config)
    options = _options(path, names, config)
    activation = settings.activation(path, config, names.activation)
    epsilon = EPSILON
    if "layer_norm_eps" in names.defaults:
        epsilon = settings.number(path, config, "layer_norm_eps")
    more = {"activation": activation, "layer_norm_epsilon": epsilon}
    is_exact = names.suits is None or names.suits(options)
    is_exact &= (activation, epsilon) == family.computes_with
    if family.own_backbone is not None:
        cls = family.own_backbone()
        options |= more | {"pooler": _has_pooler(checkpoint, names)}
    elif masked_lm or not is_exact:
        # KerasHub's heads have another epsilon than its encoders.
        cls = backbones.variants(family).backbone
        options |= more
    else:
        cls = getattr(keras_hub.models, family.backbone)
    return build_in_room(path, options, lambda: cls(**options, dtype=dtype))


def _options(
    path: pathlib.Path, names: Names, config: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what KerasHub's class takes."""
    options: dict[str, Any] = {
        name: settings.count(path, config, setting)
        for name, setting in names.sizes.items()
    }
    options["dropout"] = settings.number(path, config, names.dropout, 0.0)
    if options["hidden_dim"] % options["num_heads"]:
        raise UserError(
            f"{path}: {names.sizes['hidden_dim']} is "
            f"{options['hidden_dim']}, expected a multiple of "
            f"{names.sizes['num_heads']}, {options['num_heads']}"
        )
    if names.has_pads_position:
        skipped = settings.count(path, config, "pad_token_id", 0) + 1
        options["max_sequence_length"] -= skipped
        if options["max_sequence_length"] < 1:
            raise UserError(
                f"{path}: max_position_embeddings is "
                f"{config['max_position_embeddings']}, expected more than "
                f"{skipped}, since positions begin behind pad_token_id"
            )
    elif "type_vocab_size" in names.defaults:
        options["num_segments"] = settings.count(
            path, config, "type_vocab_size"
        )
    if "num_hidden_groups" in names.defaults:
        groups = settings.count(path, config, "num_hidden_groups")
        if options["num_layers"] % groups:
            raise UserError(
                f"{path}: num_hidden_layers is {options['num_layers']}, "
                f"expected a multiple of num_hidden_groups, {groups}"
            )
        options["num_groups"] = groups
        options["num_inner_repetitions"] = settings.count(
            path, config, "inner_group_num"
        )
    return options


def _fill(
    checkpoint: Checkpoint,
    names: Names,
    backbone: keras.Model,
    head: list[Slot],
    ignored: str,
) -> None:
    """Give the backbone and the head their values."""
    tensors, prefix = checkpoint.shapes, names.prefix
    if not any(name.startswith(prefix) for name in tensors):
        prefix = ""
    slots = [
        slot
        for module, layer in modules(names, backbone)
        for slot in layer_slots(prefix + module, layer)
    ]
    pooler = []
    if names.pooler is not None and hasattr(backbone, "pooled_dense"):
        pooler = layer_slots(prefix + names.pooler, backbone.pooled_dense)
    if any(slot.name in tensors for slot in pooler):
        slots += pooler
    elif hasattr(backbone, "pooled_dense"):
        backbone.pooled_dense.kernel.assign(np.eye(backbone.hidden_dim))
    positions = None
    if names.has_pads_position:
        positions = _PaddedPositions(checkpoint, names, backbone)
        slots += positions.slots(prefix)
    fill(checkpoint, [*slots, *head], f"{ignored}|{names.is_other}")
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
    """Positions as RoBERTa's, with the first token type added to each.

    In a file, padding's come first, which nothing reads. KerasHub's model has
    neither these nor token types, and MPNet never had types.
    """

    def __init__(
        self, checkpoint: Checkpoint, names: Names, backbone: keras.Model
    ):
        config = {**names.defaults, **checkpoint.settings}
        layer = backbone.embeddings.position_embedding
        self._variable = layer.position_embeddings
        rows, width = self._variable.shape
        self._skipped = config["max_position_embeddings"] - rows
        self._positions = _Array(rows + self._skipped, width)
        self._types = None
        if "type_vocab_size" in names.defaults:
            path = checkpoint.settings_file
            types = settings.count(path, config, "type_vocab_size")
            self._types = _Array(types, width)

    def slots(self, prefix: str) -> list[Slot]:
        """Find the tables."""
        tables = {"position": self._positions}
        if self._types is not None:
            tables["token_type"] = self._types
        return [
            Slot(table, f"{prefix}embeddings.{name}_embeddings.weight")
            for name, table in tables.items()
        ]

    def assign(self) -> None:
        """Give the model its positions, once the tables are read."""
        real = self._positions.value[self._skipped :]
        if self._types is not None:
            real = real + self._types.value[0]
        self._variable.assign(real)
