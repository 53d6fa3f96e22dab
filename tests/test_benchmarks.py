"""Benchmarks are run by hand; that they start, and say how, is tested."""

import importlib
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
    # As `python` does with a script's folder.
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setattr(sys, "argv", [str(path), "--help"])
    with pytest.raises(SystemExit) as exit:
        runpy.run_path(str(path), run_name="__main__")
    assert exit.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: {path.name} [-h]")
    # Its flags, beside the file's own first line.
    assert "--" in shown.split("options:")[1]
    assert runpy.run_path(str(path))["__doc__"].splitlines()[0] in shown


@pytest.fixture
def shared(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("_shared")


def test_flags_have_the_type_of_their_default(shared):
    parser = shared.Parser("A benchmark.")
    parser.add_flags(rounds=5, rate=1e-4, dtype="float32")
    parser.add_clock()
    given = parser.parse_args(["--rounds=7", "--rate=2", "--dtype=3"])
    assert vars(given) == {
        "rounds": 7,
        "rate": 2.0,
        "dtype": "3",
        "clock": "wall",
    }


def test_rounds_take_turns_and_the_first_does_not_count(shared):
    calls = []

    def measure(name):
        calls.append(name)
        return len(calls)

    found = shared.in_turns({x: lambda x=x: measure(x) for x in "ab"}, 2)
    assert calls == ["a", "b"] * 3
    assert found == {"a": [3, 5], "b": [4, 6]}


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
