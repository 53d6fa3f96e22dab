"""Teacher, student and method of a stage, put together."""

import keras

from tfminilm import families
from tfminilm.compress import prune
from tfminilm.distiller import Distiller
from tfminilm.errors import UserError
from tfminilm.tasks import kinds
from tfminilm.train.build import build_student, layers_of, start_student
from tfminilm.train.example_stage import (
    SentenceStage,
    TaskStage,
    TaskTextStage,
)
from tfminilm.train.masked_stage import MaskedStage
from tfminilm.train.recipe import Recipe
from tfminilm.train.text_stage import TextStage


def kind_of(recipe: Recipe) -> TextStage:
    """What handles the stage's models and data.

    Raises:
        UserError: the method does not learn from such data.
    """
    reads, task = recipe.method.reads, recipe.data.task
    name = type(recipe.method).__name__
    if reads == "labels" and not task:
        raise UserError(
            f"recipe: {name} learns a task: data.source is "
            f"{recipe.data.source!r}, expected task:NAME, such as task:sst2"
        )
    if reads == "labels":
        stage = TaskStage(recipe)
        kind = recipe.student.kind
        is_encoder = families.of_student(kind).is_encoder
        if kinds.kind_of(stage.task).reads_all_tokens and not is_encoder:
            raise UserError(
                f"recipe: a {kind} finds no answers in texts, as {task} asks: "
                "expected a task of classes or scores"
            )
        return stage
    is_masked = reads in ("masked_text", "masked_pairs")
    if is_masked and (task or recipe.data.sentences):
        raise UserError(
            f"recipe: {name} learns from masked text: expected data.source to "
            "be text, and no data.sentences"
        )
    if is_masked:
        return MaskedStage(recipe)
    if task:
        return TaskTextStage(recipe)
    return SentenceStage(recipe) if recipe.data.sentences else TextStage(recipe)


def assemble(
    kind: TextStage,
    teacher: keras.Model,
    source: keras.Model | None,
    num_tokens: int,
    precision: str,
) -> Distiller:
    """The stage's student, initialised, beside its teacher.

    Args:
        kind: the stage, of `kind_of`.
        teacher: its teacher, of `kind.load_teacher`.
        source: the backbone of its first weights; the teacher's if `None`.
        num_tokens: the tokenizer's.
        precision: the dtype policy to compute in.

    Raises:
        UserError: student, teacher and method do not go together.
    """
    recipe = kind.recipe
    backbone = getattr(teacher, "backbone", teacher)
    _require_same_tokens(recipe, backbone, num_tokens)
    _require_positions(recipe, backbone)
    student = build_student(
        recipe.student,
        backbone.vocabulary_size,
        precision,
        pairs=kind.reads_pairs,
    )
    start_student(student, recipe.student, source or backbone)
    for part in recipe.train.shares():
        layers_of(student, part, "train.layer_rates")
    student = kind.with_head(student, teacher)
    if recipe.student.init == "pruned":
        prune.require_fit(student, teacher)
    distiller = Distiller(teacher, student, recipe.method)
    if not distiller.trainable_variables:
        raise UserError("recipe: student.frozen leaves nothing to train")
    needs_labels = any(term.teacher is None for term in distiller.terms)
    if needs_labels and recipe.data.augment_copies:
        raise UserError(
            f"recipe: {type(recipe.method).__name__} compares with labels, "
            "and the copies of data.augment_copies have none: set it to 0, or "
            "leave that term out"
        )
    return distiller


def _require_positions(recipe: Recipe, teacher: keras.Model) -> None:
    length = recipe.data.sequence_length
    longest = getattr(teacher, "max_sequence_length", length)
    if length > longest:
        raise UserError(
            f"recipe: data.sequence_length is {length}, but the teacher's "
            f"position table ends at {longest}"
        )


def _require_same_tokens(
    recipe: Recipe, teacher: keras.Model, tokens: int
) -> None:
    """A teacher's table may be longer, as padded ones are, never shorter."""
    if tokens > teacher.vocabulary_size:
        raise UserError(
            f"teacher {recipe.teacher}: its tokenizer has {tokens} tokens, "
            f"its embedding table {teacher.vocabulary_size}; expected the "
            "tokenizer that the model was trained with"
        )
