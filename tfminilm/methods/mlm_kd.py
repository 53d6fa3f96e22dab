"""MLM-KD: soft targets (arXiv 1503.02531) on masked-language-model logits."""

import dataclasses
from typing import Literal

import keras

from tfminilm.methods import logits
from tfminilm.methods.terms import Term, require


@dataclasses.dataclass(frozen=True)
class MLMKD:
    """Soft targets and true tokens at the masked positions.

    With q = softmax(z / T) over the vocabulary, at every masked token:

        L = alpha T² KL(q_teacher ‖ q_student)
            + (1 - alpha) CE(token, softmax(z_student)) + L_NSP

    This is the baseline of MiniLM and others (arXiv 2002.10957, table 3).
    Logits are computed at the masked tokens only, 15 % of all. L_NSP, BERT's
    loss of next-sentence prediction, is left out by default.

    Attributes:
        temperature: T, above 0; higher is softer.
        alpha: 0 to 1. With 0 it is plain pre-training, and no teacher runs.
        next_sentence_weight: the factor of L_NSP, 1 in BERT's pre-training.
            Above 0 the batches are pairs of texts, and the student predicts
            next sentences.
    """

    temperature: float = 1.0
    alpha: float = 0.5
    next_sentence_weight: float = 0.0

    def __post_init__(self) -> None:
        require(self, "temperature", self.temperature > 0, "above 0")
        require(self, "alpha", 0 <= self.alpha <= 1, "0 to 1")
        is_valid = self.next_sentence_weight >= 0
        require(self, "next_sentence_weight", is_valid, "0 or more")

    @property
    def reads(self) -> Literal["masked_text", "masked_pairs"]:
        """Pairs of texts if next sentences are predicted, else single texts."""
        return "masked_pairs" if self.next_sentence_weight else "masked_text"

    @property
    def needs_teacher(self) -> bool:
        """Tell whether a teacher runs."""
        return self.alpha > 0

    def terms(
        self, teacher: keras.Model, student: keras.Model
    ) -> tuple[Term, ...]:
        """Return the terms of soft targets, masked tokens, next sentences."""
        return (
            *logits.soft_terms(student, self.temperature, self.alpha),
            *logits.hard_terms(student, 1 - self.alpha, "masked_lm"),
            *logits.next_sentence_terms(self.next_sentence_weight),
        )

    def check(self, teacher: keras.Model, student: keras.Model) -> None:
        """Raise `UserError` unless both are masked language models."""
        logits.check_masked_lm(
            type(self).__name__, teacher, student, self.next_sentence_weight
        )
