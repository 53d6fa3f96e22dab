"""Intervals of a comparison, against NumPy; and the command on real models."""

import json

import numpy as np
import pytest

from tfminilm.commands import main
from tfminilm.errors import UserError
from tfminilm.inference.compare import compare
from tfminilm.tasks import metrics
from tfminilm.tasks.example import Example
from tfminilm.tasks.task import Task

TASK = Task(
    "csv:x", "classification", ("accuracy",), (), ("a", "b"), texts=("text",)
)


class Fixed:
    """Stand for a model that gives the same logits again."""

    def __init__(self, logits):
        self._logits = logits

    def outputs(self, task, examples):
        return None, list(self._logits)

    def score(self, task, examples, decoded):
        return metrics.score(task, examples, decoded)


def test_intervals():
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 2, 120)
    logits = generator.normal(size=(3, 120, 2))
    logits[:, np.arange(120), labels] += np.array([[1.0], [1.0], [3.0]])
    logits[1] = logits[0]
    examples = [Example(str(i), ("x",), int(y)) for i, y in enumerate(labels)]
    result = compare([Fixed(x) for x in logits], TASK, examples, draws=400)
    right = logits.argmax(axis=2) == labels
    means = [x.value for x in result.scores["accuracy"]]
    np.testing.assert_allclose(means, right.mean(axis=1))
    same, better = result.differences["accuracy"]
    assert (same.value, same.low, same.high) == (0, 0, 0)
    assert better.low > 0
    # The normal approximation of a paired difference.
    gaps = right[2].astype(float) - right[0]
    half = 1.96 * gaps.std() / np.sqrt(120)
    assert better.high - better.low == pytest.approx(2 * half, rel=0.2)
    assert result.same == [
        1.0,
        np.mean(logits[2].argmax(1) == logits[0].argmax(1)),
    ]


def write(path):
    rows = [
        f"text {n} of many,{'negative' if n % 3 else 'positive'}"
        for n in range(30)
    ]
    path.write_text("\n".join(["text,label", *rows]) + "\n")
    return [
        f"--task=csv:{path}",
        "--text_columns=text",
        "--label_column=label",
        "--splits=all",
        "--draws=100",
    ]


def test_command(saved, tmp_path, capsys):
    flags = write(tmp_path / "d.csv")
    run, out = str(saved("bert_classifier")), tmp_path / "c.json"
    assert main(["compare", run, run, *flags, f"--output={out}"]) == 0
    shown = capsys.readouterr().out
    assert "30 examples" in shown
    assert f"B  {run}" in shown
    result = json.loads(out.read_text())["splits"]["all"]
    assert result["same"] == [1.0]
    assert result["differences"]["accuracy"] == [
        {"value": 0.0, "low": 0.0, "high": 0.0}
    ]


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (["bert_classifier"], "expected two models or more"),
        (["bert_classifier", "bert_score"], "not for"),
    ],
)
def test_refused(saved, tmp_path, capsys, models, message):
    flags = write(tmp_path / "d.csv")
    names = [str(saved(name)) for name in models]
    assert main(["compare", *names, *flags]) in (1, 2)
    assert message in capsys.readouterr().err


def test_an_encoder_has_no_answers():
    from tfminilm.inference.load import load

    with pytest.raises(UserError, match="encoder without a head"):
        load("tiny:bert").outputs(TASK, [Example("0", ("x",), 0)])
