"""What files say of the runtimes that they need."""

import pytest

from tfminilm.export.litert import flatbuffer, quantize, runtimes
from tfminilm.export.litert.convert import convert
from tfminilm.tasks.heads import FirstTokenClassifier

# Precision: tensorflow-lite, ai-edge-litert, and the file's own statement.
NEEDS = {
    "float32": ("2.14.0", "1.0.1", "2.14.0"),
    "float16": ("2.14.0", "1.0.1", "2.14.0"),
    "weight_only_wi8_afp32": ("2.14.0", "1.0.1", "2.14.0"),
    "static_wi8_ai8": ("2.14.0", "1.0.1", "2.14.0"),
    "dynamic_wi8_afp32": ("2.16.1", "1.0.1", "2.16.1"),
    "dynamic_wi4_afp32": (None, "1.1.2", "2.19.1"),
}
# The versions of FULLY_CONNECTED that TensorFlow Lite knows.
KNOWN = {"2.14.0": 10, "2.16.1": 11}


def version_of(read):
    """The file's own `min_runtime_version`."""
    (entry,) = (x for x in read.metadata if x.name == b"min_runtime_version")
    content = bytes(read.buffers[entry.buffer].data)
    assert len(content) == 16
    return content.rstrip(b"\0").decode()


def products(read):
    """The dense layers: their versions, and whether they read float32."""
    for graph in read.subgraphs:
        for operator in graph.operators:
            if flatbuffer.operator_name(read, operator) == "FULLY_CONNECTED":
                code = read.operatorCodes[operator.opcodeIndex]
                given, matrix, *_ = (graph.tensors[i] for i in operator.inputs)
                is_mixed = given.type == 0 and matrix.type != 0
                yield operator, code.version, is_mixed


@pytest.mark.parametrize("precision", NEEDS)
def test_every_precision(precision, file_of):
    tflite, litert, core = NEEDS[precision]
    path = file_of(precision)
    wanted = {"tensorflow-lite": tflite, "ai-edge-litert": litert}
    assert runtimes.oldest(path) == wanted
    read = flatbuffer.read(path)
    assert version_of(read) == core
    for _, version, _ in products(read):
        for runtime, most in KNOWN.items():
            # A runtime that is wrong refuses the file.
            is_right = tflite is not None and runtime >= tflite
            assert (version <= most) == is_right


@pytest.mark.parametrize("precision", NEEDS)
def test_inputs_of_integer_products_are_rounded_unevenly(precision, file_of):
    """Or 2.16.1 leaves the weights' scales out on arm64."""
    for operator, _, is_mixed in products(flatbuffer.read(file_of(precision))):
        assert operator.builtinOptions.asymmetricQuantizeInputs == is_mixed


def test_one_layer_decides(float_file):
    model = float_file.read_bytes()
    known = quantize.layers(model)

    def oldest(**own):
        plan = quantize.plan(known, "float32", own)
        return runtimes.oldest(quantize.quantize(model, plan))

    # A table is read by operators that all runtimes know.
    assert oldest(tokens="dynamic_wi4_afp32")["tensorflow-lite"] == "2.14.0"
    assert oldest(pooler="dynamic_wi8_afp32")["tensorflow-lite"] == "2.16.1"
    own = {"pooler": "dynamic_wi8_afp32", "layer_0/key": "dynamic_wi4_afp32"}
    assert oldest(**own) == {"tensorflow-lite": None, "ai-edge-litert": "1.1.2"}


def test_in_words():
    known = {"tensorflow-lite": None, "ai-edge-litert": "1.1.2"}
    assert runtimes.needed(known) == "ai-edge-litert 1.1.2 or newer"


def test_a_single_output_keeps_eight_bits(make_backbone, randomise):
    """LiteRT 1.1.2 and 1.2 refuse 4 bits with a single scale."""
    model = FirstTokenClassifier(make_backbone(num_layers=1), 1)
    content = convert(randomise(model), "dynamic_wi4_afp32", (4,))
    read = flatbuffer.read(content)
    (graph,) = read.subgraphs
    types = {
        tuple(graph.tensors[operator.inputs[1]].shape): graph.tensors[
            operator.inputs[1]
        ].type
        for operator, _, _ in products(read)
    }
    assert types[1, 32] == 9  # INT8 in the schema
    assert types[64, 32] == 17  # INT4
