"""MobileBERT: a Compact Task-Agnostic BERT (arXiv 2004.02984), section 3."""

import dataclasses
from typing import Any, Literal

import keras

from tfminilm import losses
from tfminilm.errors import UserError
from tfminilm.methods import logits
from tfminilm.methods.terms import Term, require
from tfminilm.teachers.expose import encoder_calls

_WEIGHTS = ("feature_weight", "attention_weight", "pretraining_weight")


@dataclasses.dataclass(frozen=True)
class MobileBERT:
    """Feature maps and attention, layer by layer, and pre-training.

    Teacher and student have equal depth, equal width between their layers and
    equal numbers of heads, so layer l learns from layer l without projection:

        L_FMT = sum over l of MSE(H_l, H^teacher_l)
        L_AT  = sum over l of 1/(A T) sum over heads and tokens of
                KL(a^teacher_l ‖ a_l)
        L_PD  = alpha L_MLM + (1 - alpha) L_KD + L_NSP

    with H the outputs of the layers, a the attention probabilities, L_KD the
    soft targets at the masked tokens, and L_NSP the cross-entropy of
    next-sentence prediction. The authors' code normalises H first, and adds
    losses on its mean and variance: 100 L_FMT + L_AT + 5000 L_mean +
    5 L_variance, each divided by the number of layers.

    The paper's three strategies are stages here. Auxiliary (all losses at
    once) is `MobileBERT()`, without next sentences, which need pairs of texts.
    Joint is `MobileBERT.transfer()` and then `MobileBERT.pretraining()`.
    Progressive is `MobileBERT.transfer(layer)` for each layer from the bottom,
    with the lower ones frozen, and then `MobileBERT.pretraining()`.

    Attributes:
        feature_weight: the factor of L_FMT.
        attention_weight: the factor of L_AT.
        pretraining_weight: the factor of L_PD; 0 leaves a loss out.
        alpha: 0 to 1, the share of L_MLM in L_PD.
        temperature: the temperature of L_KD, above 0.
        next_sentence_weight: the factor of L_NSP in L_PD, 1 in the paper.
            Above 0 the batches are pairs of texts, and the student predicts
            next sentences.
        layer: the only one whose feature map and attention are transferred,
            counted from 0; `None` for all.
        masked_pairs: whether batches are masked pairs of texts even where no
            L_PD needs them, as in the authors' code, whose transfer reads
            what pre-training does.
    """

    feature_weight: float = 1.0
    attention_weight: float = 1.0
    pretraining_weight: float = 1.0
    alpha: float = 0.5
    temperature: float = 1.0
    next_sentence_weight: float = 0.0
    layer: int | None = None
    masked_pairs: bool = False

    @classmethod
    def transfer(
        cls, layer: int | None = None, masked_pairs: bool = False
    ) -> "MobileBERT":
        """Build the method of L_FMT and L_AT, of all layers or of one."""
        return cls(
            pretraining_weight=0.0, layer=layer, masked_pairs=masked_pairs
        )

    @classmethod
    def pretraining(
        cls, alpha: float = 0.5, next_sentence_weight: float = 0.0
    ) -> "MobileBERT":
        """Build the method of L_PD only."""
        return cls(
            feature_weight=0.0,
            attention_weight=0.0,
            alpha=alpha,
            next_sentence_weight=next_sentence_weight,
        )

    def __post_init__(self) -> None:
        for name in (*_WEIGHTS, "next_sentence_weight"):
            require(self, name, getattr(self, name) >= 0, "0 or more")
        require(self, "alpha", 0 <= self.alpha <= 1, "0 to 1")
        require(self, "temperature", self.temperature > 0, "above 0")
        is_valid = self.layer is None or self.layer >= 0
        require(self, "layer", is_valid, "0 or more, or None for all layers")
        require(
            self,
            "next_sentence_weight",
            bool(self.pretraining_weight or not self.next_sentence_weight),
            "0 where pretraining_weight is 0, of which it is a part",
        )
        if not any(getattr(self, name) for name in _WEIGHTS):
            raise UserError(
                f"MobileBERT has no loss left: {', '.join(_WEIGHTS)} are all "
                "0; set at least one above 0"
            )

    @property
    def reads(self) -> Literal["text", "masked_text", "masked_pairs"]:
        """Masked text if L_PD predicts masked tokens, else plain text."""
        if self.next_sentence_weight or self.masked_pairs:
            return "masked_pairs"
        return "masked_text" if self.pretraining_weight else "text"

    def terms(
        self, teacher: keras.Model, student: keras.Model
    ) -> tuple[Term, ...]:
        """Return L_FMT and L_AT of each layer from the bottom; then L_PD."""
        terms = [
            term
            for layer in self._layers(student)
            for term in self._transfer_terms(layer)
        ]
        if self.pretraining_weight:
            hard = self.pretraining_weight * self.alpha
            soft = self.pretraining_weight - hard
            terms += logits.soft_terms(student, self.temperature, soft)
            terms += logits.hard_terms(student, hard, "masked_lm")
            terms += logits.next_sentence_terms(
                self.pretraining_weight * self.next_sentence_weight
            )
        return tuple(terms)

    def check(self, teacher: keras.Model, student: keras.Model) -> None:
        """Raise `UserError` unless the layers of both models correspond."""
        if self.pretraining_weight:
            logits.check_masked_lm(
                type(self).__name__, teacher, student, self.next_sentence_weight
            )
        if not (self.feature_weight or self.attention_weight):
            return
        teacher_sizes, student_sizes = (
            _sizes(model) for model in (teacher, student)
        )
        compared = ["num_layers"]
        compared += ["hidden_dim"] if self.feature_weight else []
        compared += ["num_heads"] if self.attention_weight else []
        for name in compared:
            if teacher_sizes[name] != student_sizes[name]:
                raise UserError(
                    "MobileBERT compares layer by layer, and the teacher has "
                    f"{name} {teacher_sizes[name]}, the student "
                    f"{student_sizes[name]}: build it with "
                    f"{name}={teacher_sizes[name]}"
                )
        if self.layer is not None and self.layer >= student_sizes["num_layers"]:
            raise UserError(
                f"MobileBERT: layer is {self.layer}, but the models' layers "
                f"are 0 to {student_sizes['num_layers'] - 1}"
            )

    def _layers(self, student: keras.Model) -> range | list[int]:
        """Return the layers that are transferred."""
        if self.layer is not None:
            return [self.layer]
        return range(len(encoder_calls(student)))

    def _transfer_terms(self, layer: int) -> list[Term]:
        """Return L_FMT and L_AT of one layer."""
        # Hidden state l + 1 is the output of layer l.
        states = ("hidden_states", layer + 1)
        scores = ("attention_scores", layer)
        terms = [
            Term(
                f"feature_map_{layer + 1}",
                losses.hidden_mse,
                teacher=states,
                student=states,
                weight=self.feature_weight,
            ),
            Term(
                f"attention_{layer + 1}",
                losses.attention_transfer,
                teacher=scores,
                student=scores,
                weight=self.attention_weight,
            ),
        ]
        return [term for term in terms if term.weight]


def _sizes(model: keras.Model) -> dict[str, Any]:
    calls = encoder_calls(model)
    return {
        "num_layers": len(calls),
        "hidden_dim": calls[0].inputs.shape[-1],
        "num_heads": calls[0].layer.num_heads,
    }
