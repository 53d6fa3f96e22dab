"""Sentence embeddings by knowledge distillation (arXiv 2004.09813)."""

import dataclasses
import functools
from typing import Any, ClassVar

import keras
from keras import ops

from tfminilm import losses
from tfminilm.errors import UserError
from tfminilm.methods.terms import Term, require
from tfminilm.teachers.expose import encoder_calls
from tfminilm.typing import Tensor

_POOLINGS = ("mean", "cls")
_LOSSES = ("mse", "cosine")


@dataclasses.dataclass(frozen=True)
class SentenceEmbedding:
    """The student's embedding of a text is to be its teacher's.

    With e the pooled last hidden states (section 2):

        L = mean over features of (e_student - e_teacher)²,  or
        L = 1 - cos(e_student, e_teacher)

    A student narrower or wider than its teacher needs `project`: a linear map
    learned with it, and thrown away afterwards. Cosines between the
    student's own embeddings then agree with the teacher's only in so far as
    the map keeps angles.

    The paper also gives the student the same text in other languages; that
    takes pairs of translations, which a batch does not hold here.

    Attributes:
        pooling: "mean" over real tokens, or "cls", the first token: what the
            teacher was trained with.
        loss: "mse" or "cosine". A teacher whose users normalise its
            embeddings, as all-MiniLM's do, fixes their direction only.
        project: whether to learn a map from the student's width to the
            teacher's.
    """

    reads: ClassVar = "text"

    pooling: str = "mean"
    loss: str = "mse"
    project: bool = False

    def __post_init__(self) -> None:
        known = " or ".join(_POOLINGS)
        require(self, "pooling", self.pooling in _POOLINGS, known)
        require(self, "loss", self.loss in _LOSSES, " or ".join(_LOSSES))

    def terms(
        self, teacher: keras.Model, student: keras.Model
    ) -> tuple[Term, ...]:
        """One term, on the last hidden states."""
        states = ("hidden_states", -1)
        term = Term(
            f"embedding_{self.loss}",
            functools.partial(_LOSS[self.loss], pooling=self.pooling),
            teacher=states,
            student=states,
            projection="embedding_projection" if self.project else "",
        )
        return (term,)

    def check(self, teacher: keras.Model, student: keras.Model) -> None:
        """Raises `UserError` unless both are as wide, or are projected."""
        theirs, ours = (
            encoder_calls(model)[0].inputs.shape[-1]
            for model in (teacher, student)
        )
        if theirs != ours and not self.project:
            raise UserError(
                f"SentenceEmbedding: the teacher's embeddings have {theirs} "
                f"numbers, the student's {ours}: set project=True, or build "
                f"the student with hidden_dim={theirs}"
            )


def pooled(states: Tensor, padding_mask: Tensor, pooling: str = "mean") -> Any:
    """The embedding of a text, as a sequence of one.

    Args:
        states: `[batch, length, hidden_dim]`.
        padding_mask: `[batch, length]`, nonzero at real tokens.
        pooling: "mean" over real tokens, or "cls", the first token.

    Returns:
        `[batch, 1, hidden_dim]` float32.
    """
    states = ops.cast(states, "float32")
    if pooling == "cls":
        return states[:, :1]
    real = ops.cast(ops.cast(padding_mask, "bool"), "float32")[:, :, None]
    # What stands at padding may be anything, infinite too.
    total = ops.sum(ops.where(real > 0, states, 0.0), axis=1, keepdims=True)
    count = ops.sum(real, axis=1, keepdims=True)
    return total / ops.maximum(count, 1.0)


def _embedding_loss(
    teacher: keras.Model,
    student: keras.Model,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
    *,
    compare: Any,
    pooling: str,
) -> Any:
    theirs = pooled(teacher, padding_mask, pooling)
    ours = pooled(student, padding_mask, pooling)
    return compare(theirs, ours, ops.ones_like(ours[..., 0]), sample_weight)


_LOSS = {
    "mse": functools.partial(_embedding_loss, compare=losses.hidden_mse),
    "cosine": functools.partial(
        _embedding_loss, compare=losses.cosine_distance
    ),
}
