"""Published MobileBERT weights, mapped variable by variable.

They come as a Hugging Face folder (`config.json`, `model.safetensors`,
`vocab.txt`), or as a TensorFlow 1 checkpoint (`*.index`, `*.data-*`,
`vocab.txt`, and the model's settings in a `.json` file). The two describe a
model with the same words.
"""

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np

from tfminilm.errors import UserError
from tfminilm.families.family import Family
from tfminilm.families.hugging_face.checkpoint import (
    Checkpoint,
    Slot,
    fill,
    layer_slots,
    pytorch_name,
)
from tfminilm.families.hugging_face.settings import activation as activation_of
from tfminilm.families.hugging_face.settings import (
    check,
    huggingface_activation,
)
from tfminilm.families.room import build_in_room
from tfminilm.layers.bottleneck import BottleneckEncoder
from tfminilm.layers.factorised_head import FactorisedMaskedLMHead
from tfminilm.typing import Policy

_SETTINGS = {
    "vocabulary_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "hidden_dim": "hidden_size",
    "bottleneck_dim": "intra_bottleneck_size",
    "intermediate_dim": "intermediate_size",
    "embedding_dim": "embedding_size",
    "num_feedforwards": "num_feedforward_networks",
    "normalization": "normalization_type",
    "max_sequence_length": "max_position_embeddings",
    "num_segments": "type_vocab_size",
    "dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
}
# What is meant where a file of settings says nothing.
_DEFAULTS: dict[str, Any] = {
    "num_feedforward_networks": 4,
    "normalization_type": "no_norm",
    "use_bottleneck": True,
    "use_bottleneck_attention": False,
    "key_query_shared_bottleneck": True,
    "trigram_input": True,
    "classifier_activation": True,
    "layer_norm_eps": 1e-12,
}
_TF1_DEFAULTS = _DEFAULTS | {
    "num_feedforward_networks": 1,
    "normalization_type": "layer_norm",
    "use_bottleneck": False,
    "key_query_shared_bottleneck": False,
    "trigram_input": False,
}
# Heads for masked tokens, in two spellings; and all others: of next sentence,
# classes and answers.
_HEAD = r"cls[./]predictions[./]"
_OTHER_HEADS = (
    r"cls[./](seq_relationship|squad)|classifier\.|qa_outputs\.|"
    r"output_(weights|bias)$"
)
# The token table and the bias of the logits, stored twice.
_TIED = r"cls\.predictions\.decoder\."
_DECODER = "cls.predictions.decoder.weight"
_TABLE = "embeddings.word_embeddings.weight"


def load_backbone(
    checkpoint: Checkpoint, family: Family, dtype: Policy = None
) -> keras.Model:
    """Load a `MobileBertBackbone` with the weights of a folder.

    Raises:
        UserError: it is damaged, or its variables are not the model's.
    """
    backbone = _build(checkpoint, dtype)
    fill(checkpoint, _slots(checkpoint, backbone), f"{_HEAD}|{_OTHER_HEADS}")
    return backbone


def load_masked_lm(
    checkpoint: Checkpoint, family: Family, dtype: Policy = None
) -> keras.Model | None:
    """Load a `MobileBertMaskedLM`; `None` where there is no such head.

    Raises:
        UserError: it is damaged, or its variables are not the model's.
    """
    from tfminilm.families.mobilebert.model import MobileBertMaskedLM

    if not any(re.match(_HEAD, name) for name in checkpoint.shapes):
        return None
    is_untied = _has_logit_of_padding(checkpoint)
    backbone = _build(checkpoint, dtype, masked_lm=not is_untied)
    model = MobileBertMaskedLM(backbone, compile=False)
    slots = _slots(checkpoint, model.backbone)
    if is_untied:
        table = slots.pop(0)
        slots.append(table._replace(name=_DECODER))
    slots += _head_slots(checkpoint, model.masked_lm_head)
    fill(checkpoint, slots, f"{_TIED}|{_OTHER_HEADS}|mobilebert.{_TABLE}")
    return model


