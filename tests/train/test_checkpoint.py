"""Checkpoints: whole or not at all, and the newest whole one counts."""

import json
import threading

import keras
import numpy as np
import pytest

from tfminilm import files
from tfminilm.errors import UserError
from tfminilm.train.checkpoint import Checkpoints

SHAPES = ((3, 2), (), (2,))


def variables(value, shapes=SHAPES):
    dtypes = ("float32", "int64", "uint32")
    return [
        keras.Variable(np.full(shape, value), dtype=dtype, trainable=False)
        for shape, dtype in zip(shapes, dtypes, strict=True)
    ]


def values(found):
    return {float(np.ravel(variable.numpy())[0]) for variable in found}


def save(folder, step, facts=None, keep=2):
    with Checkpoints(folder, keep) as checkpoints:
        checkpoints.save(step, variables(step), facts or {})


@pytest.fixture
def two(tmp_path):
    """Checkpoints of the steps 5 and 10, which hold 5s and 10s."""
    for step in (5, 10):
        save(tmp_path, step, {"at": step})
    return tmp_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_there_and_back_in_every_dtype(two):
    found = variables(0)
    assert Checkpoints(two).restore(found) == (10, {"at": 10})
    assert values(found) == {10}
    assert [variable.dtype for variable in found] == [
        "float32",
        "int64",
        "uint32",
    ]


def test_no_checkpoint(tmp_path):
    assert Checkpoints(tmp_path / "nowhere").restore(variables(0)) is None


def test_the_newest_two_are_kept(two):
    save(two, 15)
    assert names(two) == ["step-000000010", "step-000000015"]


def test_later_ones_are_damaged_and_go(two):
    truncated(two / "step-000000010")
    save(two, 7)
    assert names(two) == ["step-000000005", "step-000000007"]


def foreign(folder, run="another"):
    """What no run of this folder wrote, under names that begin as its do."""
    for name in ("step-by-step-guide", "step-000000099", "step-000000007"):
        (folder / name).mkdir()
        (folder / name / "meta.json").write_text("mine")
    with Checkpoints(folder, run=run) as checkpoints:
        checkpoints.save(50, variables(50), {})
    (folder / "outside").mkdir()
    (folder / "outside" / "meta.json").write_text("mine")
    (folder / "step-000000003").symlink_to("outside")


def test_what_this_run_did_not_write_stays(two):
    foreign(two)
    (two / "step-000000005" / "notes.txt").write_text("mine")
    before = set(names(two))
    for step in (6, 7):
        save(two, step, keep=1)
    kept = {name for name in names(two) if name.startswith("step-000000007.k")}
    assert set(names(two)) == before - {"step-000000010"} | kept
    assert [path.name for path in (two / "step-000000005").iterdir()] == [
        "notes.txt"
    ]
    assert (two / kept.pop() / "step-000000007/meta.json").read_text() == "mine"
    assert Checkpoints(two).newest() == two / "step-000000007"


def test_checkpoints_of_the_first_versions_are_this_runs(two):
    for path in two.iterdir():
        meta = json.loads((path / "meta.json").read_text())
        del meta["format"], meta["run"]
        (path / "meta.json").write_text(json.dumps(meta))
    with Checkpoints(two, run="a") as checkpoints:
        assert checkpoints.restore(variables(0)) == (10, {"at": 10})
        checkpoints.save(15, variables(15), {})
    assert names(two) == ["step-000000010", "step-000000015"]


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
    assert Checkpoints(two).restore(found, said.append) == (5, {"at": 5})
    assert values(found) == {5}
    assert said == [f"{two}/step-000000010 is damaged and passed over"]


def test_state_of_another_model(two):
    other = variables(1, ((3, 3), (), (2,)))
    with pytest.raises(UserError, match="another model or optimizer"):
        Checkpoints(two).restore(other)
    assert values(other) == {1}


def test_failure_while_writing(two, monkeypatch):
    def fail(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "write_json", fail)
    with pytest.raises(KeyboardInterrupt):
        save(two, 15)
    assert names(two) == ["step-000000005", "step-000000010"]


def test_as_many_as_asked_for(two):
    save(two, 15, keep=3)
    assert len(names(two)) == 3
    save(two, 20, keep=1)
    assert names(two) == ["step-000000020"]


def test_the_best_is_kept(two):
    with Checkpoints(two, keep=1) as checkpoints:
        checkpoints.mark_best(10, 0.5)
        assert names(two) == ["best.json", "step-000000010"]
        for step in (15, 20):
            checkpoints.save(step, variables(step), {})
        assert not checkpoints.is_best(0.6)
        assert checkpoints.is_best(0.4)
    best = json.loads((two / "best.json").read_text())
    assert best == {"step": 10, "checkpoint": "step-000000010", "loss": 0.5}
    assert names(two) == ["best.json", "step-000000010", "step-000000020"]


def test_a_best_that_is_later_is_forgotten(two):
    """A resumed run gets to it again, and may find another."""
    with Checkpoints(two) as checkpoints:
        checkpoints.mark_best(10, 0.5)
        flipped(two / "step-000000010")
        assert checkpoints.restore(variables(0)) == (5, {"at": 5})
        assert checkpoints.is_best(0.9)
        checkpoints.save(6, variables(6), {})
    assert names(two) == ["step-000000005", "step-000000006"]


def test_what_changes_while_it_is_written(tmp_path, monkeypatch):
    """Training goes on, and the checkpoint is of the step it was made at."""
    going_on = threading.Event()
    write = files.write_bytes

    def slow(path, content):
        going_on.wait(10)
        write(path, content)

    monkeypatch.setattr(files, "write_bytes", slow)
    found, written = variables(5), []
    with Checkpoints(tmp_path, on_written=written.append) as checkpoints:
        checkpoints.save(5, found, {})
        for variable in found:
            variable.assign(keras.ops.zeros_like(variable.value))
        assert not names(tmp_path) or names(tmp_path)[0].startswith(".tmp")
        assert not written
        going_on.set()
        assert checkpoints.has(5)
    assert written == [5]
    checkpoints.restore(found)
    assert values(found) == {5}


def test_what_could_not_be_written_is_said(two, monkeypatch):
    def fail(*args):
        raise UserError("No space left on device")

    monkeypatch.setattr(files, "write_bytes", fail)
    with pytest.raises(UserError, match="No space"):
        save(two, 15)
    assert names(two) == ["step-000000005", "step-000000010"]
