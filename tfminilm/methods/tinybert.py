"""TinyBERT: Distilling BERT for Natural Language Understanding.

arXiv 1909.10351.
"""

import dataclasses
from typing import Literal

import keras

from tfminilm import losses
from tfminilm.errors import UserError
from tfminilm.methods import logits
from tfminilm.methods.terms import Term, require
from tfminilm.students.layer_map import layer_map
from tfminilm.teachers.expose import encoder_calls

_LOSSES = ("embedding", "hidden", "attention", "prediction")
_MAPS = ("uniform", "top", "bottom")
_PROJECTIONS = ("per_layer", "shared", "none")


@dataclasses.dataclass(frozen=True)
class TinyBERT:
    """Embeddings, hidden states, attention scores, and logits.

    Layer m of the student's M learns from layer g(m) of the teacher's:

        L_embd = MSE(E_student W_e, E_teacher)                   (equation 9)
        L_hidn = sum over m of MSE(H_m W_h, H_g(m))              (equation 8)
        L_attn = sum over m of mean over heads of MSE(A_m, A_g(m))
                                                                 (equation 7)
        L_pred = T² KL(softmax(z_teacher / T) ‖ softmax(z_student / T))
                                                                (equation 10)

    with A the scaled scores of queries and keys before their softmax, z the
    logits, and all factors lambda of equation 6 being 1. The paper's L_pred
    is the cross-entropy at T = 1, which exceeds the divergence by a constant.

    The paper distils three times: on text, the layers of a teacher that was
    not fine-tuned; on a task's augmented examples (`data.augment`), the layers
    of a fine-tuned teacher; and then its predictions. The first two are
    `TinyBERT()`, on models with or without heads; the third is
    `TinyBERT.prediction()`.

    The projections W are learned with the student and belong to no student. In
    a recipe they go on from the general to the task distillation, as in the
    authors' code, by `train.projections`. That code has one, with a bias, for
    embeddings and all layers; the paper has none.

    Attributes:
        layers: the map g: "uniform" (m L / M), "top" (m + L - M) or
            "bottom" (m).
        embedding_weight: the factor of L_embd.
        hidden_weight: the factor of L_hidn.
        attention_weight: the factor of L_attn.
        prediction_weight: the factor of L_pred; 0 leaves a loss out.
        temperature: T, above 0.
        projection: of the hidden states: "per_layer" (a W_h for each layer),
            "shared" (one for all), or "none", also without W_e, for students
            as wide as their teachers.
    """

    layers: str = "uniform"
    embedding_weight: float = 1.0
    hidden_weight: float = 1.0
    attention_weight: float = 1.0
    prediction_weight: float = 0.0
    temperature: float = 1.0
    projection: str = "per_layer"

    @classmethod
    def prediction(cls, temperature: float = 1.0) -> "TinyBERT":
        """Build the method of the last step: L_pred only."""
        return cls(
            embedding_weight=0.0,
            hidden_weight=0.0,
            attention_weight=0.0,
            prediction_weight=1.0,
            temperature=temperature,
        )

    def __post_init__(self) -> None:
        weights = [f"{name}_weight" for name in _LOSSES]
        for name in weights:
            require(self, name, getattr(self, name) >= 0, "0 or more")
        require(self, "temperature", self.temperature > 0, "above 0")
        for name, values in (("layers", _MAPS), ("projection", _PROJECTIONS)):
            is_valid = getattr(self, name) in values
            require(self, name, is_valid, " or ".join(values))
        if not any(getattr(self, name) for name in weights):
            raise UserError(
                f"TinyBERT has no loss left: {', '.join(weights)} are all 0; "
                "set at least one above 0"
            )

    @property
    def reads(self) -> Literal["text", "labels"]:
        """A task's labelled examples if L_pred is used, else plain text."""
        return "labels" if self.prediction_weight else "text"

    def terms(
        self, teacher: keras.Model, student: keras.Model
    ) -> tuple[Term, ...]:
        """Return L_embd; L_hidn and L_attn of each layer; L_pred."""
        terms = []
        if self.embedding_weight:
            terms.append(self._states("embedding_mse", 0, 0))
        if self.hidden_weight or self.attention_weight:
            for student_layer, teacher_layer in enumerate(
                self._map(teacher, student)
            ):
                terms += self._layer(student_layer, teacher_layer)
        return (
            *terms,
            *logits.soft_terms(
                student, self.temperature, self.prediction_weight
            ),
        )

    def check(self, teacher: keras.Model, student: keras.Model) -> None:
        """Raise `UserError` unless heads, widths and layers fit together."""
        if self.prediction_weight:
            logits.check_heads(type(self).__name__, teacher, student)
        if self.hidden_weight or self.attention_weight:
            self._map(teacher, student)
        if self.attention_weight:
            _check_attention(teacher, student)
        has_states = self.embedding_weight or self.hidden_weight
        if has_states and self.projection == "none":
            _check_widths(teacher, student)

    def _layer(self, student_layer: int, teacher_layer: int) -> list[Term]:
        """Return L_hidn and L_attn of one layer of the student."""
        # Hidden state i + 1 is the output of layer i.
        hidden = self._states(
            f"hidden_mse_{student_layer + 1}",
            student_layer + 1,
            teacher_layer + 1,
        )
        attention = Term(
            f"attention_mse_{student_layer + 1}",
            losses.attention_scores_mse,
            teacher=("attention_scores", teacher_layer),
            student=("attention_scores", student_layer),
            weight=self.attention_weight,
        )
        return [term for term in (hidden, attention) if term.weight]

    def _states(
        self, name: str, student_index: int, teacher_index: int
    ) -> Term:
        """Return a term of hidden states, or with index 0 of the embeddings."""
        projection = f"{name}_projection"
        if student_index and self.projection == "shared":
            projection = "hidden_mse_projection"
        return Term(
            name,
            losses.hidden_mse,
            teacher=("hidden_states", teacher_index),
            student=("hidden_states", student_index),
            weight=self.hidden_weight
            if student_index
            else self.embedding_weight,
            projection="" if self.projection == "none" else projection,
        )

    def _map(
        self, teacher: keras.Model, student: keras.Model
    ) -> tuple[int, ...]:
        """Return g: the teacher's layer for each of the student's."""
        counts = (len(encoder_calls(model)) for model in (teacher, student))
        return layer_map(self.layers, *counts)


def _check_attention(teacher: keras.Model, student: keras.Model) -> None:
    teacher_heads, student_heads = (
        call.layer.num_heads
        for call, *_ in (encoder_calls(model) for model in (teacher, student))
    )
    if teacher_heads != student_heads:
        raise UserError(
            f"TinyBERT compares attention head by head: the teacher has "
            f"{teacher_heads}, the student {student_heads}; build it with "
            f"num_heads={teacher_heads}, or set attention_weight to 0"
        )


def _check_widths(teacher: keras.Model, student: keras.Model) -> None:
    teacher_width, student_width = (
        encoder_calls(model)[0].inputs.shape[-1] for model in (teacher, student)
    )
    if teacher_width != student_width:
        raise UserError(
            f"TinyBERT: the teacher's hidden states have {teacher_width} "
            f"numbers, the student's {student_width}: set projection to "
            "per_layer or shared, or build the student with "
            f"hidden_dim={teacher_width}"
        )
