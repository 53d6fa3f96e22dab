"""Benchmarks: their data, metrics and submission files."""

from tfminilm.tasks.example import Example, QAExample
from tfminilm.tasks.examples import read
from tfminilm.tasks.task import TASKS, Task, get_task

__all__ = ["TASKS", "Example", "QAExample", "Task", "get_task", "read"]
