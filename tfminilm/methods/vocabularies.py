"""Check that a method can compare models of different vocabularies.

What is compared token by token needs the same tokens on both sides. What is
compared text by text, such as logits or embeddings, does not.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import keras

from tfminilm.errors import UserError
from tfminilm.families.counts import vocabulary_size
from tfminilm.methods.terms import Method, Term

if TYPE_CHECKING:
    from tfminilm.distiller import Distiller

_REMEDY = (
    "take one that compares whole texts, such as SoftTargets, BiLSTMSoft or "
    "SentenceEmbedding"
)


def may_differ(terms: Iterable[Term]) -> bool:
    """Tell whether a teacher may read other tokens than its student."""
    return all(term.per_text for term in terms if term.teacher is not None)


def refusal(method: Method) -> UserError:
    """Return the error of a method that compares token by token."""
    return UserError(
        f"{type(method).__name__} compares token by token, but teacher and "
        f"student cut texts by different tokenizers: {_REMEDY}, or give the "
        "student the teacher's tokenizer"
    )


def check(
    teacher: keras.Model,
    student: keras.Model,
    terms: Iterable[Term],
    method: Method,
) -> None:
    """Raise `UserError` if the method needs one vocabulary, and there are two.

    Args:
        teacher: the teacher.
        student: the student.
        terms: what the method compares.
        method: for the message.
    """
    teacher_size, student_size = _sizes(teacher, student)
    if teacher_size != student_size and not may_differ(terms):
        raise UserError(
            "teacher and student read different vocabularies, "
            f"{teacher_size} and {student_size} tokens, and "
            f"{type(method).__name__} compares token by token: build the "
            f"student with vocabulary_size={teacher_size}, or {_REMEDY}"
        )


def check_batch(distiller: "Distiller", has_columns: bool) -> None:
    """Raise `UserError` if the batch gives the teacher wrong tokens.

    Args:
        distiller: reads it.
        has_columns: whether the batch has columns for the teacher alone.
    """
    terms = [term for term in distiller.terms if term.teacher is not None]
    if has_columns and not may_differ(terms):
        raise refusal(distiller.method)
    teacher_size, student_size = _sizes(distiller.teacher, distiller.student)
    if terms and not has_columns and teacher_size != student_size:
        raise UserError(
            "teacher and student read different vocabularies, "
            f"{teacher_size} and {student_size} tokens, but the batch has "
            "tokens of one: add teacher_token_ids, teacher_padding_mask and "
            "whatever else the teacher reads, cut by its own tokenizer"
        )


def _sizes(
    teacher: keras.Model, student: keras.Model
) -> tuple[int | None, int | None]:
    """Return how many tokens both know; nothing if one does not say so."""
    teacher_size, student_size = (
        vocabulary_size(getattr(model, "backbone", model))
        for model in (teacher, student)
    )
    # A plain Keras model need not have this attribute.
    if None in (teacher_size, student_size):
        return None, None
    return teacher_size, student_size
