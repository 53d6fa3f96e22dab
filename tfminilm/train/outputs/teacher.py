"""Put what a teacher has computed before in its place."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras

from tfminilm import views
from tfminilm.errors import UserError
from tfminilm.methods.terms import Method, TensorName
from tfminilm.teachers.embedding import (
    embedding_of,
    known_embedding,
    set_embedding,
)
from tfminilm.teachers.expose import head_outputs
from tfminilm.teachers.logits import ending_of
from tfminilm.teachers.recorded import EMBEDDING, recorded

Shapes = dict[str, tuple[int, ...]]


class Output(NamedTuple):
    """Say what a method compares of each text: a tensor, pooled if need be."""

    tensor: TensorName
    pool: Callable[[Any, Any], Any] | None


def outputs_of(
    method: Method, teacher: keras.Model, student: keras.Model
) -> dict[str, Output]:
    """Return what a method compares of each text, by name.

    Args:
        method: of the stage.
        teacher: a running one.
        student: its student.

    Raises:
        UserError: the method compares something else than logits of a text
            or its embedding.
    """
    method.check(teacher, student)
    outputs = {}
    for term in method.terms(teacher, student):
        if term.teacher is None:
            continue
        name = term.teacher[0]
        is_kept = term.pool is not None or name in head_outputs(teacher)
        if not term.per_text or not is_kept:
            raise UserError(
                f"{type(method).__name__} compares {name} of the teacher, "
                "which are too many numbers to keep: expected a method that "
                "compares logits of whole texts or their embeddings, such as "
                "SoftTargets, BiLSTMSoft or SentenceEmbedding"
            )
        key = name if term.pool is None else EMBEDDING
        outputs[key] = Output(term.teacher, term.pool)
    if not outputs:
        raise UserError(
            f"{type(method).__name__} asks its teacher nothing here: leave "
            "data.teacher_outputs out"
        )
    return outputs


def shapes_of(teacher: keras.Model, outputs: Mapping[str, Output]) -> Shapes:
    """Return the shape of each output without the batch, by name."""
    shapes: Shapes = {}
    for name, output in outputs.items():
        width = views.view(teacher, [output.tensor]).outputs[0].shape[-1]
        shapes[name] = (width,) if output.pool is None else (1, width)
    return shapes


def identity_of(
    method: Method, teacher: keras.Model, shapes: Shapes
) -> dict[str, Any]:
    """Return what outputs depend on beside the texts, as a manifest says it."""
    digest = hashlib.sha256()
    for weight in teacher.weights:
        digest.update(keras.ops.convert_to_numpy(weight).tobytes())
    pooling = ""
    if EMBEDDING in shapes:
        asked = getattr(method, "pooling", "")
        pooling = asked or embedding_of(teacher).pooling
    return {
        "weights": digest.hexdigest(),
        "outputs": shapes,
        "pooling": pooling,
    }


def in_place_of(
    teacher: keras.Model, student: keras.Model, shapes: Shapes
) -> keras.Model:
    """Return a teacher that reads its outputs from the batch.

    Args:
        teacher: the one that computed them, or gave the vocabulary.
        student: whose head is alike.
        shapes: of the outputs.
    """
    endings = {
        name: ending_of(tensor)
        for name, tensor in head_outputs(student).items()
    }
    model = recorded(shapes, endings)
    set_embedding(model, known_embedding(teacher))
    return model
