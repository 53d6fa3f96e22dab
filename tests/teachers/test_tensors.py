"""Tensors of safetensors files, read one by one."""

import contextlib
import os

import keras
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from tfminilm.families.hugging_face import checkpoint, tensors
from tfminilm.private.deferred import made_with_values

random = np.random.default_rng(0)
TENSORS = {
    "half": random.normal(size=(3, 5)).astype("float16"),
    "brain": random.normal(size=7).astype(ml_dtypes.bfloat16),
    "table": random.normal(size=(2, 3, 4)).astype("float32"),
    "double": random.normal(size=(1, 3)),
    "scalar": np.array(0.5, "float32"),
    "empty": np.zeros((0, 4), "float32"),
}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.safetensors"
    safetensors.numpy.save_file(TENSORS, path, {"format": "pt"})
    return path


def test_equal_to_the_library(path):
    stored = tensors.find(path)
    assert stored.keys() == TENSORS.keys()
    for name, tensor in safetensors.numpy.load_file(path).items():
        array = stored[name].read()
        assert stored[name].shape == array.shape == tensor.shape
        assert array.dtype == tensor.dtype
        assert array.ctypes.data % 64 == 0 or not array.size
        np.testing.assert_array_equal(array, tensor)


def test_a_file_that_became_shorter(path):
    stored = tensors.find(path)
    os.truncate(path, path.stat().st_size - 20)
    with pytest.raises(OSError, match="ends too early"):
        [tensor.read() for tensor in stored.values()]


def test_memory_is_of_one_array_at_a_time(path):
    memory, stored = tensors.Memory(), tensors.find(path)
    for name in ("half", "table", "brain", "scalar", "empty", "double"):
        array = stored[name].read(memory)
        np.testing.assert_array_equal(array, TENSORS[name])
        assert array.ctypes.data % 64 == 0 or not array.size
    larger = stored["table"].read(memory)
    smaller = stored["half"].read(memory)
    assert np.shares_memory(larger, smaller)


@pytest.mark.parametrize("scope", [made_with_values, contextlib.nullcontext])
@pytest.mark.parametrize("dtype", ["float32", "float16", ml_dtypes.bfloat16])
def test_matrices_that_are_turned_keep_their_values(scope, dtype, tmp_path):
    """Read into the same memory, also those of one row, which TensorFlow
    would not have to turn."""
    units = {"wide": 40, "one": 1, "two": 1}
    stored = {}
    for name, count in units.items():
        stored[f"{name}.weight"] = random.normal(size=(count, 16)).astype(dtype)
        stored[f"{name}.bias"] = random.normal(size=count).astype(dtype)
    safetensors.numpy.save_file(stored, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text("{}")
    with scope():
        layers = {name: keras.layers.Dense(n) for name, n in units.items()}
        for layer in layers.values():
            layer.build((None, 16))
        slots = [
            slot
            for name, layer in layers.items()
            for slot in checkpoint.layer_slots(name, layer)
        ]
        checkpoint.fill(checkpoint.open_checkpoint(tmp_path), slots)
    for name, layer in layers.items():
        kernel, bias = map(keras.ops.convert_to_numpy, layer.weights)
        wanted = stored[f"{name}.weight"].astype("float32")
        np.testing.assert_array_equal(kernel, wanted.T)
        wanted = stored[f"{name}.bias"].astype("float32")
        np.testing.assert_array_equal(bias, wanted)
