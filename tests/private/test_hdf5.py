"""Weights on a disk that is full: an error of Python's, wherever it ends."""

import errno
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from tfminilm.private import hdf5

# In a process of its own, which HDF5 would end.
EACH_LIMIT = """
import gc, os, resource, signal, sys
import keras
from tfminilm.private import hdf5

folder, step = sys.argv[1], int(sys.argv[2])
layers = [keras.layers.Dense(32) for _ in range(12)]
model = keras.Sequential([keras.Input((32,)), *layers])
whole, cut = (os.path.join(folder, f"{name}.weights.h5") for name in "ab")
with hdf5.writing():
    model.save_weights(whole)
size = os.path.getsize(whole)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
for limit in [*range(0, size, step), size - 1, size]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with hdf5.writing():
            model.save_weights(cut)
        found = 0
    except OSError as error:
        found = error.errno
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    print(limit, size, found)
gc.collect()
"""


def make_model():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])


@pytest.mark.parametrize(
    "step", [20_000, pytest.param(997, marks=pytest.mark.slow)]
)
def test_a_file_that_cannot_grow(step, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", EACH_LIMIT, str(tmp_path), str(step)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    rows = [[int(n) for n in line.split()] for line in done.stdout.splitlines()]
    assert len(rows) > 3
    for limit, size, found in rows:
        assert found == (errno.EFBIG if limit < size else 0)


def test_a_full_device():
    """Linux's own: each write to it fails as on a full disk."""
    match = os.strerror(errno.ENOSPC)
    with pytest.raises(OSError, match=match) as found, hdf5.writing():
        hdf5.saving_lib.H5IOStore("/dev/full", mode="w").close()
    assert found.value.errno == errno.ENOSPC


def test_the_weights_are_those_of_the_model(tmp_path):
    model, other = make_model(), make_model()
    path = tmp_path / "a.weights.h5"
    with hdf5.writing():
        model.save_weights(path)
    other.load_weights(path)
    for one, two in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(one, two)


def test_keras_has_its_own_way_again(tmp_path):
    own = hdf5.saving_lib.H5IOStore._get_h5_file
    with hdf5.writing():
        assert hdf5.saving_lib.H5IOStore._get_h5_file is not own
        make_model().save(tmp_path / "model.keras")
    assert hdf5.saving_lib.H5IOStore._get_h5_file is own
    with pytest.raises(ValueError, match="must end in"), hdf5.writing():
        make_model().save_weights(tmp_path / "weights.txt")
    assert hdf5.saving_lib.H5IOStore._get_h5_file is own


def test_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError), hdf5.writing():
        make_model().save_weights(tmp_path / "no" / "a.weights.h5")
