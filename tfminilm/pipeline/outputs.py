"""Ask a model all texts of a task's file."""

import dataclasses
from typing import Any

import numpy as np

from tfminilm.inference.model import TextModel
from tfminilm.tasks.encoded import Encoded
from tfminilm.tasks.examples import read
from tfminilm.tasks.kinds import kind_of
from tfminilm.tasks.task import Task

SPLIT = "all"


@dataclasses.dataclass(frozen=True)
class Answers:
    """Hold what a model says of examples.

    Attributes:
        model: that was asked.
        task: made of the examples' file.
        examples: all of the file.
        encoded: their sequences.
        raw: the model's outputs of each sequence.
    """

    model: TextModel
    task: Task
    examples: list[Any]
    encoded: Encoded
    raw: list[Any]

    @property
    def logits(self) -> np.ndarray:
        """Return those of classes, `[examples, classes]`."""
        return np.stack(self.raw)

    def headline(self) -> float:
        """Return the score by the first of the task's metrics."""
        kind = kind_of(self.task)
        decoded = kind.decode(self.examples, self.encoded, self.raw)
        scores = self.model.score(self.task, self.examples, decoded)
        return scores[self.task.metrics[0]]


def ask(model: TextModel, task: Task) -> Answers:
    """Ask a model all texts of a file.

    Args:
        model: with a head for the task.
        task: made of the file.

    Raises:
        UserError: the model is none for the task, or damaged.
    """
    examples = read(task, SPLIT)
    return Answers(model, task, examples, *model.outputs(task, examples))
