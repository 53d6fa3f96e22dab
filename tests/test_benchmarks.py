"""Benchmarks are run by hand; that they start, and say how, is tested."""

import pathlib
import runpy
import subprocess
import sys

import pytest

BENCHMARKS = pathlib.Path(__file__).parents[1] / "benchmarks"


@pytest.mark.parametrize(
    "path", sorted(BENCHMARKS.glob("[!_]*.py")), ids=lambda path: path.stem
)
def test_help(path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(path), "--help"])
    with pytest.raises(SystemExit) as exit:
        runpy.run_path(str(path), run_name="__main__")
    assert exit.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: {path.name} [-h]")
    # Its flags, beside the file's own first line.
    assert "--" in shown.split("options:")[1]
    assert runpy.run_path(str(path))["__doc__"].splitlines()[0] in shown


@pytest.mark.slow  # A process for each of two rows.
def test_a_step_for_gpus_runs_on_any_machine():
    small = "--teacher=2x24 --student=1x24 --shapes=2x16 --steps=1 --rounds=1"
    run = subprocess.run(
        [sys.executable, BENCHMARKS / "gpu_step.py", *small.split()],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    rows = [line.split() for line in run.stdout.splitlines()]
    shown = [row for row in rows if "2x16" in row]
    assert [row[0] for row in shown] == ["tfminilm", "by"]
    assert all(float(row[row.index("2x16") + 1]) > 0 for row in shown)
