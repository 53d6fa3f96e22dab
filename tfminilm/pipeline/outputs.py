"""Run a saved model, or a bundle, on all texts of a task's file."""

import pathlib

import numpy as np

from tfminilm.inference.load import load
from tfminilm.tasks.examples import read
from tfminilm.tasks.task import Task

SPLIT = "all"


def outputs(model: pathlib.Path, task: Task) -> np.ndarray:
    """Return a model's logits `[examples, classes]` on a file's examples.

    Args:
        model: a bundle, a workdir or a preset folder with a head.
        task: made of the file.

    Raises:
        UserError: the model is none for the task, or damaged.
    """
    return np.stack(load(model).outputs(task, read(task, SPLIT))[1])
