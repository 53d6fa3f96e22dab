"""Patient Knowledge Distillation for BERT Model Compression.

BERT-PKD (arXiv 1908.09355).
"""

import dataclasses
import functools
from typing import Any, ClassVar

import keras
from keras import ops

from tfminilm import losses
from tfminilm.errors import UserError
from tfminilm.methods import logits
from tfminilm.methods.terms import Term, require
from tfminilm.students.layer_map import layer_map
from tfminilm.teachers.expose import encoder_calls, head_outputs
from tfminilm.teachers.logits import num_classes
from tfminilm.typing import Tensor

_MAPS = ("skip", "last")


@dataclasses.dataclass(frozen=True)
class PatientKD:
    """Soft targets, labels, and the [CLS] states of intermediate layers.

        L = (1 - alpha) L_CE + alpha L_DS + beta L_PT       (equation 8)

    L_CE is the cross-entropy of the labels, L_DS soft targets at temperature
    T, and L_PT, with h the L2-normalised [CLS] states,

        L_PT = sum over layers of ||h_student - h_teacher||²  (equation 7)

    All the student's layers but the last one learn from layers of the
    teacher: "skip", every k-th ([2, 4, 6, 8, 10] of 12 for 6), or "last", the
    upper ones ([7 .. 11]). The last layer learns from the soft targets. The
    student is as wide as its teacher, and starts from the lower layers of the
    model that the teacher was before it was fine-tuned:
    `init_from_teacher(student, pretrained, "bottom")`.

    The paper searches alpha in 0.2, 0.5, 0.7, T in 5, 10, 20, and beta in 10,
    100, 500, 1000. L_DS has Hinton's factor T², as in the authors' code. In
    three places that code is not the equations:

    - L_PT is a mean over layers and features, where equation 7 has a sum. So
      divide the code's beta by layers x width to get the beta here: 100 with
      five layers of 768 becomes 0.026.
    - L_DS is a mean over the classes as well: `class_mean`.
    - The states are normalised or not, which is searched: `raw_states`.

    Attributes:
        layers: the teacher's layers that teach, "skip" or "last".
        alpha: 0 to 1.
        beta: the factor of L_PT; 0 leaves it out.
        temperature: T, above 0.
        raw_states: whether h are the states as they are, not L2-normalised.
        class_mean: whether L_DS is divided by the number of classes.
    """

    reads: ClassVar = "labels"

    layers: str = "skip"
    alpha: float = 0.5
    beta: float = 0.05
    temperature: float = 10.0
    raw_states: bool = False
    class_mean: bool = False

    def __post_init__(self) -> None:
        require(self, "layers", self.layers in _MAPS, " or ".join(_MAPS))
        require(self, "alpha", 0 <= self.alpha <= 1, "0 to 1")
        require(self, "beta", self.beta >= 0, "0 or more")
        require(self, "temperature", self.temperature > 0, "above 0")

    def terms(
        self, teacher: keras.Model, student: keras.Model
    ) -> tuple[Term, ...]:
        """Return L_CE, L_DS and L_PT."""
        patient = Term(
            "patient",
            functools.partial(_patient, normalise=not self.raw_states),
            # Hidden state i + 1 is the output of layer i.
            teacher=("hidden_states", self._map(teacher, student)),
            student=(
                "hidden_states",
                tuple(range(1, len(encoder_calls(student)))),
            ),
            weight=self.beta,
            per_text=True,
        )
        return (
            *self._soft_terms(student),
            *logits.hard_terms(student, 1 - self.alpha),
            *([patient] if self.beta else []),
        )

    def check(self, teacher: keras.Model, student: keras.Model) -> None:
        """Raise `UserError` unless heads and widths agree and a map exists."""
        logits.check_heads(type(self).__name__, teacher, student)
        if not self.beta:
            return
        teacher_width, student_width = (
            calls[0].inputs.shape[-1]
            for calls in (encoder_calls(teacher), encoder_calls(student))
        )
        if teacher_width != student_width:
            raise UserError(
                f"PatientKD compares [CLS] states, so the student is as wide "
                f"as its teacher: {teacher_width}, not {student_width}; build "
                f"it with hidden_dim={teacher_width}, or set beta to 0"
            )
        if not self._map(teacher, student):
            raise UserError(
                "PatientKD teaches all layers but the last, and the student "
                "has one: give it more, or set beta to 0"
            )

    def _soft_terms(self, student: keras.Model) -> list[Term]:
        """Return L_DS, whose weight holds the division by the classes."""
        terms = logits.soft_terms(student, self.temperature, self.alpha)
        if not self.class_mean:
            return terms
        outputs = head_outputs(student)
        counts = [num_classes(outputs[term.student[0]]) or 1 for term in terms]
        return [
            dataclasses.replace(term, weight=term.weight / count)
            for term, count in zip(terms, counts, strict=True)
        ]

    def _map(
        self, teacher: keras.Model, student: keras.Model
    ) -> tuple[int, ...]:
        """Return the indices of the teacher's hidden states that teach."""
        counts = (len(encoder_calls(model)) for model in (teacher, student))
        return tuple(layer + 1 for layer in layer_map(self.layers, *counts))


def _patient(
    teacher: list[Any],
    student: list[Any],
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
    *,
    normalise: bool,
) -> Any:
    """Compute L_PT of the first token's states; the first is never padding."""
    teacher_cls, student_cls = (
        ops.stack([states[:, 0] for states in layers], axis=1)
        for layers in (teacher, student)
    )
    return losses.patient(teacher_cls, student_cls, sample_weight, normalise)
