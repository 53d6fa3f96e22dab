"""Evidence on pages: of every kind of task, and of files that are damaged."""

import html.parser
import json

import numpy as np
import pytest
from rich.console import Console

from tfminilm import typed_json
from tfminilm.commands import main
from tfminilm.errors import UserError
from tfminilm.report import evidence_files, evidence_page, evidence_terminal
from tfminilm.tasks import judging
from tfminilm.tasks.example import Example
from tfminilm.tasks.kinds import KINDS
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task

TEXT = "<script>alert(1)</script> [bold]\x1b[31m é"
CLASSES = ("<i>a</i>", "b", "[red]c")


def evidence(kind, count=60):
    generator = np.random.default_rng(4)
    labels = () if kind == "regression" else CLASSES
    task = Task(
        "csv:mine.csv", kind, KINDS[kind].metrics_of(labels), (), labels
    )
    truth, outputs = {
        "classification": (
            generator.integers(0, 3, count).tolist(),
            generator.normal(size=(2, count, 3)),
        ),
        "multi_label": (
            [tuple(map(float, x)) for x in generator.random((count, 3)) < 0.4],
            generator.random((2, count, 3)),
        ),
        "regression": (
            generator.normal(size=count).tolist(),
            generator.normal(size=(2, count, 1)),
        ),
    }[kind]
    rows = [Example(str(i), (TEXT,), y) for i, y in enumerate(truth)]
    answers = [
        KINDS[kind].answers(task, rows, None, list(x), Settings.of(task, 8))
        for x in outputs
    ]
    return judging.gather(
        task.name,
        "dev",
        [row.texts for row in rows],
        dict(zip(("mine", "<other>"), answers, strict=True)),
        "mine",
        "<other>",
        [("mine", "<other>")],
    )


@pytest.mark.parametrize(
    "kind", ["classification", "multi_label", "regression"]
)
def test_sections_and_tables(kind, capsys):
    one = evidence(kind)
    text = "\n".join(evidence_page.sections(one))
    html.parser.HTMLParser().feed(text)
    assert "<script" not in text
    assert "<i>a</i>" not in text
    assert "&lt;other&gt;" in text
    pictures = {"classification": 3, "multi_label": 2, "regression": 1}
    assert text.count("<svg") == pictures[kind]
    assert "Where mine and &lt;other&gt; differ" in text
    evidence_terminal.print_evidence(one, Console(width=200))
    shown = capsys.readouterr().out
    assert "\x1b[31m" not in shown
    assert "[bold]" in shown  # It is no markup.
    assert "mine less <other>" in shown
    assert ("class \\ answer" in shown) == (kind == "classification")
    assert ("root mean square" in shown) == (kind == "regression")


def write_run(folder, content):
    (folder / "student").mkdir()
    recipe = {"model": "/home/me/base", "task": "csv:/home/me/mine.csv"}
    (folder / "recipe.json").write_text(json.dumps(recipe))
    rows = [
        {"step": 1, "split": "train", "loss": 2.0},
        {"step": 2, "split": "train", "loss": 1.0},
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metrics.jsonl").write_text(lines)
    (folder / "results.json").write_text(json.dumps(content))


def test_a_fine_tuned_run_has_a_report(tmp_path):
    content = {"evidence": {"dev": evidence("classification")}}
    write_run(tmp_path, typed_json.to_json(content))
    assert main(["report", f"--workdir={tmp_path}"]) == 0
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "On csv:mine.csv, dev" in page
    assert "Class by class" in page
    assert "trained on csv:mine.csv" in page
    assert "a teacher" not in page
    assert "between" in page.partition('class="verdict">')[2][:60]
    assert "distil" not in page
    # What evaluate wrote later stands in place of that.
    later = {"evidence": {"test": evidence("classification")}}
    (tmp_path / "evaluation-csv.json").write_text(
        json.dumps(typed_json.to_json(later))
    )
    assert [*evidence_files.read(tmp_path)] == ["csv:mine.csv, test"]


def without(content, *path):
    *path, last = path
    for name in path:
        content = content[name]
    del content[last]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: without(x, "models", "mine"), "models has no 'mine'"),
        (lambda x: without(x, "shown"), "dev.shown is missing"),
        (lambda x: x.update(shown=7), "dev.shown"),
        (
            lambda x: x["models"]["mine"]["confusion"].append([1]),
            "confusion is not of 3 classes",
        ),
        (
            lambda x: x["worst"][0].update(answers={}),
            "an example has not each model's answer",
        ),
    ],
)
def test_damaged_files_are_named(tmp_path, change, words):
    content = typed_json.to_json(
        {"evidence": {"dev": evidence("classification")}}
    )
    change(content["evidence"]["dev"])
    write_run(tmp_path, content)
    with pytest.raises(UserError, match=words) as told:
        evidence_files.read(tmp_path)
    assert "results.json" in str(told.value)
    assert "evaluate the model again" in str(told.value)
