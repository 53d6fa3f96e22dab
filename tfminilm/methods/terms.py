"""What a method is made of: terms, each a loss between two tensors."""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

import keras


@dataclasses.dataclass(frozen=True)
class Term:
    """One summand of a distillation loss.

    Attributes:
        name: the metric under which `Distiller` reports it.
        loss: `loss(teacher, student, padding_mask, sample_weight=...)`, a
            function out of `tfminilm.losses`, or a
            `keras.distillation.DistillationLoss`.
        teacher: the teacher's tensor: its name and the layer's index, as
            `tfminilm.expose` takes them.
        student: the student's tensor.
        weight: the factor in the sum.
    """

    name: str
    loss: Callable[..., Any] | Any
    teacher: tuple[str, int]
    student: tuple[str, int]
    weight: float = 1.0


class Method(Protocol):
    """What `Distiller` asks of a method."""

    def terms(self) -> tuple[Term, ...]:
        """The summands of the loss."""
        ...

    def check(self, teacher: keras.Model, student: keras.Model) -> None:
        """Raises `UserError` if these two cannot be distilled this way."""
        ...
