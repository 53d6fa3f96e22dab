"""What is judged, against scikit-learn, SciPy and counting by hand."""

import dataclasses

import numpy as np
import pytest

from tfminilm import typed_json
from tfminilm.tasks import entities, judging, metrics, squad_metrics, thresholds
from tfminilm.tasks.entities import Entity
from tfminilm.tasks.example import Example, QAExample
from tfminilm.tasks.judgement import Evidence
from tfminilm.tasks.kinds import KINDS
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task


def samples(count, draws=20):
    generator = np.random.default_rng(9)
    yield np.arange(count)
    for _ in range(draws):
        yield generator.integers(0, count, count)


def task_of(kind, names, labels=()):
    return Task("csv:x", kind, names, (), labels, texts=("text",))


@pytest.mark.parametrize("classes", [2, 5])
def test_classes_of_samples(classes):
    generator = np.random.default_rng(0)
    labels, guesses = generator.integers(0, classes, (2, 25))
    names = ("accuracy", "f1", "macro_f1", "matthews")
    task = task_of("classification", names, tuple("abcde"[:classes]))
    score = metrics.resampled(task, labels, guesses)
    # Macro F1 is of the classes that a sample has; F1 is of two.
    alike = [name for name in names if classes == 2 or name != "f1"]
    # One class is right in all of these, another one is not there.
    right, wrong = (
        np.flatnonzero(x)[:2] for x in (labels == guesses, labels != guesses)
    )
    few = np.array([*right[:1].repeat(3), wrong[0]])
    for at in [*samples(25), few]:
        task = dataclasses.replace(task, metrics=tuple(alike))
        wanted = metrics.compute(task, labels[at], guesses[at])
        found = dict(zip(names, score(at), strict=True))
        assert {name: found[name] for name in alike} == pytest.approx(wanted)


def test_scores_of_samples():
    labels, guesses = np.random.default_rng(1).normal(size=(2, 30))
    task = task_of("regression", ("spearman", "pearson"))
    score = metrics.resampled(task, labels, guesses)
    for at in samples(30):
        wanted = metrics.compute(task, labels[at], guesses[at])
        assert score(at) == pytest.approx([*wanted.values()])


def test_labels_of_samples():
    labels, picks = np.random.default_rng(2).random((2, 30, 4)) < [0.5] * 3 + [
        0
    ]
    names = ("macro_f1", "micro_f1")
    score = thresholds.resampled(names, labels, picks)
    for at in samples(30):
        wanted = thresholds.f1_scores(labels[at], picks[at])
        assert score(at) == pytest.approx([wanted[name] for name in names])


EXPECTED = [{Entity(0, 3, "A"), Entity(4, 5, "B")}, {Entity(0, 1, "A")}, {}]
GUESSES = [{Entity(0, 3, "A"), Entity(4, 6, "B")}, {Entity(0, 1, "C")}, {}]


def test_entities_of_samples_and_by_type():
    names = ("recall", "f1", "precision")
    score = entities.resampled(names, EXPECTED, GUESSES)
    for at in samples(3):
        wanted = entities.score(
            [EXPECTED[i] for i in at], [GUESSES[i] for i in at]
        )
        assert score(at) == pytest.approx([wanted[name] for name in names])
    rows = [
        (x.label, x.precision, x.recall, x.support)
        for x in entities.per_type(EXPECTED, GUESSES)
    ]
    assert rows == [("A", 1.0, 0.5, 2), ("B", 0.0, 0.0, 1), ("C", 0.0, 0.0, 0)]


def test_each_question():
    texts = {"a": ("the Rhine", "river"), "b": ("1995",), "c": ()}
    examples = [
        QAExample(name, "?", "", answers, (), not answers)
        for name, answers in texts.items()
    ]
    guesses = ["Rhine river", "1996", ""]
    exacts, f1s = squad_metrics.each(examples, guesses)
    np.testing.assert_allclose(exacts, [0, 0, 1])
    np.testing.assert_allclose(f1s, [2 / 3, 0, 1])
    wanted = squad_metrics.score(
        examples, dict(zip(texts, guesses, strict=True))
    )
    assert [100 * exacts.mean(), 100 * f1s.mean()] == pytest.approx(
        [wanted["exact"], wanted["f1"]]
    )


def answers(seed, count=300, shift=2.0, **settings):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, count)
    logits = generator.normal(size=(count, 3))
    logits[np.arange(count), labels] += shift
    task = task_of("classification", ("accuracy", "macro_f1"), tuple("abc"))
    examples = [Example(str(i), ("x",), int(y)) for i, y in enumerate(labels)]
    how = dataclasses.replace(Settings.of(task, 8), **settings)
    kind = KINDS["classification"]
    return kind.answers(task, examples, None, list(logits), how), logits, labels


