"""Write a model as ONNX, with the inputs and outputs that transformers has."""

from typing import TYPE_CHECKING

import keras

from tfminilm import families
from tfminilm.export.check.worst_layer import hidden_states
from tfminilm.export.graph import weights
from tfminilm.export.graph.mobile_graph import HIDDEN_STATES
from tfminilm.export.onnx_graph import heads, traced
from tfminilm.export.onnx_graph.encoder import IDS, MASK, SEGMENTS, encode
from tfminilm.export.onnx_graph.graph import DIMENSIONS, Graph, Shape
from tfminilm.export.onnx_graph.traced import STATES

if TYPE_CHECKING:
    import onnx


def build(model: keras.Model, all_states: bool = False) -> "onnx.ModelProto":
    """Return a model in float32, any batch and any length.

    Args:
        model: a backbone, or a model of `tasks.heads.build_head` on one.
        all_states: whether it gives all hidden states, named as
            `MobileGraph` does, in place of its outputs.

    Returns:
        A model of int64 `[batch, length]` inputs, those of `input_ids`,
        `attention_mask` and `token_type_ids` that the backbone reads. It
        gives `last_hidden_state`, or a head's `logits`, without a sigmoid
        of several labels, or `start_logits` and `end_logits`.
    """
    backbone = getattr(model, "backbone", model)
    family = families.of_backbone(backbone)
    if family is None or family.mobile_graph != "post_norm":
        return traced.build(hidden_states(model) if all_states else model)
    graph = Graph()
    states = encode(graph, weights.read_encoder(backbone))
    shape: Shape = [*DIMENSIONS, backbone.hidden_dim]
    outputs: heads.Outputs
    if all_states:
        outputs = {
            f"{HIDDEN_STATES}_{index}": (state, shape)
            for index, state in enumerate(states)
        }
    elif model is backbone:
        outputs = {STATES: (states[-1], shape)}
    else:
        outputs = heads.answer(graph, model, states[-1])
    inputs = [IDS, MASK]
    if "segment_ids" in backbone.input:
        inputs.append(SEGMENTS)
    return graph.model(inputs, outputs)
