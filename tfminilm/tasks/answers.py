"""Hold a model's answers in a form that is the same for every kind of task."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfminilm.tasks.evidence import ClassScore


def _nothing() -> np.ndarray:
    return np.zeros(0)


@dataclasses.dataclass(frozen=True)
class Answer:
    """Hold what a model says of one example, in words.

    Attributes:
        expected: what is right.
        answer: what the model says.
        certainty: how sure it is, 0 to 1; None where it does not say.
        fault: how bad the answer is; 0 if it is right.
        value: of a score, the number.
    """

    expected: str
    answer: str
    certainty: float | None
    fault: float
    value: float | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Answers:
    """Hold a model's answers to all examples of a task.

    Attributes:
        rows: one for each example.
        metrics: the names of the task's, the headline first.
        score: gives them, as fractions, of the examples at some places, which
            may repeat.
        classes: the scores of each class, label or type of entity.
        confusion: `[classes, classes]`, examples by class and prediction;
            this and all arrays below are empty of other kinds.
        certainties: `[n]`, how sure the model is of all that it says: a class
            of an example, a label of several, an entity, an answer.
        are_right: bool `[n]`, whether each of these is right.
        logits: `[examples, classes]`, where a temperature can be fitted.
        labels: `[examples]`, the classes' indices then.
        residuals: `[examples]`, a score less what is right.
        unsure_below: the model's threshold; 0 if it always answers.
    """

    rows: Sequence[Answer]
    metrics: Sequence[str]
    score: Callable[[np.ndarray], Sequence[float]]
    classes: Sequence[ClassScore] = ()
    confusion: np.ndarray = dataclasses.field(default_factory=_nothing)
    certainties: np.ndarray = dataclasses.field(default_factory=_nothing)
    are_right: np.ndarray = dataclasses.field(default_factory=_nothing)
    logits: np.ndarray = dataclasses.field(default_factory=_nothing)
    labels: np.ndarray = dataclasses.field(default_factory=_nothing)
    residuals: np.ndarray = dataclasses.field(default_factory=_nothing)
    unsure_below: float = 0.0

    @property
    def headline(self) -> float:
        """The first of the task's metrics, of all examples."""
        return self.score(np.arange(len(self.rows)))[0]


@dataclasses.dataclass(frozen=True)
class Result:
    """Hold what a model says of examples.

    `metrics` is empty if the examples have no labels. `predictions` holds a
    class, a score or an answer for each example, and `no_answer` for each
    question how much likelier "no answer" is than its answer. `answers` is
    for `tasks.judging`; `None` if that was not asked for.
    """

    metrics: dict[str, float]
    ids: list[str]
    predictions: list[Any]
    no_answer: list[float] | None = None
    answers: Answers | None = None
