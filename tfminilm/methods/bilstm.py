"""Distilling Task-Specific Knowledge from BERT into Simple Neural Networks.

Distilled BiLSTM (arXiv 1903.12136).
"""

import dataclasses
from typing import ClassVar

import keras

from tfminilm.methods import logits
from tfminilm.methods.terms import Term


@dataclasses.dataclass(frozen=True)
class BiLSTMSoft:
    """The student's logits are to be its teacher's, whatever the label.

        L = mean over classes of (z_student - z_teacher)²    (equation 5)

    The paper leaves the labels out, and feeds the teacher with many more
    texts than have one: `tfminilm.data.augment.bilstm`. The student may be
    anything that reads tokens and gives logits; the paper's own is
    `tfminilm.students.bilstm`, and `SoftTargets(loss="logits_mse")` is the
    same loss with labels beside it.
    """

    reads: ClassVar = "labels"

    def terms(
        self, teacher: keras.Model, student: keras.Model
    ) -> tuple[Term, ...]:
        """The squared distance of each output of the head."""
        return tuple(logits.mse_terms(student, 1.0))

    def check(self, teacher: keras.Model, student: keras.Model) -> None:
        """Raises `UserError` unless both have the same head."""
        logits.check_heads(type(self).__name__, teacher, student)
