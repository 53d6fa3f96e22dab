"""What is inside a file."""

import collections
import sys

import pytest

from tfminilm.errors import UserError
from tfminilm.export import target
from tfminilm.export.litert import flatbuffer, profile


def test_partitions_of_a_graph_that_falls_apart(tmp_path):
    """CUMSUM is builtin, and XNNPACK does not take it."""
    import tensorflow as tf

    spec = tf.TensorSpec([1, 8], tf.float32, "x")
    module = tf.Module()
    module.apart = tf.function(
        lambda x: tf.exp(tf.cumsum(tf.exp(x), axis=1)) + 1.0
    )
    module.whole = tf.function(lambda x: tf.exp(x) + 1.0)
    folder = str(tmp_path / "saved")
    tf.saved_model.save(
        module,
        folder,
        signatures={
            "apart": module.apart.get_concrete_function(spec),
            "whole": module.whole.get_concrete_function(spec),
        },
    )
    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    path = tmp_path / "model.tflite"
    path.write_bytes(converter.convert())
    assert profile.partitions(path) == {"apart": 2, "whole": 1}


def test_what_is_outside_of_products():
    times = [
        profile.OperatorTime(name, 1, taken)
        for name, taken in (
            ("FULLY_CONNECTED", 5.0), ("BATCH_MATMUL", 1.0), ("GELU", 2.0),
        )
    ]  # fmt: skip
    assert profile.outside_products(times) == 0.25


def num_widened(path):
    """How many operators of the first signature widen a constant."""
    read = flatbuffer.read(path)
    graph = read.subgraphs[0]
    return sum(
        flatbuffer.operator_name(read, operator) == "DEQUANTIZE"
        and flatbuffer.is_constant(read, graph.tensors[operator.inputs[0]])
        for operator in graph.operators
    )


@pytest.mark.parametrize("precision", target.PRECISIONS)
def test_every_operator_is_timed(precision, file_of):
    path = file_of(precision)
    times = profile.operator_times(path, "encode_8", repeats=2)
    used = profile.operators(path)["encode_8"]
    # What widens a constant runs once, before all others, and is not timed.
    used["DEQUANTIZE"] -= num_widened(path)
    used += collections.Counter()
    assert {row.operator: row.count for row in times} == used
    assert all(row.milliseconds > 0 for row in times)
    taken = [row.milliseconds for row in times]
    assert taken == sorted(taken, reverse=True)


def test_unknown_signature(int8_file):
    with pytest.raises(UserError, match="expected one of encode_"):
        profile.operator_times(int8_file, "encode_9")


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_peak_memory(float_file):
    assert 1e5 < profile.peak_memory(float_file) < 1e8


def test_no_file(tmp_path):
    for measure in (profile.partitions, profile.peak_memory):
        with pytest.raises(UserError, match="no such file"):
            measure(tmp_path / "none.tflite")
