"""Sentence embeddings by knowledge distillation (arXiv 2004.09813)."""

import dataclasses
import functools
from typing import Any, ClassVar

import keras
from keras import ops

from tfminilm import losses
from tfminilm.errors import UserError
from tfminilm.methods.terms import Term, require
from tfminilm.teachers.embedding import POOLINGS, embedding_of, known_embedding
from tfminilm.teachers.recorded import EMBEDDING, gives_embeddings, width_of
from tfminilm.typing import Tensor

_LOSSES = {"mse": losses.hidden_mse, "cosine": losses.cosine_distance}


@dataclasses.dataclass(frozen=True)
class SentenceEmbedding:
    """The student learns its teacher's embedding of a text.

    With e the pooled last hidden states (section 2):

        L = mean over features of (e_student - e_teacher)²,  or
        L = 1 - cos(e_student, e_teacher)

    If student and teacher differ in width, set `project`: a linear map is
    learned with the student, and thrown away afterwards. Cosines between the
    student's embeddings then agree with the teacher's only as far as the map
    keeps angles.

    The paper also gives the student the same text in other languages: where a
    batch has columns for the teacher alone, the two may read different texts,
    as of a recipe's "parallel:FILE".

    Attributes:
        pooling: "mean" over real tokens, or "cls", the first token; empty
            for what the teacher's folder says, and the mean if it says
            nothing.
        loss: "mse" or "cosine". Take "cosine" if the embeddings are
            normalised in use, as those of all-MiniLM are.
        project: whether to learn a map from the student's width to the
            teacher's.
    """

    reads: ClassVar = "text"

    pooling: str = ""
    loss: str = "mse"
    project: bool = False

    def __post_init__(self) -> None:
        poolings = " or ".join(POOLINGS)
        is_one = self.pooling in ("", *POOLINGS)
        require(self, "pooling", is_one, poolings)
        require(self, "loss", self.loss in _LOSSES, " or ".join(_LOSSES))

    def terms(
        self, teacher: keras.Model, student: keras.Model
    ) -> tuple[Term, ...]:
        """Return one term, on the last hidden states."""
        states = ("hidden_states", -1)
        pooling = self.pooling or embedding_of(teacher).pooling
        term = Term(
            f"embedding_{self.loss}",
            _LOSSES[self.loss],
            teacher=(EMBEDDING, -1) if gives_embeddings(teacher) else states,
            student=states,
            projection="embedding_projection" if self.project else "",
            per_text=True,
            pool=functools.partial(pooled, pooling=pooling),
        )
        return (term,)

    def check(self, teacher: keras.Model, student: keras.Model) -> None:
        """Check that the student can learn its teacher's embeddings.

        Raises:
            UserError: widths differ and there is no projection, or the
                teacher's folder says that it pools in another way.
        """
        embedding = embedding_of(teacher)
        is_known = known_embedding(teacher) is not None
        if is_known and self.pooling not in ("", embedding.pooling):
            raise UserError(
                f"SentenceEmbedding: pooling is {self.pooling!r}, but the "
                f"teacher's folder says {embedding.pooling!r}: set "
                f"pooling={embedding.pooling!r}, or leave it out"
            )
        teacher_width, student_width = width_of(teacher), width_of(student)
        if teacher_width != student_width and not self.project:
            raise UserError(
                "SentenceEmbedding: the teacher's embeddings have "
                f"{teacher_width} numbers, the student's {student_width}: set "
                "project=True, or build the student with "
                f"hidden_dim={teacher_width}"
            )


def pooled(states: Tensor, padding_mask: Tensor, pooling: str = "mean") -> Any:
    """Return the embedding of each text, as a sequence of length 1.

    Args:
        states: `[batch, length, hidden_dim]`.
        padding_mask: `[batch, length]`, nonzero at real tokens.
        pooling: "mean" over real tokens, or "cls", the first token.

    Returns:
        `[batch, 1, hidden_dim]` float32. States of length 1 are that already.
    """
    states = ops.cast(states, "float32")
    if pooling == "cls" or states.shape[1] == 1:
        return states[:, :1]
    real = ops.cast(ops.cast(padding_mask, "bool"), "float32")[:, :, None]
    # States at padding may be infinite, and infinity * 0 is NaN.
    total = ops.sum(ops.where(real > 0, states, 0.0), axis=1, keepdims=True)
    count = ops.sum(real, axis=1, keepdims=True)
    return total / ops.maximum(count, 1.0)
