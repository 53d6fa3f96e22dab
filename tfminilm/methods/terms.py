"""What a method is made of: terms, each a loss between two tensors."""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, Protocol

import keras

from tfminilm.errors import UsageError

# A tensor's name and its layer's index, as `tfminilm.expose` takes them; with
# a tuple of indices the loss gets a list of tensors.
TensorName = tuple[str, int | tuple[int, ...]]


@dataclasses.dataclass(frozen=True)
class Term:
    """One summand of a distillation loss.

    Attributes:
        name: the metric under which `Distiller` reports it.
        loss: `loss(teacher, student, padding_mask, sample_weight=...)`, a
            function out of `tfminilm.losses`, or a
            `keras.distillation.DistillationLoss`. The weights are the
            batch's; where those are of masked tokens (`[batch, masked]`),
            only a loss on an output of the student's head gets them.
        teacher: the teacher's tensor. `None` compares the student's with the
            labels: `loss(labels, student, padding_mask, sample_weight=...)`.
            Of a dict of labels it is the one named as the student's tensor,
            or the only one.
        student: the student's tensor.
        weight: the factor in the sum.
        projection: the name of a learned linear map of the student's tensor
            to the teacher's width; terms that name the same one share it.
            It is trained with the student and no part of it. None if empty.
    """

    name: str
    loss: Callable[..., Any] | Any
    teacher: TensorName | None
    student: TensorName
    weight: float = 1.0
    projection: str = ""


class Method(Protocol):
    """What `Distiller` asks of a method."""

    @property
    def reads(
        self,
    ) -> Literal["text", "masked_text", "masked_pairs", "labels"]:
        """What its batches hold.

        "text" (token ids), "masked_text" (as `tfminilm.data.masked_batch`
        makes them), "masked_pairs" (the same with `SentencePairs`) or
        "labels" (of a task).
        """
        ...

    def terms(
        self, teacher: keras.Model, student: keras.Model
    ) -> tuple[Term, ...]:
        """The summands of the loss."""
        ...

    def check(self, teacher: keras.Model, student: keras.Model) -> None:
        """Raises `UserError` if these two cannot be distilled this way."""
        ...


def require(method: Any, field: str, fine: bool, expected: str) -> None:
    """Raises `UsageError`, naming the field, unless its value is fine."""
    if not fine:
        raise UsageError(
            f"{type(method).__name__}: {field} is "
            f"{getattr(method, field)!r}, expected {expected}"
        )
