"""Compare models on the same examples, with intervals."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfminilm.inference.model import TextModel
from tfminilm.tasks.evidence import Interval
from tfminilm.tasks.kinds import kind_of
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
    kind = kind_of(task)
    decoded = []
    for model in models:
        encoded, outputs = model.outputs(task, examples)
        decoded.append(kind.decode(examples, encoded, outputs))

    def scores(at: np.ndarray) -> np.ndarray:
        few = [examples[i] for i in at]
        return np.array(
            [
                list(model.score(task, few, [rows[i] for i in at]).values())
                for model, rows in zip(models, decoded, strict=True)
            ]
        )

    whole = scores(np.arange(len(examples)))
    generator = np.random.default_rng(0)
    samples = np.stack(
        [
            scores(generator.integers(0, len(examples), len(examples)))
            for _ in range(draws)
        ]
    )
    gaps = samples[:, 1:] - samples[:, :1]
    return Comparison(
        examples=len(examples),
        scores=_by_metric(task, whole, samples),
        differences=_by_metric(task, whole[1:] - whole[0], gaps),
        same=[
            float(np.mean([a == b for a, b in zip(x, decoded[0], strict=True)]))
            for x in decoded[1:]
        ],
    )


def _by_metric(
    task: Task, values: np.ndarray, samples: np.ndarray
) -> dict[str, list[Interval]]:
    """Return intervals of `[models, metrics]` values by the metric's name."""
    low, high = np.percentile(samples, [2.5, 97.5], axis=0)
    bounds = np.stack([values, low, high], axis=-1).tolist()
    return {
        name: [Interval(*row[index]) for row in bounds]
        for index, name in enumerate(task.metrics)
    }
