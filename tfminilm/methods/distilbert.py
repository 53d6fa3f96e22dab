"""DistilBERT, a distilled version of BERT (arXiv 1910.01108)."""

import dataclasses
import functools

import keras

from tfminilm import losses
from tfminilm.errors import UserError
from tfminilm.methods import head_losses, logits
from tfminilm.methods.terms import Term, require


@dataclasses.dataclass(frozen=True)
class DistilBERT:
    """The triple loss: soft targets, masked tokens, direction of the states.

        L = 5 L_ce + 2 L_mlm + L_cos

    L_ce is T² KL(teacher / T ‖ student / T) on masked-language-model logits,
    L_mlm the cross-entropy of the masked tokens, and L_cos the mean over real
    tokens of 1 - cos of the last hidden states (section 3). The student is as
    wide as its teacher, starts from every second layer of it, and has no
    segment embedding and no pooler: `tfminilm.students.distilbert`.

    The paper gives the three losses; weights and temperature are those of the
    authors' code. That code takes L_ce at all tokens, which is `all_tokens`
    here; by default it is at the masked ones, as L_mlm is: with a vocabulary
    of 30,522, the logits of all tokens cost more than the models.

    Attributes:
        soft_weight: the factor of L_ce.
        mlm_weight: the factor of L_mlm.
        cosine_weight: the factor of L_cos; 0 leaves a loss out. L_cos alone
            needs no masked-language-model heads.
        temperature: T of L_ce, above 0.
        all_tokens: whether L_ce is the mean over all real tokens. Batches
            then have all positions as `mask_positions`, as those of
            `tfminilm.data.Masking` with `at_all` have.
    """

    soft_weight: float = 5.0
    mlm_weight: float = 2.0
    cosine_weight: float = 1.0
    temperature: float = 2.0
    all_tokens: bool = False

    def __post_init__(self) -> None:
        weights = ("soft_weight", "mlm_weight", "cosine_weight")
        for name in weights:
            require(self, name, getattr(self, name) >= 0, "0 or more")
        require(self, "temperature", self.temperature > 0, "above 0")
        if not any(getattr(self, name) for name in weights):
            raise UserError(
                f"DistilBERT has no loss left: {', '.join(weights)} are all "
                "0; set at least one above 0"
            )

    @property
    def reads(self) -> str:
        """Masked text if a loss needs masked tokens, else plain text."""
        return "masked_text" if self._reads_tokens else "text"

    @property
    def _reads_tokens(self) -> bool:
        return self.soft_weight > 0 or self.mlm_weight > 0

    def terms(
        self, teacher: keras.Model, student: keras.Model
    ) -> tuple[Term, ...]:
        """Return L_ce, L_mlm and L_cos."""
        states = ("hidden_states", -1)
        cosine = Term(
            "cosine_distance",
            losses.cosine_distance,
            teacher=states,
            student=states,
            weight=self.cosine_weight,
        )
        return (
            *self._soft_terms(student),
            *logits.hard_terms(student, self.mlm_weight, "masked_lm"),
            *([cosine] if self.cosine_weight else []),
        )

    def _soft_terms(self, student: keras.Model) -> list[Term]:
        """Return L_ce at the masked tokens, or at all."""
        terms = logits.soft_terms(student, self.temperature, self.soft_weight)
        if not self.all_tokens:
            return terms
        loss = functools.partial(
            head_losses.soft_of_all_tokens, temperature=self.temperature
        )
        return [dataclasses.replace(term, loss=loss) for term in terms]

    def check(self, teacher: keras.Model, student: keras.Model) -> None:
        """Raise `UserError` unless both have MLM heads and the same width."""
        if self._reads_tokens:
            logits.check_masked_lm(type(self).__name__, teacher, student)
        teacher_width, student_width = (
            getattr(model, "backbone", model).hidden_dim
            for model in (teacher, student)
        )
        if self.cosine_weight and teacher_width != student_width:
            raise UserError(
                f"DistilBERT compares hidden states, so the student is as wide "
                f"as its teacher: {teacher_width}, not {student_width}; build "
                f"it with hidden_dim={teacher_width}, or set cosine_weight to 0"
            )
