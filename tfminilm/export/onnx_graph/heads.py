"""Write tasks' heads, as `export.graph.heads` does for phones."""

from typing import TypeAlias

import keras
import keras_hub

from tfminilm.export.graph import heads, weights
from tfminilm.export.onnx_graph.encoder import (
    HIDDEN,
    MASK,
    activate,
    dense,
    normalise,
)
from tfminilm.export.onnx_graph.graph import DIMENSIONS, Graph, Shape
from tfminilm.tasks.head_models import (
    SpanFinder,
    TokenClassifier,
    gives_several_labels,
)

LOGITS = "logits"
SPANS = ("start_logits", "end_logits")

# By its name the value and the shape of an output.
Outputs: TypeAlias = dict[str, tuple[str, Shape]]


def answer(graph: Graph, head: keras_hub.models.Task, states: str) -> Outputs:
    """Add a head on the last states, and return its outputs.

    Raises:
        UserError: one of its activations is not known here.
    """
    is_pooled = heads.is_on_pooler(head)
    parts = heads.parts(head)
    if isinstance(head, SpanFinder):
        return _spans(graph, _run(graph, parts, states))
    if isinstance(head, TokenClassifier):
        shape: Shape = [*DIMENSIONS, head.num_classes]
        return {LOGITS: (_run(graph, parts, states), shape)}
    x = graph.add("Gather", states, graph.index(0), axis=1)
    if is_pooled:
        x = _pool(graph, head.backbone, x)
    if gives_several_labels(head):  # Whoever reads it knows.
        parts[-1] = parts[-1]._replace(activation="linear")
    shape = [DIMENSIONS[0], head.num_classes]
    return {LOGITS: (_run(graph, parts, x), shape)}


def _run(graph: Graph, parts: list[heads.Part], x: str) -> str:
    for name, layer, activation in parts:
        if isinstance(layer, weights.Norm):
            x = normalise(graph, layer, x, name)
        else:
            x = activate(graph, activation, dense(graph, layer, x, name))
    return x


def _pool(graph: Graph, backbone: keras.Model, first: str) -> str:
    pooler = weights.dense(backbone.pooled_dense, backbone.hidden_dim)
    return graph.add("Tanh", dense(graph, pooler, first, "pooler"))


def _spans(graph: Graph, logits: str) -> Outputs:
    """Take the two scores of each token apart; padding gets a low value."""
    mask = graph.add("Cast", MASK, to=1)
    mask = graph.add("Sub", graph.number(1), mask)
    mask = graph.add("Mul", mask, graph.number(HIDDEN))
    outputs: Outputs = {}
    for index, name in enumerate(SPANS):
        side = graph.add("Gather", logits, graph.index(index), axis=2)
        outputs[name] = graph.add("Add", side, mask), list(DIMENSIONS)
    return outputs
