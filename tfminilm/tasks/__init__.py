"""Read tasks, build heads for them, and score models on them."""

from tfminilm.tasks.example import Example, QAExample, TaggedText
from tfminilm.tasks.examples import read
from tfminilm.tasks.readers.csv_file import csv_task
from tfminilm.tasks.readers.tagged import tagged_task
from tfminilm.tasks.task import TASKS, Task, get_task

__all__ = [
    "TASKS",
    "Example",
    "QAExample",
    "TaggedText",
    "Task",
    "csv_task",
    "get_task",
    "read",
    "tagged_task",
]
