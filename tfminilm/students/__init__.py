"""Students: how they are built, and how they start."""

from tfminilm.students.bert import bert
from tfminilm.students.init import init_from_teacher

__all__ = ["bert", "init_from_teacher"]
