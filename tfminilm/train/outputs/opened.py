"""Open what a recipe's `data.teacher_outputs` names: a folder, or a table."""

import pathlib

import keras

from tfminilm.config import names_in
from tfminilm.errors import UserError
from tfminilm.methods.terms import Method
from tfminilm.tasks.kinds import kind_of
from tfminilm.tasks.task import Task
from tfminilm.teachers.recorded import EMBEDDING
from tfminilm.train.outputs.manifest import require_same
from tfminilm.train.outputs.store import Store
from tfminilm.train.outputs.table import SUFFIXES, Layout, Table
from tfminilm.train.outputs.teacher import (
    identity_of,
    in_place_of,
    outputs_of,
    shapes_of,
)
from tfminilm.train.stage import Stage

# What the text is called in a table of sentences, if nothing else is said.
_TEXT = "text"


def is_table(name: str) -> bool:
    """Tell whether a name is that of a table, not of a folder."""
    return pathlib.Path(name).suffix.lower() in SUFFIXES


def read_table(stage: Stage, task: Task | None, has_head: bool) -> Table:
    """Read the table of outputs that a stage names.

    Args:
        stage: says what the columns are called.
        task: of its data; `None` for sentences.
        has_head: whether the student answers the task, or embeds its texts.

    Raises:
        UserError: a column is not named, or the table is not as it should be.
    """
    data = stage.data
    numbers = tuple(names_in(data.teacher_columns))
    if not numbers:
        raise UserError(
            f"recipe: data.teacher_outputs is {data.teacher_outputs}: expected "
            "the columns of the teacher's numbers in data.teacher_columns, "
            "one with a list of them, or one for each"
        )
    texts = tuple(names_in(data.text_columns)) or (
        task.texts if task else (_TEXT,)
    )
    if task is None or not has_head:
        layout = Layout(texts, numbers, EMBEDDING)
    else:
        layout = _layout_of(stage, task, texts, numbers)
    return Table.read(data.teacher_outputs, layout)


def recorded_teacher(
    outputs: Store | Table,
    method: Method,
    labels: tuple[str, ...],
    teacher: keras.Model,
    student: keras.Model,
) -> keras.Model:
    """Return what stands for a teacher whose outputs are read.

    Args:
        outputs: what it has computed.
        method: of the stage.
        labels: the student's classes.
        teacher: the model that the recipe names.
        student: its student.

    Raises:
        UserError: they are another teacher's, or of another task.
    """
    if isinstance(outputs, Table):
        model = in_place_of(teacher, student, outputs.shapes)
        _require_fit(outputs, method, model, student)
        return model
    shapes = shapes_of(teacher, outputs_of(method, teacher, student))
    wanted = identity_of(method, teacher, shapes) | {"labels": labels}
    require_same(outputs.folder, outputs.origin, wanted)
    return in_place_of(teacher, student, shapes)


def _require_fit(
    table: Table, method: Method, teacher: keras.Model, student: keras.Model
) -> None:
    """Refuse a method that needs more than the numbers of a table.

    Raises:
        UserError: it compares inner states, or logits where these are
            probabilities.
    """
    name = type(method).__name__
    try:
        method.check(teacher, student)
        terms = method.terms(teacher, student)
    except UserError as error:
        raise UserError(
            f"{name} cannot learn from {table.path} alone: {error}"
        ) from error
    of_logits = any(term.name.startswith("logits_mse") for term in terms)
    if of_logits and table.of_probabilities:
        raise UserError(
            f"recipe: {name} compares logits, and the numbers of {table.path} "
            "are probabilities: give logits, and set data.soft_labels=logits"
        )


def _layout_of(
    stage: Stage, task: Task, texts: tuple[str, ...], numbers: tuple[str, ...]
) -> Layout:
    """Return what a table's numbers are to a student with a head.

    Raises:
        UserError: the task's head gives more than one row of numbers a text,
            or the order of the classes is not known.
    """
    kind, data = kind_of(task), stage.data
    if kind.outputs != ("logits",):
        raise UserError(
            f"recipe: data.teacher_outputs is {data.teacher_outputs}, but a "
            f"model of {task.name} gives numbers for each token: expected "
            "nothing, so that the teacher runs"
        )
    if not kind.has_classes:
        return Layout(texts, numbers, "logits", ("a score",), (0,), False, True)
    labels = tuple(names_in(stage.teacher_labels)) or numbers
    if sorted(labels) != sorted(task.labels):
        raise UserError(
            f"recipe: the teacher's numbers are of {', '.join(labels)}, and "
            f"the classes of {task.name} are {', '.join(task.labels)}: name "
            "them in teacher_labels, in the order of the numbers"
        )
    are_logits = data.soft_labels == "logits"
    order = tuple(labels.index(label) for label in task.labels)
    several = kind.has_several_labels
    return Layout(texts, numbers, "logits", labels, order, several, are_logits)
