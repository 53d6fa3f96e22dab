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
from tfminilm.tasks.evidence import Interval

NAMES = ("<b>one</b>", "two & three", "Grüße")


def judged(examples, classes=3):
    generator = np.random.default_rng(0)
    labels = {
        x: generator.integers(0, classes, examples)
        for x in ("validation", "test")
    }
    logits = {x: generator.normal(size=(examples, classes)) for x in labels}
    for name, its in logits.items():
        its[np.arange(examples), labels[name]] += 2
    names = tuple(NAMES[i] if i < 3 else f"class {i}" for i in range(classes))
    return judge.judge_one(logits, labels, names), logits, labels


def evidence(examples, classes=3):
    one, _, _ = judged(examples, classes)
    mistake = judge.Mistake(
        ("<script>alert(1)</script>",),
        "a",
        dict.fromkeys(("teacher", "student", "bundle"), "b"),
        0.9,
    )
    gap = Interval(0.01, -0.02, 0.04)
    models = dict.fromkeys(
        ("teacher", "student", "labels alone", "bundle"), one
    )
    return judge.Evidence(models, gap, gap, gap, [mistake], [], examples)


def write(tmp_path, examples, classes=3):
    rows = [Row("", (f"{x} {n}",), x) for x in NAMES for n in range(3)]
    plan = Plan(
        16, 3, {"num_layers": 1, "hidden_dim": 8}, 10, {"epochs": "why"}
    )
    made = evidence(examples, classes)
    path = page.write_page(
        tmp_path, "/home/me/d<i>.csv", look(rows, "d"), plan, made
    )
    return path.read_text("utf-8"), made


@pytest.mark.parametrize(("examples", "classes"), [(300, 3), (2, 3), (200, 40)])
def test_page(tmp_path, examples, classes):
    text, made = write(tmp_path, examples, classes)
    HTMLParser().feed(text)
    value = made.models["bundle"].accuracy.value
    assert f"{value:.1%}" in text
    assert "cannot be told from so few texts: +1.0 points" in text
    assert "<script>alert" not in text
    assert "&lt;b&gt;one&lt;/b&gt;" in text
    assert "/home/me" not in text
    assert "epochs 3: why" in text
    assert text.count("<svg") == (3 if classes <= 25 else 2)
    assert not re.search(r"\b(nan|inf)\b", text)
    assert (tmp_path / "evidence.json").is_file()


def test_verdicts(tmp_path):
    _, made = write(tmp_path, 50)
    for low, high, words in ((0.01, 0.1, "helped"), (-0.1, -0.01, "did harm")):
        other = dataclasses.replace(made, gain=Interval(0.0, low, high))
        assert words in page._verdict(other)


def test_a_judgement_by_hand():
    one, logits, labels = judged(400)
    right = logits["test"].argmax(axis=1) == labels["test"]
    assert one.accuracy.value == pytest.approx(right.mean())
    assert one.accuracy.low < right.mean() < one.accuracy.high
    assert np.trace(one.confusion) == right.sum()
    assert one.macro_f1.value == pytest.approx(
        np.mean([x.f1 for x in one.classes])
    )
    # Of those that are at least as sure, as many of 100 are right.
    threshold = one.thresholds["90%"]
    scaled = np.exp(logits["validation"])
    sure = (scaled / scaled.sum(axis=1, keepdims=True)).max(axis=1)
    hits = logits["validation"].argmax(axis=1) == labels["validation"]
    assert hits[sure >= threshold].mean() >= 0.9
