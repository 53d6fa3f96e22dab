"""Models that end at the tensors that a method's terms read."""

import typing
from typing import Any

import keras

from tfminilm.methods.terms import TensorName, Term
from tfminilm.teachers.expose import expose, num_indices, with_output
from tfminilm.teachers.logits import Opaque, is_opaque
from tfminilm.typing import Tensors


def view(
    model: keras.Model, tensors: list[TensorName], output: str = ""
) -> keras.Model:
    """Return a model whose outputs are these tensors, and its own output."""
    outputs: dict[str, list[int]] = {}
    for name, index in tensors:
        indices = [index] if isinstance(index, int) else index
        outputs.setdefault(name, []).extend(indices)
    if is_opaque(model):
        return Opaque(model, tuple(outputs))
    if output:
        return with_output(model, outputs, output)
    return expose(model, outputs)


def pick(model: keras.Model, tensor: TensorName, tensors: Tensors) -> Any:
    """Return a term's tensor, or list of them, from a view's outputs."""
    name, index = tensor
    count = num_indices(model, name)
    if isinstance(index, int):
        return tensors[f"{name}/{index % count}"]
    return [tensors[f"{name}/{each % count}"] for each in index]


def projection(
    teacher: keras.Model, student: keras.Model, term: Term
) -> keras.layers.Layer:
    """Build a new linear map from the student's width to the teacher's."""
    teacher_width, student_width = (
        view(model, [tensor]).outputs[0].shape[-1]
        for model, tensor in (
            (teacher, typing.cast(TensorName, term.teacher)),
            (student, term.student),
        )
    )
    layer = keras.layers.Dense(
        teacher_width,
        use_bias=False,
        dtype=student.dtype_policy,
        name=term.projection,
    )
    layer.build((None, student_width))
    return layer
