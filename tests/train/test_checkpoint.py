"""Checkpoints: whole or not at all, and the newest whole one counts."""

import json

import keras
import numpy as np
import pytest

from tfminilm import files
from tfminilm.errors import UserError
from tfminilm.train import checkpoint

SHAPES = ((3, 2), (), (2,))


def variables(value, shapes=SHAPES):
    dtypes = ("float32", "int64", "uint32")
    return [
        keras.Variable(np.full(shape, value), dtype=dtype, trainable=False)
        for shape, dtype in zip(shapes, dtypes, strict=True)
    ]


def values(found):
    return {float(np.ravel(variable.numpy())[0]) for variable in found}


@pytest.fixture
def two(tmp_path):
    """Checkpoints of the steps 5 and 10, which hold 5s and 10s."""
    for step in (5, 10):
        checkpoint.save(tmp_path, step, variables(step), {"at": step})
    return tmp_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_there_and_back_in_every_dtype(two):
    found = variables(0)
    assert checkpoint.restore(two, found) == (10, {"at": 10})
    assert values(found) == {10}
    assert [variable.dtype for variable in found] == [
        "float32",
        "int64",
        "uint32",
    ]


def test_no_checkpoint(tmp_path):
    assert checkpoint.restore(tmp_path / "nowhere", variables(0)) is None


def test_the_newest_two_are_kept(two):
    checkpoint.save(two, 15, variables(15), {})
    assert names(two) == ["step-000000010", "step-000000015"]


def test_later_ones_are_damaged_and_go(two):
    (two / "step-000000010" / "meta.json").unlink()
    checkpoint.save(two, 7, variables(7), {})
    assert names(two) == ["step-000000005", "step-000000007"]


def truncated(path):
    state = path / "state.safetensors"
    state.write_bytes(state.read_bytes()[:-4])


def flipped(path):
    state = path / "state.safetensors"
    content = bytearray(state.read_bytes())
    content[len(content) // 2] ^= 4
    state.write_bytes(content)


def without_meta(path):
    (path / "meta.json").unlink()


def without_state(path):
    (path / "state.safetensors").unlink()


def half_meta(path):
    meta = path / "meta.json"
    meta.write_text(meta.read_text()[:20])


def other_meta(path):
    (path / "meta.json").write_text("[]")


def meta_without_step(path):
    meta = json.loads((path / "meta.json").read_text())
    del meta["step"]
    (path / "meta.json").write_text(json.dumps(meta))


@pytest.mark.parametrize(
    "damage",
    [
        truncated,
        flipped,
        without_meta,
        without_state,
        half_meta,
        other_meta,
        meta_without_step,
    ],
)
def test_a_damaged_one_is_passed_over(two, damage):
    damage(two / "step-000000010")
    found, said = variables(0), []
    assert checkpoint.restore(two, found, said.append) == (5, {"at": 5})
    assert values(found) == {5}
    assert said == [f"{two}/step-000000010 is damaged and passed over"]


def test_state_of_another_model(two):
    other = variables(1, ((3, 3), (), (2,)))
    with pytest.raises(UserError, match="another model or optimizer"):
        checkpoint.restore(two, other)
    assert values(other) == {1}


def test_failure_while_writing(two, monkeypatch):
    def fail(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "write_json", fail)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(two, 15, variables(15), {})
    assert names(two) == ["step-000000005", "step-000000010"]
