"""Hugging Face folders of ModernBERT, mapped tensor by tensor.

The settings are read as `transformers` 4 wrote them and as 5 writes them.
"""

import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras

from tfminilm.errors import UserError
from tfminilm.families.family import Family
from tfminilm.families.hugging_face import settings, writer
from tfminilm.families.hugging_face.checkpoint import (
    Checkpoint,
    Slot,
    fill,
    layer_slots,
)
from tfminilm.families.hugging_face.modules import Variables
from tfminilm.families.room import require_room
from tfminilm.typing import Policy

_SIZES = {
    "vocabulary_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "hidden_dim": "hidden_size",
    "intermediate_dim": "intermediate_size",
    "local_attention": "local_attention",
    "max_sequence_length": "max_position_embeddings",
}
_RATES = {
    "dropout": "mlp_dropout",
    "embedding_dropout": "embedding_dropout",
    "attention_dropout": "attention_dropout",
}
# What is meant where a folder's settings say nothing.
_DEFAULTS: dict[str, Any] = {
    "local_attention": 128,
    "max_position_embeddings": 8192,
    "hidden_activation": "gelu",
    "norm_eps": 1e-5,
    **dict.fromkeys(_RATES.values(), 0.0),
    "global_attn_every_n_layers": 3,
    "global_rope_theta": 160_000.0,
    "local_rope_theta": 10_000.0,
}
_GLOBAL, _LOCAL = "full_attention", "sliding_attention"
_BIASES = ("attention_bias", "mlp_bias", "norm_bias")
_PREFIX = "model."
_HEADS = r"(head|decoder|classifier)\."
_IS_TIED = r"decoder\.weight$"


def load_backbone(
    checkpoint: Checkpoint, family: Family, dtype: Policy = None
) -> keras.Model:
    """Load a `ModernBertBackbone` with the weights of a folder.

    Raises:
        UserError: it is damaged, its tensors are not the model's, or a
            setting has no like here.
    """
    backbone = _build(checkpoint, dtype)
    fill(checkpoint, _slots(checkpoint, backbone), _HEADS)
    return backbone


def load_masked_lm(
    checkpoint: Checkpoint, family: Family, dtype: Policy = None
) -> keras.Model | None:
    """Load a `ModernBertMaskedLM`; `None` where there is no such head.

    Raises:
        UserError: as `load_backbone`; or the head is not whole.
    """
    from tfminilm.families.modernbert.model import ModernBertMaskedLM

    parts = {name.partition(".")[0] for name in checkpoint.shapes}
    if "head" not in parts or "classifier" in parts:
        return None
    _require_plain_head(checkpoint)
    backbone = _build(checkpoint, dtype, masked_lm=True)
    model = ModernBertMaskedLM(backbone, compile=False)
    head = model.masked_lm_head
    slots = [
        *_slots(checkpoint, model.backbone),
        *layer_slots("head.dense", head.dense),
        *layer_slots("head.norm", head.norm),
        Slot(head.bias, "decoder.bias"),
    ]
    fill(checkpoint, slots, _IS_TIED)
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
    _require_plain_head(checkpoint)
    backbone = _build(checkpoint, dtype)
    model = build(backbone)
    slots = _slots(checkpoint, backbone)
    for name, module in layers.items():
        slots += layer_slots(module, model.get_layer(name))
    fill(checkpoint, slots)
    return model


def modules_of(backbone: keras.Model) -> Iterator[tuple[str, Any]]:
    """Yield the layers with weights by the names of PyTorch's modules."""
    yield "embeddings.tok_embeddings", backbone.token_embedding
    yield "embeddings.norm", backbone.embeddings_layer_norm
    for index, layer in enumerate(backbone.transformer_layers):
        parts = {
            "attn_norm": layer.attention_norm,
            "attn.Wqkv": layer.qkv,
            "attn.Wo": layer.attention_output,
            "mlp_norm": layer.feedforward_norm,
            "mlp.Wi": layer.intermediate,
            "mlp.Wo": layer.feedforward,
        }
        for name, part in parts.items():
            if part is not None:
                yield f"layers.{index}.{name}", part
    yield "final_norm", backbone.final_norm


def masked_lm_layers(model: keras.Model) -> dict[str, Any]:
    """Return the layers of a head for masked words by PyTorch's modules.

    Raises:
        UserError: it computes with another activation than `transformers`.
    """
    head = model.masked_lm_head
    writer.require_head_activation(model, head.activation, "gelu")
    return {
        "head.dense": head.dense,
        "head.norm": head.norm,
        "decoder": Variables([writer.bias(head.bias)]),
    }


