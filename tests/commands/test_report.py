"""The report command: when it measures, what it writes and prints."""

import json
import os
import types

import pytest

from tfminilm.commands import main, report
from tfminilm.errors import UsageError, UserError
from tfminilm.report import evaluate
from tfminilm.train.recipe import Recipe

ROW = {
    "model": "student",
    "precision": "int8",
    "parameters": 1000,
    "embedding_parameters": 600,
    "transformer_parameters": 300,
    "flops": {"32": 5000},
    "file_bytes": 1_250_000,
    "latency_ms": {"32": {"median": 1.5, "p95": 2.0}},
    "attention_kl": 0.1,
    "value_kl": 0.2,
    "rank_correlation": 0.75,
}


@pytest.fixture
def workdir(tmp_path):
    recipe = Recipe(name="tiny").config()
    (tmp_path / "recipe.json").write_text(json.dumps(recipe.to_dict()))
    return tmp_path


@pytest.fixture
def measured(monkeypatch):
    """The workdirs that were measured, without doing so."""
    calls = []

    def evaluate_run(workdir, progress):
        calls.append(workdir)
        for _ in range(evaluate.STEPS):
            progress("working")
        content = {"machine": {}, "rows": [ROW]}
        (workdir / "evaluation.json").write_text(json.dumps(content))

    monkeypatch.setattr(evaluate, "evaluate_run", evaluate_run)
    return calls


def run(workdir, **given):
    given = {"workdir": workdir and str(workdir), "evaluate": True} | given
    report.run(types.SimpleNamespace(**given))


def test_a_student_is_measured_once(workdir, measured, capsys):
    (workdir / "student").mkdir()
    weights = workdir / "student" / "model.weights.h5"
    weights.write_bytes(b"")
    run(workdir)
    run(workdir)
    assert measured == [workdir]
    shown = capsys.readouterr()
    assert "0.750" in shown.out
    assert shown.out.splitlines()[-1] == str(workdir / "report.html")
    assert "working" in shown.err
    assert "0.750" in (workdir / "report.html").read_text()
    later = (workdir / "evaluation.json").stat().st_mtime + 10
    os.utime(weights, (later, later))
    run(workdir, evaluate=False)
    assert len(measured) == 1
    run(workdir)
    assert len(measured) == 2


def test_a_run_without_student_gets_a_page(workdir, measured, capsys):
    run(workdir)
    assert measured == []
    assert capsys.readouterr().out == f"{workdir / 'report.html'}\n"
    assert "Training stands at 0" in (workdir / "report.html").read_text()


def test_bad_workdirs(tmp_path):
    with pytest.raises(UsageError, match="--workdir=D"):
        run(None)
    with pytest.raises(UserError, match=r"has no recipe\.json"):
        run(tmp_path)
    with pytest.raises(UserError, match="is no folder"):
        run(tmp_path / "missing")
    assert list(tmp_path.iterdir()) == []


def test_from_the_command_line(workdir, capsys):
    assert main(["report", f"--workdir={workdir}"]) == 0
    assert (workdir / "report.html").is_file()
    assert main(["report"]) == 2
    assert main(["report", f"--workdir={workdir / 'missing'}"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert "is no folder" in said[1]
