"""Give an IB-BERT what it can take from a BERT of the same depth."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tfminilm.errors import UserError
from tfminilm.layers.bottleneck import BottleneckEncoder
from tfminilm.layers.no_norm import NoNorm
from tfminilm.private.encoders import encoder_parts


def pairs_from_bert(
    student: keras.Model,
    teacher: keras.Model,
    layers: Sequence[tuple[BottleneckEncoder, Any]],
) -> list[tuple[Any, np.ndarray]]:
    """Pair the weights that both have, and that are as large in both.

    An IB-BERT whose bottleneck is as wide as a BERT's states has that BERT's
    inside: the attention's output and the feed-forward block, with their
    norms. Its queries, keys and values read narrower states, and its
    embeddings are narrower, so that these fit only where the widths agree; a
    BERT has no bottlenecks at all.

    Args:
        student: an IB-BERT.
        teacher: a BERT.
        layers: layers of the one, and of the other.

    Returns:
        Each weight of the student's with the value that it takes.

    Raises:
        UserError: nothing of its layers fits.
    """
    parts = [part for pair in layers for part in _layer(*pair)]
    pairs = _all_fitting(parts)
    if not pairs:
        raise UserError(
            f"nothing of the layers of {teacher.name} fits {student.name}: "
            "expected a bottleneck_dim and an intermediate_dim that are its "
            "hidden_dim and its intermediate_dim"
        )
    return _all_fitting(_embeddings(student, teacher)) + pairs


def _embeddings(
    student: keras.Model, teacher: keras.Model
) -> list[tuple[Any, Any]]:
    names = {
        "token_embedding": "token_embedding",
        "position_embedding": "position_embedding",
        "segment_embedding": "segment_embedding",
        "embeddings_norm": "embeddings_layer_norm",
        "pooled_dense": "pooled_dense",
    }
    return [
        (getattr(student, name, None), getattr(teacher, other, None))
        for name, other in names.items()
    ]


def _layer(
    layer: BottleneckEncoder, source: keras.layers.Layer
) -> list[tuple[Any, Any]]:
    attention, block = encoder_parts(source).attention, layer.feedforwards[0]
    return [
        (layer.projections["queries"], attention.query_dense),
        (layer.projections["keys"], attention.key_dense),
        (layer.projections["values"], attention.value_dense),
        (layer.attention_output.dense, attention.output_dense),
        (layer.attention_output.norm, encoder_parts(source).attention_norm),
        (block.intermediate, encoder_parts(source).intermediate),
        (block.output_dense.dense, encoder_parts(source).output),
        (block.output_dense.norm, encoder_parts(source).feedforward_norm),
    ]


def _all_fitting(
    parts: Sequence[tuple[Any, Any]],
) -> list[tuple[Any, np.ndarray]]:
    return [pair for layer, source in parts for pair in _fitting(layer, source)]


def _fitting(
    layer: keras.layers.Layer, source: keras.layers.Layer
) -> list[tuple[Any, np.ndarray]]:
    """Pair all weights of a layer with the teacher's, or none of them."""
    if layer is None or source is None or isinstance(layer, NoNorm):
        return []
    pairs = []
    weights = zip(layer.weights, source.weights, strict=True)
    for weight, teacher_weight in weights:
        value = keras.ops.convert_to_numpy(teacher_weight)
        if layer.name == "position_embedding":
            value = value[: weight.shape[0]]
        # The teacher's split the heads: on one side a kernel is as it was.
        is_alike = value.size == np.prod(weight.shape)
        if len(weight.shape) > 1:
            sides = {value.shape[0], value.shape[-1]}
            is_alike &= bool(sides & {*weight.shape})
        if not is_alike:
            return []
        pairs.append((weight, value.reshape(weight.shape)))
    return pairs
