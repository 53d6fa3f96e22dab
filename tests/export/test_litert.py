"""The files: builtin operators, one partition, int8 weights, shared."""

import numpy as np
import pytest

from tfminilm.errors import UserError
from tfminilm.export.graph import mobile_graph
from tfminilm.export.litert import flatbuffer, profile
from tfminilm.export.litert.convert import convert
from tfminilm.export.litert.runner import LiteRTEncoder

MEAN = ("sentence_embedding",)


@pytest.mark.parametrize(
    ("file", "lookups", "gathers"), [("float_file", 1, 0), ("int8_file", 0, 2)]
)
def test_graph(file, lookups, gathers, request):
    path = request.getfixturevalue(file)
    assert profile.custom_operators(path) == []
    for used in profile.operators(path).values():
        assert not set(used) & {"SELECT", "SELECT_V2", "DEQUANTIZE"}
        assert used["EMBEDDING_LOOKUP"] == lookups
        assert used["GATHER"] == gathers
        # One cast for the mask, one for the segments, one for integer rows.
        assert used["CAST"] == 2 + gathers / 2
        assert used["GELU"] == used["SOFTMAX"] == 2
        assert used["FULLY_CONNECTED"] == 2 * 6 + 1


@pytest.mark.parametrize("file", ["float_file", "int8_file"])
def test_one_partition(file, request):
    found = profile.partitions(request.getfixturevalue(file))
    assert found == {"encode_8": 1, "encode_32": 1}


def test_a_float16_table_is_never_widened_as_a_whole(half_file):
    """It would lie in memory twice more, and the graph fall apart."""
    read = flatbuffer.read(half_file)
    (graph,) = read.subgraphs
    made = {tuple(graph.tensors[x.outputs[0]].shape) for x in graph.operators}
    assert (100, 32) in {tuple(tensor.shape) for tensor in graph.tensors}
    assert (100, 32) not in made
    assert profile.partitions(half_file) == {"encode_8": 1}


def test_float16_stays_near(half_file, make_backbone, make_batch, run):
    batch = make_batch([6], 8)
    wanted = run(make_backbone(num_layers=1), batch)
    got = LiteRTEncoder(half_file)(**{k: v[0] for k, v in batch.items()})
    differences = np.abs(got["pooled_output"] - wanted["pooled_output"])
    assert 0 < differences.max() < 0.01


def test_the_mask_is_added_once_per_layer_and_made_once(float_file):
    """Subtractions: one a norm, and one for the mask of all layers."""
    for used in profile.operators(float_file).values():
        assert used["SUB"] == 2 * 2 + 1 + 1


def test_int8_weights_per_channel(int8_file):
    tensors = {}
    for tensor in flatbuffer.read(int8_file).subgraphs[0].tensors:
        if tensor.quantization and tensor.quantization.scale is not None:
            shape = tuple(tensor.shape)
            tensors.setdefault(shape, []).append(tensor)
    assert {shape: len(found) for shape, found in tensors.items()} == {
        (32, 32): 2 * 4 + 1,
        (64, 32): 2,
        (32, 64): 2,
    }
    for shape, found in tensors.items():
        for tensor in found:
            assert tensor.type == 9  # INT8 in the schema
            assert len(tensor.quantization.scale) == shape[0]


def test_sizes(make_backbone):
    """A quarter of float32, and a second length costs little."""
    backbone = make_backbone(
        vocabulary_size=3000, num_layers=1, hidden_dim=64, num_heads=2
    )
    parameters = backbone.count_params()
    whole = convert(backbone, "float32", (16,))
    small = convert(backbone, "dynamic_wi8_afp32", (16,))
    both = convert(backbone, "dynamic_wi8_afp32", (16, 32))
    assert len(whole) == pytest.approx(4 * parameters, rel=0.1)
    assert len(small) < 0.33 * len(whole)
    assert len(both) < 1.3 * len(small)


def test_chosen_outputs_only(backbone, tmp_path):
    path = tmp_path / "model.tflite"
    outputs = mobile_graph.ATTENTION_OUTPUTS
    path.write_bytes(convert(backbone, "float32", (8,), outputs))
    assert set(LiteRTEncoder(path)([1, 2, 3])) == set(outputs)
    # Nothing above the last layer's projections is left in the file.
    assert profile.operators(path)["encode_8"]["FULLY_CONNECTED"] == 6 + 3


def test_foreign_operators_are_refused(make_backbone, monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr(
        mobile_graph, "_mean_of_real", lambda x, *_: tf.math.igamma(x, x)
    )
    given = make_backbone(num_layers=1), "float32", (4,), MEAN
    with pytest.raises(UserError, match="the graph needs Igamma, which a ph"):
        convert(*given)


def test_bad_requests(backbone):
    with pytest.raises(UserError, match="unknown precision 'int3'"):
        convert(backbone, "int3")
    with pytest.raises(UserError, match="no lengths"):
        convert(backbone, lengths=())
    with pytest.raises(UserError, match="length 65"):
        convert(backbone, lengths=(65,))


def test_int8_stays_near(float_file, int8_file):
    ids = np.arange(20) * 3 % 100
    one, two = LiteRTEncoder(float_file)(ids), LiteRTEncoder(int8_file)(ids)
    a, b = one["sequence_output"][0], two["sequence_output"][0]
    assert not np.array_equal(a, b)
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    assert ((a * b).sum(-1) / norms).min() > 0.99
