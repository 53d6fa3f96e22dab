"""The terms that a method consists of: losses between two tensors."""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, Protocol

import keras
from keras import ops

from tfminilm.errors import UsageError, UserError
from tfminilm.typing import Tensor, Tensors

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
            `keras.distillation.DistillationLoss`. `sample_weight` are the
            batch's weights; weights of masked tokens (`[batch, masked]`) go
            only to losses on an output of the student's head.
        teacher: the teacher's tensor. With `None` the student's tensor is
            compared with the labels: `loss(labels, student, padding_mask,
            sample_weight=...)`. Of a dict of labels the loss gets the one
            named as the student's tensor, or the only one.
        student: the student's tensor.
        weight: the factor in the sum.
        projection: the name of a learned linear map of the student's tensor
            to the teacher's width; terms that name the same one share it.
            It is trained with the student but does not belong to it. Empty
            for no projection.
        per_text: whether the tensors have one entry for each text, not for
            each token. The teacher may then cut the text by a tokenizer of
            its own.
        pool: `pool(tensor, padding_mask)`, which makes such entries of the
            tokens: `[batch, entries, width]`. It is called with each model's
            own tensor and mask, and the loss gets what it returns.
    """

    name: str
    loss: Callable[..., Any] | Any
    teacher: TensorName | None
    student: TensorName
    weight: float = 1.0
    projection: str = ""
    per_text: bool = False
    pool: Callable[[Any, Any], Any] | None = None

    def value(
        self,
        target: Tensors,
        student: Tensors,
        masks: tuple[Tensor, Tensor],
        weight: Tensor | None,
    ) -> Any:
        """Compute the loss, a scalar.

        Args:
            target: the teacher's tensor, or the labels.
            student: the student's, projected if need be.
            masks: the padding masks of teacher and student.
            weight: the weights of the batch, or `None`.

        Raises:
            UserError: a loss of Keras' gets weights.
        """
        teacher_mask, mask = masks
        if self.pool is not None:
            target = self.pool(target, teacher_mask)
            student = self.pool(student, mask)
            mask = ops.ones_like(student[..., 0])
        if not isinstance(self.loss, keras.distillation.DistillationLoss):
            return self.loss(target, student, mask, sample_weight=weight)
        if weight is not None:
            raise UserError(
                f"{self.name} is a {type(self.loss).__name__}, which takes no "
                "sample_weight: use a loss of tfminilm.losses, or leave the "
                "weights out"
            )
        return self.loss.compute_loss(target, student)


class Method(Protocol):
    """The interface of a method that `Distiller` trains with."""

    @property
    def reads(
        self,
    ) -> Literal["text", "masked_text", "masked_pairs", "labels"]:
        """The kind of batches that the method needs.

        "text" (token ids), "masked_text" (as `tfminilm.data.masked_batch`
        makes them), "masked_pairs" (the same with `SentencePairs`) or
        "labels" (of a task).
        """
        ...

    def terms(
        self, teacher: keras.Model, student: keras.Model
    ) -> tuple[Term, ...]:
        """Return the summands of the loss."""
        ...

    def check(self, teacher: keras.Model, student: keras.Model) -> None:
        """Raise `UserError` if the method does not fit these two models."""
        ...


def require(method: object, field: str, is_valid: bool, expected: str) -> None:
    """Raise `UsageError`, naming the field, unless its value is valid."""
    if not is_valid:
        raise UsageError(
            f"{type(method).__name__}: {field} is "
            f"{getattr(method, field)!r}, expected {expected}"
        )
