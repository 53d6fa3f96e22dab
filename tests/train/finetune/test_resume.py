"""Runs that stop, or that cannot start."""

import json
import shutil
import signal
import subprocess
import sys

import numpy as np

from tfminilm.commands import main
from tfminilm.tasks import heads
from tfminilm.train import score
from tfminilm.train.trainer import Trainer


def weights(workdir):
    model = heads.load_head(workdir / "student")
    return [np.asarray(variable) for variable in model.weights]


def test_a_killed_run_goes_on_to_the_same_end(
    done, model, data, run, tmp_path, rows, fast
):
    workdir = tmp_path / "run"
    given = [
        f"--model={model}",
        "--task=sst2",
        f"--workdir={workdir}",
        f"--data_dir={data}",
        *fast,
    ]
    kill = (
        "import os, signal, sys\n"
        "from tfminilm.commands import main\n"
        "from tfminilm.train.trainer import Trainer\n"
        "end = Trainer._end_steps\n"
        "def killed(self, *args):\n"
        "    end(self, *args)\n"
        "    if self.step == 20: os.kill(os.getpid(), signal.SIGKILL)\n"
        "Trainer._end_steps = killed\n"
        "main(sys.argv[1:])\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", kill, "finetune", *given], capture_output=True
    )
    assert process.returncode == -signal.SIGKILL, process.stderr
    # It may die while it writes the cache as well.
    (entry, *_) = (workdir / "text").glob("text-*")
    shutil.copytree(entry, entry.with_name(f".tmp-{entry.name}-x"))
    (entry / "token_ids.npy").write_bytes(b"half")
    assert run(workdir) == 0
    assert rows(workdir) == rows(done)
    for one, other in zip(weights(workdir), weights(done), strict=True):
        np.testing.assert_array_equal(one, other)


def test_interrupted(run, tmp_path, monkeypatch, capsys):
    end = Trainer._end_steps

    def stopped(self, *args):
        self.signals.stop = self.step == 3
        end(self, *args)

    monkeypatch.setattr(Trainer, "_end_steps", stopped)
    workdir = tmp_path / "run"
    assert run(workdir) == 75
    assert "interrupted at step 4, which is saved" in capsys.readouterr().err
    assert main(["evaluate", f"--model={workdir}", "--task=sst2"]) == 1
    assert "unfinished run" in capsys.readouterr().err


def test_a_loss_that_is_not_finite(run, tmp_path, capsys):
    assert run(tmp_path / "run", "sst2", "--learning_rate=1e30") == 1
    assert "the loss is not finite" in capsys.readouterr().err
    assert not (tmp_path / "run" / "student").exists()


def test_another_run_in_the_workdir(done, run, capsys):
    assert run(done, "sst2", "--epochs=9") == 1
    assert "epochs is 10 there, 9 here" in capsys.readouterr().err
    assert run(done, "sst2", "--seeds=1,2") == 1
    assert "holds the run of one seed" in capsys.readouterr().err


def test_a_mistake_leaves_the_workdir_free(run, data, tmp_path, capsys):
    folder = tmp_path / "data"
    shutil.copytree(data / "SST-2", folder / "SST-2")
    dev = folder / "SST-2" / "dev.tsv"
    content = dev.read_text()
    dev.write_text(content.replace("\t1", "\t7", 1))
    workdir = tmp_path / "run"
    flags = ("--epochs=1", f"--data_dir={folder}")
    assert run(workdir, "sst2", *flags) == 1
    assert "dev.tsv" in capsys.readouterr().err
    assert not (workdir / "recipe.json").exists()
    dev.write_text(content)
    assert run(workdir, "sst2", *flags) == 0


def test_longer_than_the_position_table(run, tmp_path, capsys):
    assert run(tmp_path / "run", "sst2", "--max_length=99") == 1
    assert "ends at 32: give --max_length=32" in capsys.readouterr().err


def test_other_examples_are_not_mixed_in(run, tmp_path, monkeypatch, capfd):
    """`--max_examples` took the first ones, and draws them now."""
    flags = ("sst2", "--max_examples=8", "--epochs=1")
    with monkeypatch.context() as patch:
        patch.setattr(score, "sample", lambda found, count: found[:count])
        assert run(tmp_path / "run", *flags) == 0
    # It was trained on the first ones: no other seed is to join it.
    path = tmp_path / "run" / "decisions.json"
    decisions = json.loads(path.read_text())
    path.write_text(json.dumps({"precision": decisions["precision"]}))
    capfd.readouterr()
    assert run(tmp_path / "run", *flags) == 1
    assert "of an earlier version of tfminilm" in capfd.readouterr().err
    path.write_text(json.dumps(decisions))
    shutil.rmtree(tmp_path / "run" / "student")
    assert run(tmp_path / "run", *flags) == 1
    assert "began with other data than is read now" in capfd.readouterr().err
