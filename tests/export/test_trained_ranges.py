"""A file's scales are those that its model was trained with."""

import json

import numpy as np
import pytest

from tfminilm import students
from tfminilm.errors import UserError
from tfminilm.export.litert import flatbuffer, trained_ranges
from tfminilm.export.litert.convert import convert
from tfminilm.private.encoders import encoder_parts

BOUNDS = {"outputs": [-3.0, 2.1]}


@pytest.fixture(scope="module")
def backbone(make_backbone):
    return make_backbone(num_layers=1)


def scales(content):
    """The scale and zero of what each layer writes."""
    read = flatbuffer.read(content)
    (graph,) = read.subgraphs
    found = {}
    for operator in graph.operators:
        if flatbuffer.operator_name(read, operator) == "FULLY_CONNECTED":
            matrix = graph.tensors[operator.inputs[1]]
            name = matrix.name.decode().rpartition("/")[0]
            grid = graph.tensors[operator.outputs[0]].quantization
            found[name] = float(grid.scale[0]), grid.zeroPoint[0]
    return found


def test_scales_of_the_file(backbone, make_batch, tmp_path):
    names = ("query", "feedforward_output_dense")
    content = {f"layer_0/{name}": BOUNDS for name in names}
    (tmp_path / "ranges.json").write_text(json.dumps(content))
    known = trained_ranges.load(tmp_path, backbone)

    def scales_with(ranges):
        return scales(
            convert(
                backbone, "static_wi8_ai8", (8,), ("sequence_output",),
                batch=lambda length: make_batch([length, 5], length),
                ranges=ranges,
            )
        )  # fmt: skip

    measured, found = scales_with(None), scales_with(known)
    # -3 to 2.1 in 255 steps; a query's by the root of its width.
    written = found["layer_0/feedforward"]
    assert written == (pytest.approx(5.1 / 255), -128 + 150)
    root = np.sqrt(backbone.hidden_dim / backbone.num_heads)
    assert found["layer_0/query"][0] == pytest.approx(5.1 / 255 / root)
    assert found["layer_0/intermediate"] == measured["layer_0/intermediate"]
    for name in ("query", "feedforward"):
        assert found[f"layer_0/{name}"] != measured[f"layer_0/{name}"]


def test_units_of_the_file(backbone, make_batch, tmp_path):
    units = np.arange(1, 33, dtype="float32")
    content = {"layer_0/feedforward_output_dense": BOUNDS | {"units": [*units]}}
    (tmp_path / "ranges.json").write_text(json.dumps(content, default=float))
    kernel = encoder_parts(backbone.transformer_layers[0]).output.kernel

    def column_scales(ranges):
        content = convert(
            backbone, "static_wi8_ai8", (8,), ("sequence_output",),
            batch=lambda length: make_batch([length, 5], length), ranges=ranges,
        )  # fmt: skip
        (graph,) = flatbuffer.read(content).subgraphs
        return next(
            np.array(tensor.quantization.scale)
            for tensor in graph.tensors
            if tensor.name.startswith(b"layer_0/feedforward/")
            and list(tensor.shape) == [32, 64]
        )

    found = column_scales(trained_ranges.load(tmp_path, backbone))
    largest = np.abs(np.array(kernel)).max(0)
    np.testing.assert_allclose(found, largest / 127 / units, rtol=1e-5)


def test_a_model_without_ranges(backbone, tmp_path):
    assert trained_ranges.load(tmp_path, backbone) == {}
    content = {"layer_0/bottleneck_input": BOUNDS}
    (tmp_path / "ranges.json").write_text(json.dumps(content))
    assert trained_ranges.load(tmp_path, backbone) == {}


def test_heads_of_a_mobilebert_are_of_its_bottleneck(tmp_path):
    model = students.mobilebert(
        num_layers=1, hidden_dim=32, bottleneck_dim=8, num_heads=2,
        intermediate_dim=16, embedding_dim=8, vocabulary_size=20,
    )  # fmt: skip
    content = {f"layer_0/{name}": BOUNDS for name in ("query", "key", "dense")}
    (tmp_path / "ranges.json").write_text(json.dumps(content))
    found = trained_ranges.load(tmp_path, model)
    assert set(found) == {"layer_0/query", "layer_0/key"}
    # Two heads share 8 numbers.
    assert found["layer_0/query"].low == -3 / 2
    assert found["layer_0/key"].low == -3


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{",
        '{"layer_0/query": {}}',
        '{"layer_0/query": {"outputs": [1, 2]}}',
        '{"layer_0/query": {"outputs": [0, NaN]}}',
        '{"layer_0/query": {"outputs": [0]}}',
        '{"layer_0/key": {"outputs": [0, 1], "units": [1, 2]}}',
    ],
)
def test_damaged_ranges(backbone, tmp_path, content):
    (tmp_path / "ranges.json").write_text(content)
    with pytest.raises(UserError, match=r"ranges\.json .*[;:] remove it"):
        trained_ranges.load(tmp_path, backbone)
