"""MiniLM: Deep Self-Attention Distillation (arXiv 2002.10957)."""

import dataclasses
from typing import ClassVar

import keras

from tfminilm import losses
from tfminilm.errors import UserError
from tfminilm.methods.terms import Term
from tfminilm.teachers.expose import encoder_calls


@dataclasses.dataclass(frozen=True)
class MiniLM:
    """Deep self-attention distillation: the last layer teaches the last layer.

    The student learns two distributions over token pairs, head by head: what
    each token attends to (L_AT, equation 4), and how alike the values of two
    tokens are (L_VR, equations 5 and 6):

        L = L_AT + L_VR

    Both are independent of the hidden size, so the student may have any width
    and depth; it needs as many attention heads as the teacher. What lies above
    the self-attention of the two layers is neither computed nor trained.

    Attributes:
        teacher_layer: the layer that teaches, counted from 0, or from the top
            with negative numbers.
        student_layer: the layer that learns.
        attention_weight: the factor of L_AT; 1 in the paper, 0 leaves it out.
        value_weight: the factor of L_VR; 1 in the paper, 0 leaves it out.
    """

    reads: ClassVar = "text"

    teacher_layer: int = -1
    student_layer: int = -1
    attention_weight: float = 1.0
    value_weight: float = 1.0

    def terms(
        self, teacher: keras.Model, student: keras.Model
    ) -> tuple[Term, ...]:
        """Return L_VR on the values and L_AT on the attention scores."""
        # The values first: they keep nothing of the scores' size for the
        # backward pass, so the peaks of the two do not add up.
        terms = (
            Term(
                "value_relation",
                losses.value_relation,
                teacher=("values", self.teacher_layer),
                student=("values", self.student_layer),
                weight=self.value_weight,
            ),
            Term(
                "attention_transfer",
                losses.attention_transfer,
                teacher=("attention_scores", self.teacher_layer),
                student=("attention_scores", self.student_layer),
                weight=self.attention_weight,
            ),
        )
        return tuple(term for term in terms if term.weight)

    def check(self, teacher: keras.Model, student: keras.Model) -> None:
        """Raise `UserError` unless both have the same number of heads."""
        teacher_heads, student_heads = (
            encoder_calls(model)[0].layer.num_heads
            for model in (teacher, student)
        )
        if teacher_heads != student_heads:
            raise UserError(
                f"MiniLM needs as many heads in the student as in the "
                f"teacher: the teacher has {teacher_heads}, the student "
                f"{student_heads}; build the student with "
                f"num_heads={teacher_heads}"
            )
        if not self.terms(teacher, student):
            raise UserError(
                "MiniLM has no loss left: attention_weight and value_weight "
                "are both 0; set at least one above 0"
            )
