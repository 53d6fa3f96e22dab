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
    """The student learns its teacher's logits, whatever the label.

        L = mean over classes of (z_student - z_teacher)²    (equation 5)

    The paper uses no labels, and many more texts than the labelled ones:
    `tfminilm.data.augment.bilstm` makes them. The student may be any model
    from tokens to logits; the paper's is `tfminilm.students.bilstm`.
    `SoftTargets(loss="logits_mse")` is the same loss together with labels.
    """

    reads: ClassVar = "labels"

    def terms(
        self, teacher: keras.Model, student: keras.Model
    ) -> tuple[Term, ...]:
        """Return the squared distance of each output of the head."""
        return tuple(logits.mse_terms(student, 1.0))

    def check(self, teacher: keras.Model, student: keras.Model) -> None:
        """Raise `UserError` unless both have the same head."""
        logits.check_heads(type(self).__name__, teacher, student)