def _has_logit_of_padding(checkpoint: Checkpoint) -> bool:
    """Tell whether the logits' table is the tokens' but for the padding's row.

    That row is zero among the tokens, since a last word has it for neighbour,
    and here padding never counts: so the logits' table serves both.
    """
    if checkpoint.settings.get("tie_word_embeddings", True):
        return False
    shapes, tokens = checkpoint.shapes, f"mobilebert.{_TABLE}"
    if _DECODER not in shapes or shapes[_DECODER] != shapes.get(tokens):
        return False
    pad = checkpoint.settings.get("pad_token_id", 0)
    logits = checkpoint.read(_DECODER)
    differing = np.any(logits != checkpoint.read(tokens), axis=1)
    return set(np.flatnonzero(differing)) <= {pad}


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
        UserError: as `load_backbone`; the head is not whole, or reads the
            first token without the pooler's layer.
    """
    pools = checkpoint.settings.get("classifier_activation", True)
    if not pools and "pooled_dense" in layers:
        raise UserError(
            f"{checkpoint.settings_file}: classifier_activation is false, "
            "expected true: a head here reads the first token through the "
            "pooler's layer"
        )
    backbone = _build(checkpoint, dtype)
    model = build(backbone)
    slots = _slots(checkpoint, backbone)
    for name, module in layers.items():
        slots += layer_slots(module, model.get_layer(name))
    fill(checkpoint, slots, f"{_HEAD}|{_OTHER_HEADS}")
    return model


def settings_of(backbone: keras.Model) -> dict[str, Any]:
    """Return the Hugging Face `config.json` of a `MobileBertBackbone`."""
    return {
        **{
            setting: getattr(backbone, name)
            for name, setting in _SETTINGS.items()
        },
        "use_bottleneck": True,
        "trigram_input": True,
        "key_query_shared_bottleneck": backbone.attention_input == "shared",
        "use_bottleneck_attention": backbone.attention_input == "bottleneck",
        "hidden_act": huggingface_activation(backbone.activation),
        "layer_norm_eps": backbone.epsilon,
        "classifier_activation": backbone.pooler,
    }


def _build(
    checkpoint: Checkpoint, dtype: Policy, masked_lm: bool = False
) -> keras.Model:
    """Build a model of these settings, with random weights."""
    from tfminilm.families.mobilebert.model import MobileBertBackbone

    path = checkpoint.settings_file
    defaults = _TF1_DEFAULTS if checkpoint.is_tf1 else _DEFAULTS
    settings = defaults | checkpoint.settings
    for name in ("use_bottleneck", "trigram_input"):
        if not settings[name]:
            raise UserError(f"{path} describes no MobileBERT: no {name}")
    needed = (*_SETTINGS.values(), "hidden_act")
    if missing := [name for name in needed if name not in settings]:
        raise UserError(f"{path} lacks {', '.join(missing)}")
    check(path, settings, masked_lm)
    activation = activation_of(path, settings)
    if checkpoint.is_tf1 and activation == "gelu":
        activation = "gelu_approximate"  # There it is that one.
    attention_input = "block"
    if settings["use_bottleneck_attention"]:
        attention_input = "bottleneck"
    elif settings["key_query_shared_bottleneck"]:
        attention_input = "shared"
    sizes = {name: settings[setting] for name, setting in _SETTINGS.items()}
    build = functools.partial(
        MobileBertBackbone,
        **sizes,
        attention_input=attention_input,
        activation=activation,
        # Hugging Face's layers take the setting, except for two.
        epsilon=settings["layer_norm_eps"],
        outer_epsilon=1e-12 if checkpoint.is_tf1 else 1e-5,
        pooler=settings["classifier_activation"] and _may_pool(checkpoint),
        dtype=dtype,
    )
    return build_in_room(path, sizes, build)


def _may_pool(checkpoint: Checkpoint) -> bool:
    """Return whether a pooler is due: a head over tokens has none saved."""
    names = checkpoint.shapes
    over_tokens = any(n.startswith(("cls.", "qa_outputs.")) for n in names)
    classes = str(checkpoint.settings.get("architectures"))
    over_tokens |= "ForTokenClassification" in classes
    return not over_tokens or any("pooler" in name for name in names)


def _slots(checkpoint: Checkpoint, backbone: keras.Model) -> list[Slot]:
    """Return where the variables of a backbone are."""
    name = _tf1_name if checkpoint.is_tf1 else pytorch_name
    prefix = "bert/"
    if not checkpoint.is_tf1:
        names = checkpoint.shapes
        is_bare = not any(n.startswith("mobilebert.") for n in names)
        prefix = "" if is_bare else "mobilebert."
    fake = "Fake" if backbone.normalization == "no_norm" else ""
    return [
        Slot(
            variable,
            prefix
            + name(module, variable.name).replace(
                "/LayerNorm", f"/{fake}LayerNorm"
            ),
            not checkpoint.is_tf1 and variable.name == "kernel",
        )
        for module, layer in modules_of(backbone)
        for variable in layer.weights
    ]


def _head_slots(
    checkpoint: Checkpoint, head: FactorisedMaskedLMHead
) -> list[Slot]:
    """Return where the variables of a masked-language-model head are."""
    if checkpoint.is_tf1:
        prefix, name = "cls/predictions/", _tf1_name
        kernel, bias = "extra_output_weights", "output_bias"
    else:
        prefix, name = "cls.predictions.", pytorch_name
        kernel, bias = "dense.weight", "bias"
    slots = [
        Slot(
            variable,
            prefix + name(f"transform.{module}", variable.name),
            not checkpoint.is_tf1 and variable.name == "kernel",
        )
        for module, layer in (("dense", head.dense), ("LayerNorm", head.norm))
        for variable in layer.weights
    ]
    return [
        *slots,
        # Here PyTorch's layer maps from tokens to features.
        Slot(head.kernel, prefix + kernel, checkpoint.is_tf1),
        Slot(head.bias, prefix + bias),
    ]


def modules_of(backbone: keras.Model) -> Iterator[tuple[str, Any]]:
    """Yield the layers with variables by the names of PyTorch's modules."""
    yield "embeddings.word_embeddings", backbone.token_embedding
    yield "embeddings.embedding_transformation", backbone.embeddings_projection
    yield "embeddings.position_embeddings", backbone.position_embedding
    yield "embeddings.token_type_embeddings", backbone.segment_embedding
    yield "embeddings.LayerNorm", backbone.embeddings_norm
    for index, encoder in enumerate(backbone.transformer_layers):
        for name, layer in _encoder_modules(encoder):
            yield f"encoder.layer.{index}.{name}", layer
    if backbone.pooled_dense is not None:
        yield "pooler.dense", backbone.pooled_dense


