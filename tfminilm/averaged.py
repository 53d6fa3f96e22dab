"""Build one teacher of several: the weighted mean of what they give."""

import functools
import math
import operator
from collections.abc import Sequence

import keras
from keras import ops

from tfminilm import inputs, views
from tfminilm.errors import UserError
from tfminilm.families.counts import vocabulary_size
from tfminilm.methods.sentence import pooled
from tfminilm.teachers.embedding import (
    embedding_of,
    known_embedding,
    set_embedding,
)
from tfminilm.teachers.expose import head_outputs
from tfminilm.teachers.logits import SIGMOID, ending_of, graph_of, num_classes
from tfminilm.teachers.recorded import EMBEDDING, width_of

_STATES = ("hidden_states", -1)
_PARTS = ("vocabularies", "widths", "outputs")


def averaged(
    teachers: Sequence[keras.Model],
    weights: Sequence[float] | None = None,
    pooling: str = "",
) -> keras.Model:
    """Return a teacher whose outputs are the mean of several teachers'.

    Of models with the same head it gives their mean logits, of encoders the
    mean of their embeddings (`SentenceEmbedding` learns these). Mean logits
    are the logarithm of the classes' geometric mean, but for a constant.

    Args:
        teachers: two or more; they read the same tokens.
        weights: of each, 0 or more; divided by their sum. All alike by
            default.
        pooling: of embeddings; empty for what each teacher's folder says.

    Returns:
        A model of the columns that the teachers read. It holds them, and
        gives a dict of outputs by name: a head's, or "embedding" `[batch, 1,
        width]`.

    Raises:
        UserError: they differ in outputs, width or vocabulary, or the weights
            are none.
    """
    shares = _shares(len(teachers), weights)
    names = _names(teachers, pooling)
    columns: dict[str, keras.KerasTensor] = {}
    for teacher in teachers:
        for name, tensor in graph_of(teacher).input.items():
            columns.setdefault(
                name,
                keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=name),
            )
    means = {}
    for name in names or [EMBEDDING]:
        values = [
            share * _value(teacher, name if names else "", columns, pooling)
            for teacher, share in zip(teachers, shares, strict=True)
        ]
        ending = ending_of(head_outputs(teachers[0])[name]) if names else ""
        layer = keras.layers.Activation(
            SIGMOID if ending == SIGMOID else "linear", dtype="float32"
        )
        means[name] = layer(functools.reduce(operator.add, values))
    model = keras.Model(columns, means, name="averaged_teacher")
    set_embedding(model, known_embedding(teachers[0]))
    return model


def _value(
    teacher: keras.Model,
    name: str,
    columns: dict[str, keras.KerasTensor],
    pooling: str,
) -> keras.KerasTensor:
    """Return a teacher's logits, or its embedding if no output is named."""
    tensor = (name, -1) if name else _STATES
    view = views.view(teacher, [tensor])
    tensors = view(inputs.read(view, columns))
    value = ops.cast(views.pick(teacher, tensor, tensors), "float32")
    if name:
        return value
    how = pooling or embedding_of(teacher).pooling
    return pooled(value, columns["padding_mask"], how)


def _shares(count: int, weights: Sequence[float] | None) -> list[float]:
    """Return the weights divided by their sum.

    Raises:
        UserError: there is not one for each teacher, or they are none.
    """
    values = [1.0] * count if weights is None else [*weights]
    is_right = all(0 <= value < math.inf for value in values)
    if count < 2 or len(values) != count or not is_right or not sum(values):
        raise UserError(
            f"{count} teachers have the weights "
            f"{', '.join(f'{value:g}' for value in values)}: expected two "
            "teachers or more, a number of 0 or more for each, and one above 0"
        )
    return [value / sum(values) for value in values]


def _names(teachers: Sequence[keras.Model], pooling: str) -> list[str]:
    """Return the names of the outputs that all have; none of encoders.

    Raises:
        UserError: they differ, or read other tokens.
    """
    described = []
    for teacher in teachers:
        outputs = {
            name: (num_classes(tensor), len(tensor.shape), ending_of(tensor))
            for name, tensor in head_outputs(teacher).items()
        }
        known = known_embedding(teacher)
        if not outputs and known and pooling not in ("", known.pooling):
            raise UserError(
                f"{teacher.name} pools by {known.pooling!r}, as its folder "
                f"says, and pooling is {pooling!r}: leave that out"
            )
        width = None if outputs else width_of(teacher)
        size = vocabulary_size(getattr(teacher, "backbone", teacher))
        described.append((size, width, outputs))
    first, *others = described
    for other in others:
        for what, one, two in zip(_PARTS, first, other, strict=True):
            if one != two:
                raise UserError(
                    f"several teachers give one mean, but their {what} differ: "
                    f"{one} and {two}; expected the same, or one teacher alone"
                )
    return [*first[2]]
