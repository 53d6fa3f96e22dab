"""Examples of a task, from its original files or TensorFlow Datasets."""

import os
from typing import Any

from tfminilm.tasks.example import Example, QAExample
from tfminilm.tasks.task import Task

__all__ = ["Example", "QAExample", "read"]


def read(
    task: Task,
    split: str,
    data_dir: str | os.PathLike | None = None,
    language: str | None = None,
    skip_bad_answers: bool = False,
) -> list[Any]:
    """All examples of a split (see the finished docstring)."""
    raise NotImplementedError
