"""Write models of other families as tf2onnx does, with transformers' names."""

import pathlib
import tempfile
from typing import TYPE_CHECKING

import keras

from tfminilm.export.graph.mobile_graph import HIDDEN_STATES
from tfminilm.export.onnx_graph.encoder import IDS, MASK, SEGMENTS
from tfminilm.export.onnx_graph.graph import DIMENSIONS, PRODUCER
from tfminilm.export.onnx_graph.heads import LOGITS, SPANS
from tfminilm.export.server import onnx as by_tf2onnx
from tfminilm.tasks.head_models import gives_several_labels

if TYPE_CHECKING:
    import onnx

STATES = "last_hidden_state"
# What transformers calls Keras' inputs and outputs.
INPUTS = {"token_ids": IDS, "padding_mask": MASK, "segment_ids": SEGMENTS}
OUTPUTS = {
    "sequence_output": STATES,
    "logits": LOGITS,
    "token_logits": LOGITS,
} | {name: name for name in SPANS}


def build(model: keras.Model) -> "onnx.ModelProto":
    """Return a model with the inputs and outputs of `model.build`.

    Args:
        model: an encoder, one with a head, or one of all hidden states.
    """
    proto = by_tf2onnx.traced(model)
    graph = proto.graph
    names = {
        x.name: OUTPUTS.get(x.name, x.name)
        for x in graph.output
        if x.name in OUTPUTS or x.name.startswith(HIDDEN_STATES)
    }
    is_classifier = "logits" in names and hasattr(model, "num_classes")
    if is_classifier and gives_several_labels(model):
        _leave_out_sigmoid(graph)
    _rename_outputs(graph, names)
    _rename_inputs(graph)
    _drop_unused(graph)
    proto = _folded(proto)
    proto.producer_name = PRODUCER
    return proto


def _folded(proto: "onnx.ModelProto") -> "onnx.ModelProto":
    """Compute what depends on constants alone, such as reshaped weights."""
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "folded.onnx")
        options.optimized_model_filepath = str(path)
        onnxruntime.InferenceSession(
            proto.SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
        )
        return onnx.load(path)


def _rename_inputs(graph: "onnx.GraphProto") -> None:
    """Read int64 inputs, and cast them to what the graph reads."""
    from onnx import TensorProto, helper

    casts = []
    for value in list(graph.input):
        name = INPUTS[value.name]
        casts.append(
            helper.make_node(
                "Cast",
                [name],
                [value.name],
                f"{name}_int32",
                to=TensorProto.INT32,
            )
        )
        graph.input.remove(value)
        graph.input.append(
            helper.make_tensor_value_info(name, TensorProto.INT64, DIMENSIONS)
        )
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _rename_outputs(graph: "onnx.GraphProto", names: dict[str, str]) -> None:
    """Give the outputs of `names` under other names, and no others."""
    from onnx import helper

    for value in list(graph.output):
        graph.output.remove(value)
        if value.name not in names:
            continue
        new = names[value.name]
        if new != value.name:
            # The producer's own output keeps its name.
            graph.node.append(
                helper.make_node("Identity", [value.name], [new], f"give_{new}")
            )
            value.name = new
        graph.output.append(value)


def _leave_out_sigmoid(graph: "onnx.GraphProto") -> None:
    """Let the node of the logits pass on what the sigmoid in front reads."""
    by_output = {name: node for node in graph.node for name in node.output}
    node = by_output["logits"]
    while node.op_type == "Identity":
        node = by_output[node.input[0]]
    assert node.op_type == "Sigmoid", node.op_type
    node.op_type = "Identity"


def _drop_unused(graph: "onnx.GraphProto") -> None:
    """Leave out nodes and constants that no output needs."""
    needed = {value.name for value in graph.output}
    nodes = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            nodes.append(node)
    constants = [x for x in graph.initializer if x.name in needed]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(reversed(nodes))
    graph.initializer.extend(constants)
