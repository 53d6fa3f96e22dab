"""Compare the models that were made, on texts that none has seen."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfminilm.inference.load import load
from tfminilm.pipeline.outputs import SPLIT, ask
from tfminilm.tasks import evidence
from tfminilm.tasks.evidence import ClassScore, Interval
from tfminilm.tasks.examples import read
from tfminilm.tasks.task import Task

_WORST = 20
_SHARES = (0.9, 0.95, 0.99)


@dataclasses.dataclass(frozen=True)
class Judgement:
    """Say how good one model is.

    Attributes:
        accuracy: on the test texts.
        macro_f1: the mean of the classes' F1.
        calibration_error: as the model is; and with its temperature.
        calibrated_error: after division of the logits by `temperature`.
        temperature: fitted on the validation texts.
        classes: the scores of each class.
        confusion: examples by class and prediction.
        reliability: confidence, accuracy and count, calibrated.
        thresholds: by the accuracy that is asked for, the least probability,
            as the model gives it, from which on so many validation answers
            are right; `None` if there is none.
        rejection: threshold, coverage, accuracy on the test texts.
    """

    accuracy: Interval
    macro_f1: Interval
    calibration_error: float
    calibrated_error: float
    temperature: float
    classes: list[ClassScore]
    confusion: list[list[int]]
    reliability: list[tuple[float, float, int]]
    thresholds: dict[str, float | None]
    rejection: list[tuple[float, float, float]]


@dataclasses.dataclass(frozen=True)
class Mistake:
    """One test text that a model gets wrong, or two models answer unlike."""

    texts: tuple[str, ...]
    label: str
    predictions: dict[str, str]
    probability: float


@dataclasses.dataclass(frozen=True)
class Evidence:
    """Hold what is known of all models.

    Attributes:
        models: by name.
        gain: of the student over the one without a teacher, in accuracy.
        kept: the student's accuracy less the teacher's.
        rounding: the bundle's accuracy less the student's.
        worst: the bundle's mistakes that it is most sure of.
        disagreements: where student and bundle differ.
        examples: how many test texts there are.
    """

    models: dict[str, Judgement]
    gain: Interval
    kept: Interval
    rounding: Interval
    worst: list[Mistake]
    disagreements: list[Mistake]
    examples: int


def judge(
    models: Mapping[str, pathlib.Path],
    tasks: Mapping[str, Task],
    say: Callable[[str], None],
) -> Evidence:
    """Judge "teacher", "student", "labels alone" and "bundle".

    Args:
        models: their folders by these names.
        tasks: "validation", for temperatures and thresholds, and "test".
        say: prints a line.
    """
    examples = read(tasks["test"], SPLIT)
    labels = {
        name: np.array([example.label for example in read(task, SPLIT)])
        for name, task in tasks.items()
    }
    logits = {name: _logits(path, tasks) for name, path in models.items()}
    names = tasks["test"].labels
    judged = {}
    for name, its in logits.items():
        judged[name] = judge_one(its, labels, names)
        score = judged[name].accuracy
        say(
            f"  {name}: accuracy {score.value:.1%} "
            f"({score.low:.1%} to {score.high:.1%}), macro F1 "
            f"{judged[name].macro_f1.value:.3f}"
        )
    right = {
        name: its["test"].argmax(axis=1) == labels["test"]
        for name, its in logits.items()
    }

    def difference(first: str, second: str) -> Interval:
        gap = right[first].astype(float) - right[second]
        return evidence.interval(lambda at: gap[at].mean(), len(gap))

    gain = difference("student", "labels alone")
    say(
        f"  the teacher is worth {100 * gain.value:+.1f} points "
        f"({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
    )
    answers = {name: its["test"] for name, its in logits.items()}
    return Evidence(
        models=judged,
        gain=gain,
        kept=difference("student", "teacher"),
        rounding=difference("bundle", "student"),
        worst=_worst(examples, answers, labels["test"], names),
        disagreements=_unlike(examples, answers, names),
        examples=len(examples),
    )


def _logits(
    path: pathlib.Path, tasks: Mapping[str, Task]
) -> dict[str, np.ndarray]:
    model = load(path)
    return {split: ask(model, task).logits for split, task in tasks.items()}


def judge_one(
    logits: Mapping[str, np.ndarray],
    labels: Mapping[str, np.ndarray],
    names: tuple[str, ...],
) -> Judgement:
    """Judge a model by its outputs on "validation" and "test" texts."""
    from sklearn.metrics import f1_score

    temperature = evidence.fit_temperature(
        logits["validation"], labels["validation"]
    )
    test, predicted = labels["test"], logits["test"].argmax(axis=1)
    probs = evidence.probabilities(logits["test"], temperature)
    sure = evidence.probabilities(logits["validation"])
    every = range(len(names))
    return Judgement(
        accuracy=evidence.interval(
            lambda at: float(np.mean(predicted[at] == test[at])), len(test)
        ),
        macro_f1=evidence.interval(
            lambda at: f1_score(
                test[at],
                predicted[at],
                labels=every,
                average="macro",
                zero_division=0,
            ),
            len(test),
            draws=200,
        ),
        calibration_error=evidence.calibration_error(
            evidence.probabilities(logits["test"]), test
        ),
        calibrated_error=evidence.calibration_error(probs, test),
        temperature=temperature,
        classes=evidence.per_class(test, predicted, names),
        confusion=evidence.confusion(test, predicted, len(names)).tolist(),
        reliability=evidence.reliability(probs, test),
        thresholds={
            f"{share:.0%}": evidence.threshold_for(
                sure, labels["validation"], share
            )
            for share in _SHARES
        },
        rejection=evidence.rejection(probs, test),
    )


def _worst(
    examples: list[Any],
    logits: Mapping[str, np.ndarray],
    labels: np.ndarray,
    names: tuple[str, ...],
) -> list[Mistake]:
    """Return the bundle's mistakes, those it is most sure of first."""
    probs = evidence.probabilities(logits["bundle"])
    wrong = np.flatnonzero(probs.argmax(axis=1) != labels)
    order = wrong[np.argsort(-probs[wrong].max(axis=1), kind="stable")]
    return _mistakes(examples, logits, names, order)


def _unlike(
    examples: list[Any],
    logits: Mapping[str, np.ndarray],
    names: tuple[str, ...],
) -> list[Mistake]:
    """Return texts to which student and bundle give other answers."""
    student, bundle = (logits[x].argmax(axis=1) for x in ("student", "bundle"))
    return _mistakes(examples, logits, names, np.flatnonzero(student != bundle))


def _mistakes(
    examples: list[Any],
    logits: Mapping[str, np.ndarray],
    names: tuple[str, ...],
    places: np.ndarray,
) -> list[Mistake]:
    probs = evidence.probabilities(logits["bundle"]).max(axis=1)
    return [
        Mistake(
            texts=examples[at].texts,
            label=names[examples[at].label],
            predictions={
                name: names[int(its[at].argmax())]
                for name, its in logits.items()
            },
            probability=float(probs[at]),
        )
        for at in places[:_WORST]
    ]