def test_a_judgement_by_hand():
    one, logits, labels = answers(0, unsure_below=0.7)
    other = answers(0, shift=1.0)[0]
    validation, dev_logits, dev_labels = answers(1)
    found = judging.gather(
        task="t",
        split="test",
        texts=[("x",)] * 300,
        answers={"small": one, "large": other},
        shown="small",
        against="large",
        pairs=[("small", "large"), ("small", "small")],
        validation={"small": validation},
    )
    right = logits.argmax(axis=1) == labels
    judged = found.models["small"]
    accuracy = judged.metrics["accuracy"]
    assert accuracy.value == pytest.approx(right.mean())
    # The normal approximation.
    half = 1.96 * right.std() / np.sqrt(300)
    assert accuracy.high - accuracy.low == pytest.approx(2 * half, rel=0.2)
    assert sum(map(sum, judged.confusion)) == 300
    assert found.difference("small", "large").low > 0
    same = found.difference("small", "small")
    assert (same.value, same.low, same.high) == (0, 0, 0)

    sure = softmax(logits)
    dev = softmax(dev_logits)
    dev_right = dev_logits.argmax(axis=1) == dev_labels
    for cut in judged.certainty.choices:
        # Chosen on validation examples; what it does is of these.
        assert dev_right[dev >= cut.threshold].mean() >= cut.asked
        answered = sure >= cut.threshold
        assert cut.coverage == pytest.approx(answered.mean())
        assert cut.precision == pytest.approx(right[answered].mean())
    assert [cut.asked for cut in judged.certainty.choices] == [0.9, 0.95, 0.99]
    own = judged.certainty.unsure_below
    assert (own.threshold, own.coverage) == (0.7, (sure >= 0.7).mean())
    assert found.models["large"].certainty.unsure_below is None
    assert found.models["large"].certainty.temperature is None
    assert judged.certainty.temperature > 0

    wrong = np.flatnonzero(~right)
    assert found.worst[0].certainty == pytest.approx(sure[wrong].max())
    assert len(found.worst) == min(20, len(wrong))
    for mistake in found.disagreements:
        assert mistake.answers["small"] != mistake.answers["large"]
    assert typed_json.parse(Evidence, typed_json.to_json(found)) == found


def softmax(logits):
    powers = np.exp(logits)
    return powers.max(axis=1) / powers.sum(axis=1)


def test_scores_have_residuals():
    task = task_of("regression", ("pearson",))
    labels = np.arange(40.0)
    gaps = np.where(labels == 7, 5.0, 0.25)
    examples = [Example(str(i), ("x",), float(y)) for i, y in enumerate(labels)]
    outputs = list((labels + gaps)[:, None])
    kind, how = KINDS["regression"], Settings.of(task, 8)
    one = kind.answers(task, examples, None, outputs, how)
    found = judging.gather("t", "all", [("x",)] * 40, {"m": one}, "m")
    errors = found.models["m"].errors
    assert errors.mean == pytest.approx(gaps.mean())
    assert errors.mean_absolute == pytest.approx(gaps.mean())
    assert errors.root_mean_square == pytest.approx(np.sqrt((gaps**2).mean()))
    assert errors.low == pytest.approx(0.25)
    assert found.models["m"].certainty is None
    assert (found.worst[0].expected, found.worst[0].answers["m"]) == (
        "7.000",
        "12.000",
    )
    assert errors.points[0].answer - errors.points[0].expected == 0.25


def test_several_labels_are_judged_by_their_thresholds():
    task = task_of("multi_label", ("micro_f1",), ("a", "b"))
    probs = np.array([[0.4, 0.1], [0.2, 0.9], [0.6, 0.8]], np.float32)
    truth = [(1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
    examples = [Example(str(i), ("x",), y) for i, y in enumerate(truth)]
    how = dataclasses.replace(Settings.of(task, 8), thresholds=(0.3, 0.5))
    kind = KINDS["multi_label"]
    one = kind.answers(task, examples, None, list(probs), how)
    assert [(x.expected, x.answer) for x in one.rows] == [
        ("a", "a"),
        ("a, b", "b"),
        ("b", "a, b"),
    ]
    # As sure as of the label that it doubts most.
    assert [x.certainty for x in one.rows] == pytest.approx([0.4, 0.8, 0.6])
    assert [x.fault for x in one.rows] == pytest.approx([0, 0.8, 0.6])
    # Of the labels that it gives: two of them of "a".
    np.testing.assert_allclose(one.certainties, [0.4, 0.9, 0.6, 0.8])
    assert one.are_right.tolist() == [True, True, False, True]
    assert [x.support for x in one.classes] == [2, 2]
