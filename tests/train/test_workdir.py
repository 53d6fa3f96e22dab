"""A workdir belongs to one recipe and one process."""

import dataclasses
import errno
import json
import os
import subprocess
import sys

import pytest

from tfminilm import files, methods
from tfminilm.errors import UserError
from tfminilm.train import scalars
from tfminilm.train.checkpoint import Checkpoints
from tfminilm.train.recipe import Recipe, StudentSpec, TrainSpec
from tfminilm.train.workdir import Workdir

RECIPE = Recipe(name="a")


@pytest.fixture
def begun(tmp_path):
    """The folder of a run that was begun."""
    with Workdir(tmp_path / "run", RECIPE).lock():
        return tmp_path / "run"


def test_nothing_is_written_before_it_is_held(tmp_path):
    folder = Workdir(tmp_path / "new" / "run", RECIPE)
    assert folder.pin("precision", lambda: "float32") == "float32"
    assert not list(tmp_path.iterdir())
    with folder.lock():
        written = json.loads((folder.path / "recipe.json").read_text())
    assert Recipe.parse(written) == RECIPE


def test_stages_hold_their_run_in_turn(tmp_path):
    whole = Workdir(tmp_path / "run", RECIPE)
    for _ in range(2):
        with whole.lock():
            pass


def test_a_decision_stays(tmp_path):
    first = Workdir(tmp_path, RECIPE)
    first.pin("precision", lambda: "float32")
    with first.lock():
        pass
    again = Workdir(tmp_path, RECIPE)
    assert again.pin("precision", lambda: "mixed_bfloat16") == "float32"


def test_run_of_another_recipe(begun):
    other = dataclasses.replace(RECIPE, train=TrainSpec(steps=5))
    with pytest.raises(UserError) as caught:
        Workdir(begun, other)
    assert str(caught.value) == (
        f"{begun} holds the run of another recipe (train.steps is 400000 "
        "there, 5 here): use another --workdir, or remove it"
    )


def test_run_from_before_a_key_was_there(begun):
    path = begun / "recipe.json"
    content = json.loads(path.read_text())
    del content["student"]["tokenizer"], content["data"]["teacher_length"]
    path.write_text(json.dumps(content))
    Workdir(begun, RECIPE)
    other = dataclasses.replace(RECIPE, student=StudentSpec(tokenizer="a"))
    with pytest.raises(UserError, match="tokenizer is None there, 'a' here"):
        Workdir(begun, other)


@pytest.mark.parametrize(
    ("method", "keys"),
    [
        (methods.PatientKD(), "method.raw_states method.class_mean"),
        (methods.DistilBERT(), "method.all_tokens data.mask_smoothing"),
        (methods.MobileBERT(), "method.masked_pairs train.final_rate"),
    ],
)
def test_options_that_runs_of_before_have_not(method, keys, tmp_path):
    """They go on: what is not set is as it was."""
    recipe = Recipe(name="a", method=method).to_dict()
    with Workdir(tmp_path, recipe).lock():
        path = tmp_path / "recipe.json"
    before = json.loads(path.read_text())
    for key in keys.split():
        part, name = key.split(".")
        del before[part][name]
    path.write_text(json.dumps(before))
    Workdir(tmp_path, recipe)


@pytest.mark.parametrize("content", ['{"name": "a"', "[1]", "\x00\x00"])
@pytest.mark.parametrize("name", ["recipe.json", "decisions.json"])
def test_damaged_file(begun, name, content):
    (begun / name).write_text(content)
    with pytest.raises(
        UserError, match=f"{name} cannot be read: .* use another"
    ):
        Workdir(begun, RECIPE)


def test_file_in_place_of_a_folder(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "inside" / "run"):
        with pytest.raises(UserError, match="file is a file, expected a fold"):
            Workdir(path, RECIPE)


def test_folder_that_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *args: False)
    with pytest.raises(UserError, match=f"{tmp_path} cannot be written"):
        Workdir(tmp_path / "run", RECIPE)


def test_two_processes_in_one_folder(begun):
    hold = (
        "import sys; from tfminilm.train.recipe import Recipe\n"
        "from tfminilm.train.workdir import Workdir\n"
        "with Workdir(sys.argv[1], Recipe(name='a')).lock(): pass"
    )
    with Workdir(begun, RECIPE).lock():
        other = subprocess.run(
            [sys.executable, "-c", hold, str(begun)],
            capture_output=True,
            text=True,
        )
    assert f"another process is running in {begun}: wait" in other.stderr
    with Workdir(begun, RECIPE).lock():  # It is free again.
        pass


def test_file_system_without_locks(begun, monkeypatch):
    def flock(*args):
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(files.fcntl, "flock", flock)
    with Workdir(begun, RECIPE).lock():
        pass


def leave(folder):
    """What a killed process leaves half-written."""
    left = folder / ".tmp-left"
    left.mkdir(parents=True)
    (left / files._MARKER).write_text(files._MARK)


def test_leftovers_are_swept(begun):
    for place in ("", "checkpoints", "text"):
        leave(begun / place)
    with Workdir(begun, RECIPE).lock():
        assert not list(begun.rglob(".tmp-*"))


