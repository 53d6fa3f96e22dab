"""MiniLMv2: Multi-Head Self-Attention Relation Distillation.

arXiv 2012.15828.
"""

import dataclasses
import functools
from typing import Any, ClassVar

import keras

from tfminilm import families, losses
from tfminilm.errors import UserError
from tfminilm.methods.terms import Term, require
from tfminilm.teachers.expose import encoder_calls
from tfminilm.typing import Tensor

_RELATIONS = {
    "query_relation": "queries",
    "key_relation": "keys",
    "value_relation": "values",
}


@dataclasses.dataclass(frozen=True)
class MiniLMv2:
    """Self-attention relation distillation, with separate relation heads.

    For each of queries, keys and values, the vectors of all heads of a layer
    are joined and split again into A_r relation heads (section 3.2), so that
    teacher and student may have different numbers of attention heads:

        R = softmax(X Xᵀ / sqrt(d_r)),  X one of Q, K, V
        L = sum over Q-Q, K-K, V-V of weight · KL(R_teacher ‖ R_student)

    The student's last layer learns from one of the teacher's: the last one of
    a base-size teacher, an upper middle one of a large teacher (section 4.4;
    index 20, the 21st of 24 layers, for BERT-large, and 18 for RoBERTa- and
    XLM-R-large).

    Attributes:
        num_relation_heads: A_r, which divides both widths; 48 for a base-size
            teacher, 64 for a large one.
        teacher_layer: the layer that teaches, counted from 0, or from the top
            with negative numbers.
        student_layer: the layer that learns.
        query_weight: the factor of Q-Q; 1 in the paper, 0 leaves it out.
        key_weight: the factor of K-K.
        value_weight: the factor of V-V.
    """

    reads: ClassVar = "text"

    num_relation_heads: int = 48
    teacher_layer: int = -1
    student_layer: int = -1
    query_weight: float = 1.0
    key_weight: float = 1.0
    value_weight: float = 1.0

    def __post_init__(self) -> None:
        heads = self.num_relation_heads
        require(self, "num_relation_heads", heads >= 1, "1 or more")
        for name in ("query_weight", "key_weight", "value_weight"):
            require(self, name, getattr(self, name) >= 0, "0 or more")
        if not any(self._weights()):
            raise UserError(
                "MiniLMv2 has no loss left: query_weight, key_weight and "
                "value_weight are all 0; set at least one above 0"
            )

    def terms(
        self, teacher: keras.Model, student: keras.Model
    ) -> tuple[Term, ...]:
        """Return the Q-Q, K-K and V-V relations of the two layers."""
        loss = functools.partial(
            _relation, num_relation_heads=self.num_relation_heads
        )
        return tuple(
            Term(
                name,
                loss,
                teacher=(tensor, self.teacher_layer),
                student=(tensor, self.student_layer),
                weight=weight,
            )
            for (name, tensor), weight in zip(
                _RELATIONS.items(), self._weights(), strict=True
            )
            if weight
        )

    def check(self, teacher: keras.Model, student: keras.Model) -> None:
        """Raise `UserError` unless the relation heads divide both widths."""
        for role, model in (("teacher", teacher), ("student", student)):
            encoder_calls(model)  # Refuses what is no encoder.
            backbone = getattr(model, "backbone", model)
            family = families.of_backbone(backbone) or families.DEFAULT
            size = getattr(backbone, family.split_width)
            if size % self.num_relation_heads:
                fits = [h for h in range(1, size + 1) if size % h == 0]
                best = min(
                    fits, key=lambda heads: abs(heads - self.num_relation_heads)
                )
                raise UserError(
                    f"MiniLMv2: {self.num_relation_heads} relation heads do "
                    f"not divide the {role}'s width of {size}: set "
                    f"num_relation_heads to {best}, for example"
                )

    def _weights(self) -> tuple[float, float, float]:
        return self.query_weight, self.key_weight, self.value_weight


def _relation(
    teacher: Tensor,
    student: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
    *,
    num_relation_heads: int,
) -> Any:
    return losses.relation(
        teacher, student, padding_mask, num_relation_heads, sample_weight
    )
