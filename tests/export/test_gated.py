"""ModernBERT's mobile graph: what it computes, and of which operators."""

import keras
import numpy as np
import pytest

from tfminilm import UserError, students
from tfminilm.export.graph.mobile_graph import ATTENTION_OUTPUTS, MobileGraph
from tfminilm.export.litert import profile
from tfminilm.export.litert.convert import convert
from tfminilm.export.litert.runner import LiteRTEncoder
from tfminilm.teachers import expose

SIZES = {
    "num_layers": 3,
    "hidden_dim": 16,
    "num_heads": 2,
    "vocabulary_size": 100,
    "max_sequence_length": 64,
    "local_attention": 6,
    "global_rope_theta": 50.0,
    "local_rope_theta": 7.0,
}


@pytest.fixture(scope="module")
def make(randomise):
    def build(**options):
        return randomise(students.modernbert(**SIZES | options))

    return build


def states(model, batch):
    inputs = {name: batch[name] for name in model.input}
    return keras.ops.convert_to_numpy(model(inputs, training=False))


@pytest.mark.parametrize("length", [3, 4, 5, 20])
@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_equals_keras(make, length, activation, make_batch, run_graph):
    model = make(activation=activation)
    batch = make_batch([length, (length + 1) // 2], length)
    del batch["segment_ids"]
    graph = MobileGraph(model)
    assert graph.outputs == ("sequence_output", "sentence_embedding")
    got = run_graph(graph, batch)
    wanted = states(model, batch)
    real = batch["padding_mask"] > 0
    np.testing.assert_allclose(
        got["sequence_output"][real], wanted[real], atol=1e-4
    )
    means = [row[mask].mean(0) for row, mask in zip(wanted, real, strict=True)]
    np.testing.assert_allclose(got["sentence_embedding"], means, atol=1e-4)


def test_attention_parts_and_states_are_those_of_expose(
    make, make_batch, run_graph
):
    model, batch = make(), make_batch([20, 9], 20)
    del batch["segment_ids"]
    names = [f"hidden_states_{index}" for index in range(4)]
    got = run_graph(MobileGraph(model, [*ATTENTION_OUTPUTS, *names]), batch)
    asked = {name: [-1] for name in ATTENTION_OUTPUTS}
    found = expose(model, asked | {"hidden_states": range(4)})(batch)
    real = batch["padding_mask"] > 0
    for name in (*ATTENTION_OUTPUTS, *names):
        key = f"{name}/2"
        value, other = got[name], found.get(key)
        if name in ATTENTION_OUTPUTS:
            value = value.swapaxes(1, 2)
            other = keras.ops.swapaxes(other, 1, 2)
        else:
            other = found["hidden_states/" + name[-1]]
        other = keras.ops.convert_to_numpy(other)
        np.testing.assert_allclose(value[real], other[real], atol=1e-4)


def test_padding_never_counts(make, make_batch, run_graph):
    graph, batch = MobileGraph(make()), make_batch([9], 20)
    del batch["segment_ids"]
    other = batch | {"token_ids": batch["token_ids"].copy()}
    other["token_ids"][:, 9:] = 99 - other["token_ids"][:, 9:]
    one, two = run_graph(graph, batch), run_graph(graph, other)
    for name, value in one.items():
        kept = np.s_[:, :9] if name == "sequence_output" else ...
        np.testing.assert_array_equal(value[kept], two[name][kept])
    batch["padding_mask"][:] = 0  # Even so it stays finite.
    got = run_graph(graph, batch)
    assert all(np.isfinite(value).all() for value in got.values())


def test_an_activation_that_no_phone_has(make):
    with pytest.raises(UserError, match="cannot export the activation 'silu'"):
        MobileGraph(make(activation="silu"))


@pytest.mark.parametrize(
    ("precision", "least"),
    [
        pytest.param("float32", 0.999999, marks=pytest.mark.slow),
        ("dynamic_wi8_afp32", 0.98),
        pytest.param("float16", 0.9999, marks=pytest.mark.slow),
        pytest.param("weight_only_wi8_afp32", 0.98, marks=pytest.mark.slow),
        pytest.param("static_wi8_ai8", 0.95, marks=pytest.mark.slow),
    ],
)
def test_a_file_is_one_partition(make, make_batch, precision, least, tmp_path):
    model = make(hidden_dim=32, local_attention=10)

    def batch(length):
        return make_batch([length] * 8, length)

    path = tmp_path / "model.tflite"
    path.write_bytes(convert(model, precision, (8, 20), batch=batch))
    assert profile.partitions(path) == {"encode_8": 1, "encode_20": 1}
    one = make_batch([17], 20)
    got = LiteRTEncoder(path)(one["token_ids"][0, :17])["sequence_output"]
    got = got.reshape(-1, 32)[:17]
    wanted = states(model, one)[0, :17]
    norms = np.linalg.norm(got, axis=-1) * np.linalg.norm(wanted, axis=-1)
    assert np.mean((got * wanted).sum(-1) / norms) > least
