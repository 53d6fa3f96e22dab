"""Integers in a file: which, where, how exact, and what is refused."""

import numpy as np
import pytest

from tfminilm.errors import UserError
from tfminilm.export.graph.mobile_graph import MobileGraph
from tfminilm.export.litert import flatbuffer, profile, quantize
from tfminilm.export.litert.convert import convert
from tfminilm.export.litert.runner import LiteRTEncoder
from tfminilm.private.encoders import encoder_parts

# Of the schema's TensorType.
_BYTES = {0: "float32", 9: "int8", 17: "int4"}


@pytest.fixture(scope="module")
def model(float_file):
    return float_file.read_bytes()


@pytest.fixture(scope="module")
def batch(make_batch):
    return lambda length: make_batch([length, 5, 3, 2, 1, length], length)


@pytest.fixture(scope="module")
def rounded(model, batch, tmp_path_factory):
    """Writes the file in one precision, once; returns its path."""
    folder = tmp_path_factory.mktemp("rounded")

    def write(precision, **own):
        path = folder / f"{precision}{len(own)}.tflite"
        if not path.exists():
            plan = quantize.plan(quantize.layers(model), precision, own)
            path.write_bytes(quantize.quantize(model, plan, batch))
        return path

    return write


def kinds(path):
    """The types of the dense layers' matrices, by the layers' names."""
    read = flatbuffer.read(path)
    found = {}
    for graph in read.subgraphs:
        for operator in graph.operators:
            if flatbuffer.operator_name(read, operator) == "FULLY_CONNECTED":
                tensor = graph.tensors[operator.inputs[1]]
                name = tensor.name.decode().rpartition("/")[0]
                found.setdefault(name, set()).add(_BYTES[tensor.type])
    return {
        name: types.pop() for name, types in found.items() if len(types) < 2
    }


def scalars(read):
    """The scales of tensors that have one each."""
    found = [t.quantization for g in read.subgraphs for t in g.tensors]
    return [x for x in found if x and x.scale is not None and len(x.scale) == 1]


def cosine(float_file, path):
    ids = np.arange(20) * 3 % 100
    one, two = (
        LiteRTEncoder(file)(ids)["sequence_output"][0]
        for file in (float_file, path)
    )
    norms = np.linalg.norm(one, axis=-1) * np.linalg.norm(two, axis=-1)
    return ((one * two).sum(-1) / norms).min()


def test_layers_are_named_as_the_model_has_them(model):
    found = quantize.layers(model)
    parts = (
        "query",
        "key",
        "value",
        "attention_output",
        "intermediate",
        "feedforward",
    )
    names = {f"layer_{i}/{part}" for i in range(2) for part in parts}
    assert set(found) == {"tokens", "pooler"} | names
    assert found["tokens"].parameters == 100 * 32
    assert found["layer_1/feedforward"].parameters == 64 * 32
    assert all(len(layer.uses) == 2 for layer in found.values())


@pytest.mark.parametrize(
    ("precision", "kind", "least"),
    [
        ("dynamic_wi8_afp32", "int8", 0.999),
        ("dynamic_wi4_afp32", "int4", 0.9),
        ("weight_only_wi8_afp32", "int8", 0.999),
        ("static_wi8_ai8", "int8", 0.98),
    ],
)
def test_precisions(rounded, float_file, precision, kind, least):
    path = rounded(precision)
    types = kinds(path) if "weight_only" not in precision else None
    if types is not None:
        assert set(types.values()) == {kind}
        assert len(types) == 13
    assert profile.custom_operators(path) == []
    assert least < cosine(float_file, path) < 1
    found = profile.partitions(path)
    assert found == {"encode_8": 1, "encode_32": 1}


def test_weights_alone_are_more_exact_than_what_rounds_activations(
    rounded, float_file
):
    exact = cosine(float_file, rounded("weight_only_wi8_afp32"))
    assert exact > cosine(float_file, rounded("dynamic_wi8_afp32"))
    assert exact > cosine(float_file, rounded("static_wi8_ai8"))


