"""Models as a method sees them: cut off at the tensors that its terms read."""

import typing
from typing import Any

import keras

from tfminilm.methods.terms import TensorName, Term
from tfminilm.teachers.expose import expose, num_indices, with_output
from tfminilm.teachers.logits import Opaque, is_opaque


def view(
    model: keras.Model, tensors: list[TensorName], output: str = ""
) -> keras.Model:
    """The model exposed for these tensors, and for its own output as well."""
    outputs: dict[str, list[int]] = {}
    for name, index in tensors:
        indices = [index] if isinstance(index, int) else index
        outputs.setdefault(name, []).extend(indices)
    if is_opaque(model):
        return Opaque(model, tuple(outputs))
    if output:
        return with_output(model, outputs, output)
    return expose(model, outputs)


def pick(model: keras.Model, tensor: TensorName, tensors: Any) -> Any:
    """A term's tensor, or list of them, among those of the model's view."""
    name, index = tensor
    count = num_indices(model, name)
    if isinstance(index, int):
        return tensors[f"{name}/{index % count}"]
    return [tensors[f"{name}/{each % count}"] for each in index]


def projection(
    teacher: keras.Model, student: keras.Model, term: Term
) -> keras.layers.Layer:
    """A new linear map from the student's width to the teacher's."""
    theirs, ours = (
        view(model, [tensor]).outputs[0].shape[-1]
        for model, tensor in (
            (teacher, typing.cast(TensorName, term.teacher)),
            (student, term.student),
        )
    )
    layer = keras.layers.Dense(
        theirs,
        use_bias=False,
        dtype=student.dtype_policy,
        name=term.projection,
    )
    layer.build((None, ours))
    return layer
