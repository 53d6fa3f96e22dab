"""A calibrated model's probabilities, and from where it is unsure."""

import dataclasses

import keras
import numpy as np
import pytest

from tfminilm.errors import UserError
from tfminilm.tasks import evidence
from tfminilm.tasks.calibrate import calibrate
from tfminilm.tasks.evaluate import tuned
from tfminilm.tasks.example import Example
from tfminilm.tasks.kinds import KINDS
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task

TASK = Task("csv:x", "classification", ("accuracy",), (), ("a", "b", "c"))
HOW = Settings.of(TASK, 8)
COUNT = 400


@pytest.fixture
def model():
    states = keras.Input((3,))
    return keras.Model(states, keras.layers.Dense(3)(states))


@pytest.fixture
def states():
    return np.random.default_rng(0).normal(size=(COUNT, 3)).astype("float32")


def answers(model, states, scale=5.0, settings=HOW):
    """Labels are drawn from what the model says, once that is divided."""
    logits = np.asarray(model(states), float)
    shares = evidence.probabilities(logits, scale).cumsum(axis=1)
    draws = np.random.default_rng(1).random((COUNT, 1))
    labels = (draws > shares).sum(axis=1)
    examples = [Example(str(i), ("x",), int(y)) for i, y in enumerate(labels)]
    kind = KINDS[TASK.kind]
    return kind.answers(TASK, examples, None, list(logits), settings), labels


def test_the_weights_are_divided(model, states):
    model.layers[-1].kernel.assign(10 * np.eye(3))
    before = np.asarray(model(states))
    asked, labels = answers(model, states)
    found = calibrate(model, HOW, asked, right_when_sure=0.8)
    assert found.temperature == pytest.approx(5.0, rel=0.25)
    np.testing.assert_allclose(model(states), before / found.temperature, 1e-5)
    probs = evidence.probabilities(np.asarray(model(states)))
    sure = probs.max(axis=1) >= found.unsure_below
    right = probs.argmax(axis=1) == labels
    assert 0.05 < sure.mean() < 1
    assert right[sure].mean() >= 0.8
    # No answer is so near that rounding would turn it.
    gaps = np.abs(probs.max(axis=1) - found.unsure_below)
    assert gaps.min() > 1e-6
    # Once more it is right already, and what was divided is not forgotten.
    again = calibrate(model, found, dataclasses.replace(
        asked, logits=np.asarray(model(states), float)
    ))  # fmt: skip
    assert again.temperature == pytest.approx(found.temperature, rel=1e-3)


def test_nothing_is_sure_enough(model, states):
    model.layers[-1].kernel.assign(np.zeros((3, 3)))
    asked, _ = answers(model, states)
    assert calibrate(model, HOW, asked).unsure_below == 0.0


def test_predictions_say_it():
    settings = dataclasses.replace(HOW, unsure_below=0.6)
    logits = np.log([[0.7, 0.2, 0.1], [0.5, 0.3, 0.2]])

    class Cut:
        cut_rows = np.zeros(2, bool)

    kind = KINDS[TASK.kind]
    found = kind.predictions(settings, [], Cut, list(logits))
    assert [one.is_sure for one in found] == [True, False]
    assert found[1].label == "a"  # It is named all the same.
    assert all(x.is_sure for x in kind.predictions(HOW, [], Cut, list(logits)))


def test_scores_are_not_calibrated(model):
    task = Task("csv:x", "regression", ("pearson",), ())
    examples = [Example(str(i), ("x",), float(i)) for i in range(4)]
    outputs = list(np.arange(4.0)[:, None])
    how = Settings.of(task, 8)
    asked = KINDS["regression"].answers(task, examples, None, outputs, how)
    with pytest.raises(UserError, match="one that chooses among classes"):
        calibrate(model, how, asked)


@pytest.mark.parametrize(
    ("name", "value"),
    [("temperature", -1.0), ("unsure_below", 1.5), ("unsure_below", -0.5)],
)
def test_settings_are_checked(tmp_path, name, value):
    good = dataclasses.replace(HOW, temperature=1.5, unsure_below=0.5)
    good.save(tmp_path)
    assert Settings.load(tmp_path) == good
    content = dataclasses.replace(good, **{name: value})
    content.save(tmp_path)
    with pytest.raises(UserError, match=name):
        Settings.load(tmp_path)


@pytest.mark.parametrize("labels", [[], [None], [0, None]])
def test_without_labels_nothing_is_calibrated(model, labels):
    examples = [Example("0", ("x",), label) for label in labels]
    with pytest.raises(UserError, match="no labelled examples to calibrate"):
        tuned(TASK, model, None, examples, HOW, calibrates=True)