def _encoder_modules(encoder: BottleneckEncoder) -> Iterator[tuple[str, Any]]:
    yield "attention.self.query", encoder.projections["queries"]
    yield "attention.self.key", encoder.projections["keys"]
    yield "attention.self.value", encoder.projections["values"]
    *stacked, last = encoder.feedforwards
    blocks = {f"ffn.{index}.": block for index, block in enumerate(stacked)}
    normed = {
        "bottleneck.input": encoder.bottleneck,
        "bottleneck.attention": encoder.shared_bottleneck,
        "attention.output": encoder.attention_output,
        "output.bottleneck": encoder.output_bottleneck,
    }
    for prefix, block in (*blocks.items(), ("", last)):
        yield f"{prefix}intermediate.dense", block.intermediate
        normed[f"{prefix}output"] = block.output_dense
    for name, layer in normed.items():
        if layer is not None:
            yield f"{name}.dense", layer.dense
            yield f"{name}.LayerNorm", layer.norm


def _tf1_name(module: str, variable: str) -> str:
    """Return the name that TensorFlow 1 gives a variable."""
    module = re.sub(r"\bffn\.", "ffn_layer_", module)
    module = re.sub(r"\blayer\.", "layer_", module).replace(".", "/")
    is_table = "embeddings" in variable
    return module if is_table else f"{module}/{variable}"
