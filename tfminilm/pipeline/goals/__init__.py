"""Keep what `make` may predict: one class each, and how they are told apart."""

from tfminilm.pipeline.goals.choose import choose, choose_beside
from tfminilm.pipeline.goals.classes import (
    NamedAndSoftClasses,
    OneClass,
    SoftClasses,
)
from tfminilm.pipeline.goals.goal import Goal
from tfminilm.pipeline.goals.number import Number
from tfminilm.pipeline.goals.several import LabelColumns, SeveralLabels
from tfminilm.pipeline.goals.tagged import Tags

__all__ = [
    "Goal",
    "LabelColumns",
    "NamedAndSoftClasses",
    "Number",
    "OneClass",
    "SeveralLabels",
    "SoftClasses",
    "Tags",
    "choose",
    "choose_beside",
]
