"""Let a student learn from several teachers at once."""

import keras

from tfminilm import teachers
from tfminilm.averaged import averaged
from tfminilm.config import names_in
from tfminilm.errors import UserError
from tfminilm.train.models import ModelKind
from tfminilm.train.recipe import Recipe
from tfminilm.train.vocabularies import are_same
from tfminilm.typing import Tokenizer


def with_others(
    recipe: Recipe,
    kind: ModelKind,
    teacher: keras.Model,
    student: keras.Model,
    tokenizer: Tokenizer,
    precision: str,
) -> keras.Model:
    """Return the mean of a stage's teachers, or its only one.

    Args:
        recipe: the stage.
        kind: of its models.
        teacher: the first one.
        student: its student.
        tokenizer: the first one's.
        precision: the dtype policy to compute in.

    Raises:
        UserError: another one is not there, or reads other tokens or gives
            other outputs; the weights are none; or the method compares inner
            states.
    """
    names = names_in(recipe.more_teachers)
    if not names:
        if recipe.teacher_weights:
            raise UserError(
                f"recipe: teacher_weights is {recipe.teacher_weights!r}, and "
                "there is one teacher: name others in more_teachers"
            )
        return teacher
    others = []
    for name in names:
        if not are_same(teachers.load_tokenizer(name), tokenizer):
            raise UserError(
                f"recipe: {name} of more_teachers cuts texts by another "
                f"tokenizer than {recipe.teacher}: expected the same one"
            )
        others.append(kind.load_teacher(name, precision))
    pooling = getattr(recipe.method, "pooling", "")
    model = averaged([teacher, *others], _weights(recipe), pooling)
    try:
        recipe.method.check(model, student)
    except UserError as error:
        raise UserError(
            f"recipe: {type(recipe.method).__name__} cannot learn from several "
            f"teachers: {error}"
        ) from error
    return model


def _weights(recipe: Recipe) -> list[float] | None:
    try:
        return [
            float(part) for part in names_in(recipe.teacher_weights)
        ] or None
    except ValueError:
        raise UserError(
            f"recipe: teacher_weights is {recipe.teacher_weights!r}, expected "
            "a number for each teacher, such as 0.7,0.3"
        ) from None