def content(folder):
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in (".lock", "recipe.json")
    }


def test_what_no_run_wrote_stays(tmp_path):
    for name in (
        "tensorboard/my_other_run/events.out.tfevents.1",
        "tensorboard/events.out.tfevents.1700000000",
        ".old-photos/photo",
        ".tmp-thesis.tex",
        "checkpoints/step-by-step-guide/text",
        "checkpoints/step-000000003/meta.json",
        "text/text-mine/text",
        "student.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("mine")
    before = content(tmp_path)
    folder = Workdir(tmp_path, RECIPE)
    row = {"step": 1, "split": "train", "loss": 1.0}
    with folder.lock():
        for _ in range(2):
            scalars.Scalars(tmp_path / "tensorboard", [row], folder.run)
        with Checkpoints(folder.checkpoints, 1, run=folder.run) as checkpoints:
            for step in range(1, 6):
                checkpoints.save(step, [], {})
    kept = next((tmp_path / "checkpoints").glob("step-000000003.kept-*"))
    moved = kept / "step-000000003"
    after = content(tmp_path)
    assert after.pop(moved / "meta.json") == b"mine"
    del before[tmp_path / "checkpoints/step-000000003/meta.json"]
    assert after.items() >= before.items()
    names = {str(path.relative_to(tmp_path)) for path in after.keys() - before}
    [own] = names - {
        "decisions.json",
        "tensorboard/tfminilm.json",
        "checkpoints/step-000000005/meta.json",
        "checkpoints/step-000000005/state.safetensors",
    }
    assert own.startswith("tensorboard/events.out.tfevents.")


@pytest.mark.parametrize(
    "name", ["checkpoints", "student", "text", "tensorboard"]
)
def test_link_or_file_where_a_run_has_a_folder(tmp_path, name):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "step-000000001").mkdir()
    run = tmp_path / "run"
    run.mkdir()
    for make in (
        lambda path: path.symlink_to(tmp_path / "mine"),
        lambda path: path.write_text("mine"),
    ):
        make(run / name)
        with (
            pytest.raises(UserError, match=f"{name} is no folder: a run makes"),
            Workdir(run, RECIPE).lock(),
        ):
            pass
        assert sorted(p.name for p in run.iterdir()) == [".lock", name]
        (run / name).unlink()


@pytest.mark.parametrize("name", ["metrics.jsonl", "results.json"])
def test_a_folder_of_somebody_else(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with (
        pytest.raises(UserError, match=f"holds {name} and no recipe.json"),
        Workdir(tmp_path, RECIPE).lock(),
    ):
        pass
    assert (tmp_path / name).read_text() == "mine"


def test_rows(begun):
    folder = Workdir(begun, RECIPE)
    assert not folder.has_logged(0, "train")
    folder.drop_rows_after(0)
    for step in (0, 5, 10):
        folder.log({"step": step, "split": "train", "loss": step / 3})
    with open(begun / "metrics.jsonl", "ab") as file:
        file.write(b'{"step": 15, "spl\xff')  # A kill cut it.
    assert folder.has_logged(10, "train")
    assert not folder.has_logged(10, "held_out")
    assert not folder.has_logged(15, "train")
    before = (begun / "metrics.jsonl").read_text(errors="replace")
    folder.drop_rows_after(5)
    after = (begun / "metrics.jsonl").read_text()
    assert after.splitlines() == before.splitlines()[:2]
    folder.log({"step": 10, "split": "train"})
    assert folder.has_logged(10, "train")


def test_row_on_a_full_disk(begun, monkeypatch):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    (begun / "metrics.jsonl").symlink_to("/dev/full")
    with pytest.raises(UserError, match="jsonl is no regular file"):
        Workdir(begun, RECIPE).log({"step": 1})
    folder = Workdir(begun, RECIPE)
    monkeypatch.setattr(
        files, "open_regular", lambda path, flags: os.open("/dev/full", flags)
    )
    with pytest.raises(UserError, match="jsonl: No space left on device"):
        folder.log({"step": 1})


def test_stages_share_what_they_read(tmp_path):
    whole = Workdir(tmp_path, {"name": "whole"})
    stages = [
        Workdir(tmp_path / name, {"name": name}, inside=whole)
        for name in ("first", "second")
    ]
    assert {stage.text for stage in stages} == {tmp_path / "text"}


def test_events_stay_and_a_cut_one_is_ended(begun):
    folder = Workdir(begun, RECIPE)
    folder.log_event("started", 0)
    with open(begun / "events.jsonl", "ab") as file:
        file.write(b'{"event": "chec')
    folder.log_event("resumed", 5, more=1)
    first, cut, last = (begun / "events.jsonl").read_text().splitlines()
    assert (json.loads(first)["event"], json.loads(first)["step"]) == (
        "started",
        0,
    )
    assert cut == '{"event": "chec'
    row = json.loads(last)
    assert row.keys() == {"event", "step", "time", "host", "version", "more"}
    assert (row["event"], row["step"]) == ("resumed", 5)
