"""The rewritten graph computes what the backbone computes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfminilm import teachers
from tfminilm.errors import UserError
from tfminilm.export.graph.mobile_graph import (
    ATTENTION_OUTPUTS,
    OUTPUTS,
    MobileGraph,
)
from tfminilm.private.encoders import encoder_parts


@pytest.mark.parametrize("length", [2, 16, 64])
def test_equals_keras(
    backbone, length, make_batch, run, run_graph, assert_same
):
    batch = make_batch([length, (length + 1) // 2], length)
    got = run_graph(MobileGraph(backbone), batch)
    assert set(got) == set(OUTPUTS)
    assert_same(got, run(backbone, batch), batch["padding_mask"])


def test_more_than_two_segments(
    make_backbone, make_batch, run, run_graph, assert_same
):
    backbone = make_backbone(num_segments=3)
    batch = make_batch([12, 7], 12)
    batch["segment_ids"] = np.arange(24, dtype=np.int32).reshape(2, 12) % 3
    got = run_graph(MobileGraph(backbone), batch)
    assert_same(got, run(backbone, batch), batch["padding_mask"])


@pytest.mark.parametrize("names", [["gelu", "gelu"], ["relu", "gelu"]])
def test_other_activations(
    names, make_backbone, make_batch, run, run_graph, assert_same
):
    backbone = make_backbone()
    batch = make_batch([12], 12)
    before = run(backbone, batch)["sequence_output"]
    for layer, name in zip(backbone.transformer_layers, names, strict=True):
        dense = encoder_parts(layer).intermediate
        dense.activation = keras.activations.get(name)
    wanted = run(backbone, batch)
    assert np.abs(before - wanted["sequence_output"]).max() > 1e-4
    got = run_graph(MobileGraph(backbone), batch)
    assert_same(got, wanted, batch["padding_mask"], 2e-5)


def test_other_epsilons(make_backbone, make_batch, run, run_graph, assert_same):
    backbone = make_backbone()
    batch = make_batch([12], 12)
    before = run(backbone, batch)["sequence_output"]
    first, second = backbone.transformer_layers
    backbone.embeddings_layer_norm.epsilon = 0.01
    encoder_parts(first).attention_norm.epsilon = 0.1
    encoder_parts(second).feedforward_norm.epsilon = 0.2
    wanted = run(backbone, batch)
    assert np.abs(before - wanted["sequence_output"]).max() > 1e-2
    got = run_graph(MobileGraph(backbone), batch)
    assert_same(got, wanted, batch["padding_mask"], 2e-5)


def test_an_unknown_activation_is_refused(make_backbone):
    backbone = make_backbone()
    last = backbone.transformer_layers[-1]
    encoder_parts(last).intermediate.activation = keras.ops.silu
    with pytest.raises(UserError, match="expected relu or gelu or gelu_app"):
        MobileGraph(backbone)


def test_attention_parts_are_those_of_expose(backbone, make_batch, run_graph):
    batch = make_batch([16, 9], 16)
    names = ("queries", "keys", "values")
    wanted = teachers.expose(backbone, {name: [-1] for name in names})(batch)
    got = run_graph(MobileGraph(backbone, ATTENTION_OUTPUTS), batch)
    real = batch["padding_mask"].astype(bool)
    for name in names:
        value = keras.ops.convert_to_numpy(wanted[f"{name}/1"])
        assert got[name].shape == value.shape == (2, 4, 16, 8)
        np.testing.assert_allclose(
            got[name].swapaxes(1, 2)[real],
            value.swapaxes(1, 2)[real],
            atol=1e-4,
        )


def test_silent_heads_are_left_out(
    make_backbone, make_batch, run, run_graph, assert_same
):
    backbone = make_backbone()
    whole = count(MobileGraph(backbone))
    for layer, silent in zip(
        backbone.transformer_layers, ([1, 3], [0, 1, 2, 3]), strict=True
    ):
        kernel = encoder_parts(layer).attention.output_dense.kernel
        value = np.array(kernel)
        value[silent] = 0
        kernel.assign(value)
    graph = MobileGraph(backbone)
    # Of four products' kernels and three biases, the columns of 2 and 3 heads.
    assert whole - count(graph) == (2 + 3) * 8 * (4 * 32 + 3)
    batch = make_batch([16, 9], 16)
    wanted = run(backbone, batch)
    assert_same(run_graph(graph, batch), wanted, batch["padding_mask"])


def count(graph):
    return sum(int(np.prod(variable.shape)) for variable in graph.variables)


def test_padding_never_counts(backbone, make_batch, run_graph):
    graph = MobileGraph(backbone)
    batch = make_batch([9], 16)
    other = {name: value.copy() for name, value in batch.items()}
    other["token_ids"][:, 9:] = 99 - other["token_ids"][:, 9:]
    other["segment_ids"][:, 9:] = 1 - other["segment_ids"][:, 9:]
    one, two = run_graph(graph, batch), run_graph(graph, other)
    np.testing.assert_array_equal(
        one["sequence_output"][:, :9], two["sequence_output"][:, :9]
    )
    for name in ("pooled_output", "sentence_embedding"):
        np.testing.assert_array_equal(one[name], two[name])


def test_padding_alone_stays_finite(backbone, make_batch, run_graph):
    got = run_graph(MobileGraph(backbone), make_batch([0], 8))
    assert all(np.isfinite(value).all() for value in got.values())


def test_length_beyond_the_position_table(backbone):
    with pytest.raises(UserError, match=r"length 65 .* 1 to 64"):
        MobileGraph(backbone).signature(65)


def test_unknown_output(backbone):
    with pytest.raises(UserError, match="unknown output 'logits'"):
        MobileGraph(backbone, ["logits"])


def test_a_model_of_another_family():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(UserError, match="cannot export a Sequential"):
        MobileGraph(model)


def spike(backbone, channel=5, factor=200.0):
    """Lets one channel of the feed-forward outputs reach far beyond others."""
    for layer in backbone.transformer_layers:
        kernel = encoder_parts(layer).output.kernel
        value = np.array(kernel)
        value[:, channel] *= factor
        kernel.assign(value)


def test_channels_that_reach_alike_compute_the_same(
    make_backbone, make_batch, run, run_graph, assert_same
):
    backbone = make_backbone()
    spike(backbone)
    batch = make_batch([16, 9], 16)
    graph = MobileGraph(backbone)
    graph.equalize_channels(
        batch, {"layer_1/feedforward": np.full(32, 3.0, "float32")}
    )
    assert_same(
        run_graph(graph, batch),
        run(backbone, batch),
        batch["padding_mask"],
    )
    first, second = (layer._feedforward for layer in graph._encoder.layers)
    before = second.max_abs
    for dense in (first, second):
        dense.max_abs = np.zeros(32, "float32")
    run_rows(graph, batch)
    np.testing.assert_allclose(first.max_abs, 1, rtol=1e-5)
    np.testing.assert_allclose(second.max_abs, before / 3, rtol=1e-4)


def test_a_block_that_writes_nothing(make_backbone, make_batch, run_graph):
    backbone = make_backbone(num_layers=1)
    dense = encoder_parts(backbone.transformer_layers[0]).output
    for weight in dense.weights:
        weight.assign(0 * weight)
    graph = MobileGraph(backbone, ("pooled_output",))
    batch = make_batch([16], 16)
    graph.equalize_channels(batch)
    assert np.isfinite(run_graph(graph, batch)["pooled_output"]).all()


def run_rows(graph, batch):
    """Eagerly, so that reaches are seen."""
    for row in range(len(batch["token_ids"])):
        one = {name: tf.constant(x[row : row + 1]) for name, x in batch.items()}
        graph._call(length=16, **one)