def test_single_layers(rounded, float_file):
    own = {"tokens": "dynamic_wi4_afp32", "layer_1/*": "float32"}
    own["layer_1/query"] = "dynamic_wi4_afp32"
    path = rounded("dynamic_wi8_afp32", **own)
    types = kinds(path)
    assert types["layer_1/query"] == "int4"
    assert types["layer_0/query"] == types["pooler"] == "int8"
    assert types["layer_1/feedforward"] == "float32"
    assert cosine(float_file, path) > 0.95


def test_the_longest_pattern_counts():
    known = dict.fromkeys(("a/x", "a/y", "b/x"), quantize.Layer(1, ()))
    own = {"a/x": "three", "*": "one", "*/x": "two"}
    assert quantize.plan(known, "none", own) == {
        "a/x": "three",
        "a/y": "one",
        "b/x": "two",
    }
    assert set(quantize.plan(known, "none", {}).values()) == {"none"}


def test_equal_scales_are_written_once(make_backbone):
    """A second signature adds no second set of a layer's scales."""
    backbone = make_backbone(num_layers=1, intermediate_dim=3000)
    sizes = [
        len(convert(backbone, "dynamic_wi8_afp32", lengths, ("pooled_output",)))
        for lengths in ((4,), (4, 5))
    ]
    # 12 bytes an output; what the second graph adds of its own is less.
    assert sizes[1] - sizes[0] < 0.7 * 12 * 3000


def test_equal_scales_of_other_zeros_are_kept_apart(rounded):
    read = flatbuffer.read(rounded("static_wi8_ai8"))
    for scales in scalars(read):
        scales.scale = np.ones(1, np.float32)
    zeros = [int(scales.zeroPoint[0]) for scales in scalars(read)]
    assert len(set(zeros)) > 1
    flatbuffer.share_scales(read)
    found = scalars(flatbuffer.read(flatbuffer.write(read)))
    assert [int(scales.zeroPoint[0]) for scales in found] == zeros


def test_one_float_precision_changes_nothing(model):
    plan = dict.fromkeys(quantize.layers(model), "float32")
    assert quantize.quantize(model, plan) is model


def test_bad_requests(model, backbone):
    plan = dict.fromkeys(quantize.layers(model), "static_wi8_ai8")
    with pytest.raises(UserError, match="measures its scales on sentences"):
        quantize.quantize(model, plan)
    with pytest.raises(UserError, match=r"no layer is named 'layer_9/.*tokens"):
        convert(
            backbone,
            "dynamic_wi8_afp32",
            (4,),
            layers={"layer_9/*": "dynamic_wi4_afp32"},
        )


def test_a_scale_holds_what_any_sentence_reaches(
    rounded, backbone, batch, run_graph
):
    graph = MobileGraph(backbone, ("keys",))
    keys = [run_graph(graph, batch(length))["keys"] for length in (8, 32)]
    read = flatbuffer.read(rounded("static_wi8_ai8"))
    for signature, found in zip(("encode_8", "encode_32"), keys, strict=True):
        graph = read.subgraphs[flatbuffer.signatures(read)[signature]]
        (scale,) = next(
            graph.tensors[operator.outputs[0]].quantization.scale
            for operator in graph.operators
            if flatbuffer.operator_name(read, operator) == "FULLY_CONNECTED"
            and b"layer_1/key" in graph.tensors[operator.inputs[1]].name
        )
        reach = found.max() - found.min()
        assert scale == pytest.approx(reach / 255, rel=1e-4)


def test_a_channel_that_reaches_far_does_not_coarsen_the_others(
    make_backbone, batch, tmp_path, monkeypatch
):
    backbone = make_backbone(num_layers=1)
    layer = backbone.transformer_layers[0]
    bias = encoder_parts(layer).output.bias
    bias.assign(np.where(np.arange(32) == 5, 200, np.array(bias)))

    def states(precision):
        path = tmp_path / "model.tflite"
        path.write_bytes(
            convert(
                backbone, precision, (8,), ("sequence_output",), batch=batch
            )
        )
        found = LiteRTEncoder(path)(np.arange(8) * 3 % 100)["sequence_output"]
        return np.delete(found[0], 5, axis=1)

    exact = states("float32")
    error = np.abs(states("static_wi8_ai8") - exact).mean()
    monkeypatch.setattr(MobileGraph, "equalize_channels", lambda *_: None)
    assert error < 0.5 * np.abs(states("static_wi8_ai8") - exact).mean()
