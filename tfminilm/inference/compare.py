"""Compare models on the same examples, with intervals."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfminilm.inference.model import TextModel
from tfminilm.tasks import evidence
from tfminilm.tasks.evidence import Interval
from tfminilm.tasks.judging import unlike
from tfminilm.tasks.task import Task

_DRAWS = 1000


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Say how models score, and how they differ from the first.

    Attributes:
        examples: how many were compared.
        scores: by metric, an interval for each model.
        differences: by metric, of each further model less the first one.
        same: for each further model the share of its predictions that are
            the first one's.
    """

    examples: int
    scores: dict[str, list[Interval]]
    differences: dict[str, list[Interval]]
    same: list[float]


def compare(
    models: Sequence[TextModel],
    task: Task,
    examples: Sequence[Any],
    draws: int = _DRAWS,
) -> Comparison:
    """Score models on the same examples, and on bootstrap samples of them.

    A difference's interval is of the same samples for both models: what is
    hard for both does not widen it.

    Args:
        models: two or more, each with a head for the task.
        task: says which metrics.
        examples: with labels.
        draws: bootstrap samples; fewer give rougher intervals.

    Raises:
        UserError: a model is none for the task, or the examples have no
            labels.
    """
    answers = [model.answers(task, examples) for model in models]
    scores = [one.score for one in answers]
    everything = np.arange(len(examples))
    whole = np.array([list(score(everything)) for score in scores], float)
    samples = evidence.resample(scores, len(examples), draws)
    gaps = samples[:, 1:] - samples[:, :1]
    return Comparison(
        examples=len(examples),
        scores=_by_metric(task, whole, samples),
        differences=_by_metric(task, whole[1:] - whole[0], gaps),
        same=[
            1 - len(unlike(one, answers[0])) / len(examples)
            for one in answers[1:]
        ],
    )


def _by_metric(
    task: Task, values: np.ndarray, samples: np.ndarray
) -> dict[str, list[Interval]]:
    """Return intervals of `[models, metrics]` values by the metric's name."""
    rows = [
        evidence.bounds(row.tolist(), samples[:, model])
        for model, row in enumerate(values)
    ]
    return {
        name: [row[index] for row in rows]
        for index, name in enumerate(task.metrics)
    }
