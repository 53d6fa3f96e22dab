"""ModernBERT: rotary positions, local attention, gates and no biases."""

import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tfminilm.families import post_norm
from tfminilm.families.family import (
    Exposure,
    Family,
    HuggingFace,
    Reader,
    Tokens,
)
from tfminilm.families.modernbert.build import modernbert

if TYPE_CHECKING:
    import keras

    from tfminilm.typing import Tensor, Tokenizer


def _exposure() -> Exposure:
    from tfminilm.layers.gated import GatedEncoder
    from tfminilm.layers.gated_parts import ExposedGated, GatedParts

    return Exposure(GatedEncoder, ExposedGated, GatedParts)


def _masked_lm() -> type:
    from tfminilm.families.modernbert.model import ModernBertMaskedLM

    return ModernBertMaskedLM


def _tokenizer() -> type:
    from tfminilm.families.modernbert.tokenizer import ModernBertTokenizer

    return ModernBertTokenizer


def _read_tokenizer(folder: pathlib.Path) -> "Tokenizer":
    from tfminilm.families.modernbert import tokenizer

    return tokenizer.read(folder)


def _text_classifier() -> type:
    from tfminilm.families.modernbert.classifier import (
        ModernBertTextClassifier,
    )

    return ModernBertTextClassifier


def _head_states(backbone: "keras.Model") -> Callable[["Tensor"], Any]:
    from tfminilm.families.modernbert.classifier import head_states

    return head_states(backbone)


def _flops(backbone: "keras.Model", length: int) -> int:
    """Count what is computed: local layers multiply all pairs of tokens too."""
    hidden = backbone.hidden_dim
    dense = 4 * hidden * hidden + 3 * hidden * backbone.intermediate_dim
    attention = 2 * length * hidden
    return 2 * length * backbone.num_layers * (dense + attention)


def _reader() -> Reader:
    from tfminilm.families.modernbert import hugging_face

    return hugging_face


def _contents(
    names: None, backbone: "keras.Model"
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a folder's settings and its layers by PyTorch's modules."""
    from tfminilm.families.modernbert import hugging_face

    modules = dict(hugging_face.modules_of(backbone))
    return hugging_face.settings_of(backbone), modules


def _masked_lm_layers(family: Family, model: "keras.Model") -> dict[str, Any]:
    """Return the layers of a head for masked words by PyTorch's modules."""
    from tfminilm.families.modernbert import hugging_face

    return hugging_face.masked_lm_layers(model)


# In front of the logits of each head.
_HEAD = {"head_dense": "head.dense", "head_norm": "head.norm"}
FAMILY = Family(
    name="modernbert",
    title="ModernBERT",
    backbone="ModernBertBackbone",
    tokens=Tokens(
        "ModernBertTokenizer",
        50_368,
        own_class=_tokenizer,
        read=_read_tokenizer,
        or_words=True,
    ),
    students={"modernbert": modernbert},
    arguments=post_norm.arguments,
    exposure=_exposure,
    masked_lm=_masked_lm,
    text_classifier=_text_classifier,
    head_states=_head_states,
    hugging_face=HuggingFace(
        "modernbert",
        "ModernBert",
        reader=_reader,
        contents=_contents,
        masked_lm=_masked_lm_layers,
        base="model.",
        classifier=_HEAD | {"logits": "classifier"},
        classifier_dropout=("classifier_dropout",),
        classifier_pooling="classifier_pooling",
        spans=_HEAD | {"span_logits": "classifier"},
        spans_dropout="classifier_dropout",
        tokens=_HEAD | {"token_classifier": "classifier"},
    ),
    mobile_graph="gated",
    flops=_flops,
)
