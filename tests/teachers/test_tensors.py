"""Tensors of safetensors files, read one by one."""

import os

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from tfminilm.families.hugging_face import tensors

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
