"""Ask a model all texts of a task's file."""

import os

from tfminilm.inference.load import load
from tfminilm.tasks.answers import Answers
from tfminilm.tasks.examples import read
from tfminilm.tasks.task import Task

SPLIT = "all"


def ask(model: str | os.PathLike, task: Task) -> Answers:
    """Ask a model all texts of a file.

    Args:
        model: a bundle, a workdir or a preset folder with a head for the task.
        task: made of the file.

    Raises:
        UserError: the model is none for the task, or damaged.
    """
    return load(model).answers(task, read(task, SPLIT))
