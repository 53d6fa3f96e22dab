"""The page holds what was measured, escaped, for many texts and for few."""

import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from tfminilm.pipeline import judge, page
from tfminilm.pipeline.plan import Plan
from tfminilm.pipeline.survey import look
from tfminilm.pipeline.table import Row
from tfminilm.tasks import judging
from tfminilm.tasks.example import Example
from tfminilm.tasks.kinds import KINDS
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task

NAMES = ("<b>one</b>", "two & three", "Grüße")
TEXT = "<script>alert(1)</script>"


def evidence(examples, classes=3, gain=0.0, ahead=0.0):
    """Four models: that alone is worse by `gain`, the teacher by `ahead`."""
    generator = np.random.default_rng(0)
    names = tuple(NAMES[i] if i < 3 else f"class {i}" for i in range(classes))
    task = Task("csv:x", "classification", ("accuracy", "macro_f1"), (), names)
    labels = generator.integers(0, classes, examples)
    rows = [Example(str(i), (TEXT,), int(y)) for i, y in enumerate(labels)]

    def answers(shift):
        logits = generator.normal(size=(examples, classes))
        logits[np.arange(examples), labels] += shift
        return KINDS[task.kind].answers(
            task, rows, None, list(logits), Settings.of(task, 8)
        )

    teacher = 2 - ahead
    shifts = {
        "teacher": teacher,
        "student": 2,
        "labels alone": 2 - gain,
        "bundle": 2,
    }
    return judging.gather(
        task="csv:x",
        split="test",
        texts=[row.texts for row in rows],
        answers={name: answers(shift) for name, shift in shifts.items()},
        shown="bundle",
        against="student",
        pairs=judge._PAIRS,
        validation={name: answers(shift) for name, shift in shifts.items()},
    )


def write(tmp_path, made):
    rows = [Row("", (f"{x} {n}",), x) for x in NAMES for n in range(3)]
    plan = Plan(
        16, 3, 1e-4, {"num_layers": 1, "hidden_dim": 8}, 10, {"epochs": "why"}
    )
    path = page.write_page(
        tmp_path, "/home/me/d<i>.csv", look(rows, "d"), plan, made
    )
    return path.read_text("utf-8")


@pytest.mark.parametrize(("examples", "classes"), [(300, 3), (2, 3), (200, 40)])
def test_page(tmp_path, examples, classes):
    made = evidence(examples, classes)
    text = write(tmp_path, made)
    HTMLParser().feed(text)
    accuracy = made.models["bundle"].metrics["accuracy"]
    assert f"{accuracy.value:.1%}" in text
    gap = made.difference("student", "labels alone").value
    assert f"cannot be told from so few texts: {100 * gap:+.1f} points" in text
    assert "<script>alert" not in text
    assert "&lt;b&gt;one&lt;/b&gt;" in text
    assert "/home/me" not in text
    assert "epochs 3: why" in text
    assert text.count("<svg") == (3 if classes <= 25 else 2)
    assert not re.search(r"\b(nan|inf)\b", text)
    assert (tmp_path / "evidence.json").is_file()
    if examples == 300:
        assert "&lt;script&gt;alert(1)" in text
        assert "Where bundle and student differ" in text


def test_page_links_to_the_one_in_the_browser(tmp_path):
    made = evidence(2)
    assert "site/index.html" not in write(tmp_path, made)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("")
    assert '<a href="site/index.html">' in write(tmp_path, made)


@pytest.mark.parametrize(
    ("gain", "words"), [(1.5, "helped"), (-1.5, "did harm")]
)
def test_verdicts(gain, words):
    assert words in page._verdict(evidence(200, gain=gain))


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (1.5, ["ahead of its teacher, which learned too little: more --epoch"]),
        (-2.5, ["behind its teacher: more texts, with labels or without"]),
        (0.0, []),
    ],
)
def test_advice(ahead, words):
    lines = judge.advice(evidence(200, ahead=ahead))
    assert len(lines) == len(words)
    assert all(x in line for x, line in zip(words, lines, strict=True))


def test_thresholds_without_a_temperature(tmp_path):
    """Other kinds have none, and are held against validation texts too."""
    made = evidence(300)
    shown = made.models["bundle"]
    shown = dataclasses.replace(
        shown,
        certainty=dataclasses.replace(
            shown.certainty, temperature=None, calibrated_error=None
        ),
    )
    made = dataclasses.replace(made, models=made.models | {"bundle": shown})
    assert "chosen on the validation texts" in write(tmp_path, made)
