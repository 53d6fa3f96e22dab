"""Intervals of a comparison, against NumPy; and the command on real models."""

import json

import numpy as np
import pytest

import tfminilm
from tfminilm.commands import main
from tfminilm.errors import UserError
from tfminilm.inference.compare import compare
from tfminilm.tasks import squad_metrics
from tfminilm.tasks.example import Example, QAExample
from tfminilm.tasks.kinds import kind_of
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task, get_task

TASK = Task(
    "csv:x", "classification", ("accuracy",), (), ("a", "b"), texts=("text",)
)


class Fixed:
    """Stand for a model that gives the same logits again."""

    def __init__(self, logits):
        self._logits = logits

    def answers(self, task, examples):
        settings = Settings.of(task, 16)
        outputs = list(self._logits)
        return kind_of(task).answers(task, examples, None, outputs, settings)


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
    assert result.same == pytest.approx(
        [1.0, np.mean(logits[2].argmax(1) == logits[0].argmax(1))]
    )


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


def test_questions_are_compared_in_points(saved):
    """F1 stands under its name, as a fraction, as all metrics do."""
    model = tfminilm.load(saved("bert_span"))
    contexts = ["the cat sat on the mat", "a dog ran to the hill", "it rained"]
    examples = []
    for name, context in enumerate(contexts):
        answer = model.predict(("who", context)).text
        # The first is answered rightly, of the second a part is.
        wanted = [answer, answer.split()[0], "xyzzy"][name]
        examples.append(
            QAExample(str(name), "who", context, (wanted,), (0,), False)
        )
    result = compare([model, model], get_task("squad"), examples, draws=50)
    exact, f1 = (result.scores[name][0].value for name in ("exact", "f1"))
    decoded = [model.predict(("who", x.context)).text for x in examples]
    wanted = squad_metrics.score(
        examples, {x.id: y for x, y in zip(examples, decoded, strict=True)}
    )
    assert [100 * exact, 100 * f1] == pytest.approx(
        [wanted["exact"], wanted["f1"]]
    )
    assert 0 < exact < f1 < 1
    assert result.differences["f1"][0].high == 0
    assert result.same == [1.0]


def test_labels_and_scores_that_are_alike_are_the_same_answer():
    several = Task("csv:x", "multi_label", ("micro_f1",), (), ("a", "b"))
    examples = [Example(str(i), ("x",), (1.0, 0.0)) for i in range(4)]
    probs = np.array([[0.9, 0.1], [0.2, 0.1], [0.9, 0.9], [0.8, 0.3]])
    other = np.array([[0.8, 0.2], [0.1, 0.2], [0.9, 0.4], [0.7, 0.2]])
    result = compare([Fixed(probs), Fixed(other)], several, examples, draws=50)
    assert result.same == [0.75]
    first, second = result.scores["micro_f1"]
    assert result.differences["micro_f1"][0].value == pytest.approx(
        second.value - first.value
    )


def test_an_encoder_has_no_answers():
    from tfminilm.inference.load import load

    with pytest.raises(UserError, match="encoder without a head"):
        load("tiny:bert").outputs(TASK, [Example("0", ("x",), 0)])
