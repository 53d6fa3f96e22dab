"""Distilling the Knowledge in a Neural Network (arXiv 1503.02531)."""

import dataclasses
from typing import ClassVar

import keras

from tfminilm.methods import logits
from tfminilm.methods.terms import Term, require

_LOSSES = ("soft_targets", "logits_mse")


@dataclasses.dataclass(frozen=True)
class SoftTargets:
    """Soft targets: the teacher's softened classes and the true labels.

    With q = softmax(z / T) and the labels' classes y (section 2):

        L = alpha T² KL(q_teacher ‖ q_student)
            + (1 - alpha) CE(y, softmax(z_student))

    T² keeps both terms' gradients in proportion when T changes. The limit of
    high temperatures is the squared distance of the logits (section 2.1),
    `loss="logits_mse"`. Both models have the same head. It may be a
    classifier; a question answerer, whose start and end positions are the
    classes and count half each (with a BERT fine-tuned on SQuAD as teacher
    this is DistilBERT (D), arXiv 1910.01108, section 4); a head that ends in a
    sigmoid for each of several labels, which takes the softmax' place, as both
    terms are means over the labels; or a regression head with one number, where
    both terms are squared distances.

    Attributes:
        temperature: T, above 0; higher is softer.
        alpha: 0 to 1. With 1 no labels are needed; with 0 it is plain
            training, and no teacher runs.
        loss: the loss of the first term, "soft_targets" or "logits_mse".
    """

    reads: ClassVar = "labels"

    temperature: float = 2.0
    alpha: float = 0.5
    loss: str = "soft_targets"

    def __post_init__(self) -> None:
        require(self, "temperature", self.temperature > 0, "above 0")
        require(self, "alpha", 0 <= self.alpha <= 1, "0 to 1")
        expected = " or ".join(_LOSSES)
        require(self, "loss", self.loss in _LOSSES, expected)

    def terms(
        self, teacher: keras.Model, student: keras.Model
    ) -> tuple[Term, ...]:
        """Return the soft targets' and the labels' terms for each output."""
        if self.loss == "logits_mse":
            soft = logits.mse_terms(student, self.alpha)
        else:
            soft = logits.soft_terms(student, self.temperature, self.alpha)
        return (*soft, *logits.hard_terms(student, 1 - self.alpha))

    def check(self, teacher: keras.Model, student: keras.Model) -> None:
        """Raise `UserError` unless both have the same head."""
        logits.check_heads(type(self).__name__, teacher, student)