def settings_of(backbone: keras.Model) -> dict[str, Any]:
    """Return the `config.json` of a `ModernBertBackbone`.

    It says everything twice, for `transformers` 4 and for 5.
    """
    config = {
        name: getattr(backbone, ours)
        for ours, name in (_SIZES | _RATES).items()
    }
    bases = backbone.global_rope_theta, backbone.local_rope_theta
    names = zip((_GLOBAL, _LOCAL), bases, strict=True)
    return config | {
        "hidden_activation": settings.huggingface_activation(
            backbone.activation
        ),
        "norm_eps": backbone.epsilon,
        "global_attn_every_n_layers": backbone.global_every,
        "global_rope_theta": bases[0],
        "local_rope_theta": bases[1],
        "layer_types": _kinds(backbone.num_layers, backbone.global_every),
        "rope_parameters": {
            name: {"rope_theta": base, "rope_type": "default"}
            for name, base in names
        },
        # Its own are beyond a small vocabulary.
        **dict.fromkeys(
            f"{name}_token_id" for name in ("bos", "eos", "cls", "sep")
        ),
        **dict.fromkeys(_BIASES, False),
    }


def _slots(checkpoint: Checkpoint, backbone: keras.Model) -> list[Slot]:
    """Return where the variables of a backbone are."""
    has_prefix = any(n.startswith(_PREFIX) for n in checkpoint.shapes)
    prefix = _PREFIX if has_prefix else ""
    return [
        slot
        for module, layer in modules_of(backbone)
        for slot in layer_slots(prefix + module, layer)
    ]


def _build(
    checkpoint: Checkpoint, dtype: Policy, masked_lm: bool = False
) -> keras.Model:
    """Build a model of a folder's settings, with random weights."""
    from tfminilm.families.modernbert.model import ModernBertBackbone

    path = checkpoint.settings_file
    config = {**_DEFAULTS, **checkpoint.settings}
    # Nothing reads this one, and folders name what they like.
    config.pop("position_embedding_type", None)
    settings.check(path, config, masked_lm)
    for name in _BIASES:
        if config.get(name, False):
            raise UserError(
                f"{path}: {name} is true, expected false: here a ModernBERT "
                "has no biases"
            )
    options: dict[str, Any] = {
        name: settings.count(path, config, setting)
        for name, setting in _SIZES.items()
    }
    options |= {
        name: settings.number(path, config, setting, 0.0)
        for name, setting in _RATES.items()
    }
    options |= {
        "epsilon": settings.number(path, config, "norm_eps"),
        "activation": settings.activation(path, config, "hidden_activation"),
        "global_every": _global_every(path, config),
        "global_rope_theta": _theta(path, config, "global", _GLOBAL),
        "local_rope_theta": _theta(path, config, "local", _LOCAL),
    }
    require_room(path, options, lambda: ModernBertBackbone(**options))
    try:
        return ModernBertBackbone(**options, dtype=dtype)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _require_plain_head(checkpoint: Checkpoint) -> None:
    """Refuse settings of the prediction head that it cannot have here."""
    for name, expected in (
        ("classifier_bias", False),
        ("decoder_bias", True),
        ("classifier_activation", "gelu"),
    ):
        value = checkpoint.settings.get(name, expected)
        if value != expected:
            raise UserError(
                f"{checkpoint.settings_file}: {name} is {value!r}, expected "
                f"{expected!r}: a ModernBERT's head has no other here"
            )


def _kinds(num_layers: int, global_every: int) -> list[str]:
    """Return what each layer attends to, as `transformers` 5 calls it."""
    return [_LOCAL if i % global_every else _GLOBAL for i in range(num_layers)]


def _global_every(path: pathlib.Path, config: Mapping[str, Any]) -> int:
    kinds = config.get("layer_types")
    if kinds is None:
        return settings.count(path, config, "global_attn_every_n_layers")
    count = config["num_hidden_layers"]
    if isinstance(kinds, list) and len(kinds) == count:
        has_more = _GLOBAL in kinds[1:]
        every = kinds.index(_GLOBAL, 1) if has_more else count
        if kinds == _kinds(count, every):
            return every
    raise UserError(
        f"{path}: layer_types is {str(kinds)[:80]}, expected {_GLOBAL!r} for "
        f"each n-th of {count} layers, the first included, and {_LOCAL!r} for "
        "the others"
    )


def _theta(
    path: pathlib.Path, config: Mapping[str, Any], name: str, kind: str
) -> float:
    """Return the base of the rotary positions of a kind of layers."""
    key = f"{name}_rope_theta"
    value: Any = config[key]
    parameters = config.get("rope_parameters")
    if parameters is not None:
        of_kind = parameters
        if isinstance(parameters, dict):
            of_kind = parameters.get(kind) or {}
        is_plain = isinstance(of_kind, dict) and (
            of_kind.get("rope_type", "default") == "default"
        )
        if not is_plain:
            raise UserError(
                f"{path}: rope_parameters is {str(of_kind)[:80]} for {kind}, "
                "expected rope_type 'default': no other positions are known "
                "here"
            )
        key = f"rope_parameters of {kind}: rope_theta"
        value = of_kind.get("rope_theta", value)
    if config.get("rope_scaling") is not None:
        raise UserError(f"{path}: rope_scaling is set, expected none")
    if type(value) not in (int, float) or not 1 < value < 1e12:
        raise UserError(
            f"{path}: {key} is {value!r}, expected a number above 1, such as "
            "10000"
        )
    return float(value)
