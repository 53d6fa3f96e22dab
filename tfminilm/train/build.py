"""Build students as stages describe them, initialised and partly frozen."""

from collections.abc import Mapping

import keras

from tfminilm import families, students
from tfminilm.errors import UserError
from tfminilm.teachers.expose import encoder_calls
from tfminilm.train.stage import HEAD, StudentSpec


def build_student(
    spec: StudentSpec,
    vocabulary_size: int,
    dtype: str | None = None,
    pairs: bool = False,
) -> keras.Model:
    """Build a backbone of the described shape, with random weights.

    Args:
        spec: its shape.
        vocabulary_size: rows of its token table, the teacher's.
        dtype: the dtype policy to compute in.
        pairs: whether it reads pairs of texts; only a BiLSTM need know.
    """
    options = {} if dtype is None else {"dtype": dtype}
    family = families.of_student(spec.kind)
    return family.build(spec, vocabulary_size, pairs, **options)


def start_student(
    student: keras.Model, spec: StudentSpec, source: keras.Model
) -> None:
    """Give a student its first weights, and freeze what is to stay.

    Args:
        student: a backbone of `build_student`.
        spec: says which layers come from where.
        source: the backbone they come from.

    Raises:
        UserError: they do not fit, or there is no such layer to freeze.
    """
    layers = spec.init_layers()
    # A pruned one gets its weights when there is data to measure on.
    if layers not in ("random", "pruned"):
        students.init_from_teacher(student, source, layers)
    _freeze(student, spec.frozen_parts())


def layers_of(
    student: keras.Model, part: str | int, key: str
) -> list[keras.layers.Layer]:
    """Return the layers that a recipe means by a name or a number.

    Args:
        student: a backbone, or a model with a head on one.
        part: "embeddings", "head" (what a task's model has beside its
            backbone), or an encoder layer's index, negative from the top.
        key: of the recipe, for the error.

    Raises:
        UserError: there is no such layer.
    """
    if part == "embeddings":
        layers = getattr(student, "backbone", student).layers
        return [layer for layer in layers if "embedding" in layer.name]
    if part == HEAD and hasattr(student, "backbone"):
        old = {id(layer) for layer in student.backbone.layers}
        new = (each for each in student.layers if id(each) not in old)
        return [layer for layer in new if layer is not student.backbone]
    encoders = list(
        {id(c.layer): c.layer for c in encoder_calls(student)}.values()
    )
    count = len(encoders)
    if isinstance(part, int) and -count <= part < count:
        return [encoders[part]]
    raise UserError(
        f"recipe: {key} names layer {part}, but the student has layers 0 to "
        f"{count - 1}"
    )


def shares_of(
    student: keras.Model, shares: Mapping[str | int, float]
) -> list[tuple[keras.Variable, float]]:
    """Return a student's variables with their shares of the learning rate.

    A step of AdamW, and one of LAMB, is linear in its rate, weight decay
    included: a part with a share of 0.1 makes a tenth of it.

    Args:
        student: a backbone, or a model with a head on one.
        shares: by what `layers_of` takes.

    Raises:
        UserError: the student has no such layer.
    """
    return [
        (variable, share)
        for part, share in shares.items()
        for layer in layers_of(student, part, "train.layer_rates")
        for variable in layer.trainable_variables
    ]


def _freeze(student: keras.Model, parts: list[str | int]) -> None:
    for part in parts:
        for layer in layers_of(student, part, "student.frozen"):
            layer.trainable = False
