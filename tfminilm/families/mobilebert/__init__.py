"""MobileBERT, and IB-BERT, its teacher: BERT with bottlenecks."""

import math
from typing import TYPE_CHECKING, Any

from tfminilm.families.bert import WORD_PIECES
from tfminilm.families.family import (
    Exposure,
    Family,
    HuggingFace,
    Reader,
    StudentShape,
)
from tfminilm.families.mobilebert import build

if TYPE_CHECKING:
    import keras

# What attention reads in a layer with a bottleneck: two architectures are
# called MobileBERT, and their counts differ.
_READINGS = {
    "shared": (
        "released checkpoint: queries and keys share a bottleneck {inner} "
        "wide, values read the layer's input, {outer} wide"
    ),
    "block": (
        "paper's table: queries, keys and values read the layer's input, "
        "{outer} wide"
    ),
    "bottleneck": (
        "MobileBERT-tiny: queries, keys and values read the bottleneck, "
        "{inner} wide"
    ),
}


def _arguments(shape: StudentShape, pairs: bool) -> dict[str, Any]:
    """Return what the students' functions take; 0 and "" are the paper's."""
    chosen = {
        "num_feedforwards": shape.num_feedforwards,
        "attention_input": shape.attention_input,
    }
    # As published, MobileBERT drops nothing else, and its teacher does.
    drops_states = shape.kind == "ib_bert"
    return {
        "num_layers": shape.num_layers,
        "hidden_dim": shape.hidden_dim,
        "num_heads": shape.num_heads,
        "bottleneck_dim": shape.bottleneck_dim,
        "intermediate_dim": shape.intermediate_dim,
        "embedding_dim": shape.embedding_dim,
        "max_sequence_length": shape.max_sequence_length,
        "attention_dropout": shape.dropout,
        "dropout": shape.dropout if drops_states else 0.0,
        **{name: value for name, value in chosen.items() if value},
    }


def _exposure() -> Exposure:
    from tfminilm.layers.bottleneck import BottleneckEncoder
    from tfminilm.layers.bottleneck_parts import (
        BottleneckParts,
        ExposedBottleneck,
    )

    return Exposure(BottleneckEncoder, ExposedBottleneck, BottleneckParts)


def _masked_lm() -> type:
    from tfminilm.families.mobilebert.model import MobileBertMaskedLM

    return MobileBertMaskedLM


def _flops(backbone: "keras.Model", length: int) -> int:
    attention = 2 * length * backbone.bottleneck_dim * backbone.num_layers
    dense = sum(
        math.prod(weight.shape)
        for layer in (
            backbone.embeddings_projection,
            *backbone.transformer_layers,
        )
        for weight in layer.weights
        if weight.name == "kernel"
    )
    return 2 * length * (dense + attention)


def _reading(backbone: "keras.Model") -> str:
    return _READINGS[backbone.attention_input].format(
        inner=backbone.bottleneck_dim, outer=backbone.hidden_dim
    )


def _reader() -> Reader:
    from tfminilm.families.mobilebert import hugging_face

    return hugging_face


def _contents(
    names: None,
    backbone: "keras.Model",
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a folder's settings and its layers by PyTorch's modules."""
    from tfminilm.families.mobilebert import hugging_face

    modules = dict(hugging_face.modules_of(backbone))
    return hugging_face.settings_of(backbone), modules


def _masked_lm_layers(family: Family, model: "keras.Model") -> dict[str, Any]:
    """Return the layers of a head for masked words by PyTorch's modules."""
    from tfminilm.families.mobilebert import masked_lm_layers

    return masked_lm_layers.of(model)


FAMILY = Family(
    name="mobilebert",
    title="MobileBERT",
    backbone="MobileBertBackbone",
    tokens=WORD_PIECES,
    students={
        "ib_bert": build.ib_bert,
        "mobilebert": build.mobilebert,
        "mobilebert_tiny": build.mobilebert_tiny,
        "mobilebert_without_opt": build.mobilebert_without_opt,
    },
    arguments=_arguments,
    split_width="bottleneck_dim",
    exposure=_exposure,
    masked_lm=_masked_lm,
    predicts_next_sentence=True,
    hugging_face=HuggingFace(
        "mobilebert",
        "MobileBert",
        reader=_reader,
        reads_tf1=True,
        contents=_contents,
        masked_lm=_masked_lm_layers,
        has_zero_padding=True,
        decoder="cls.predictions.decoder",
        classifier={
            "pooled_dense": "mobilebert.pooler.dense",
            "logits": "classifier",
        },
    ),
    mobile_graph="bottleneck",
    flops=_flops,
    reading=_reading,
)
