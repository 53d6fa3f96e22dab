"""Keep the kinds of tasks: one object each, in a file of its own.

All that depends on what a task asks (classes, a score, an answer's place)
stands in its kind. A new kind is one more file here and one line in `KINDS`.
"""

from typing import TYPE_CHECKING, Protocol

from tfminilm.errors import UserError
from tfminilm.tasks.answers import Result
from tfminilm.tasks.kinds.classification import Classification
from tfminilm.tasks.kinds.extractive_qa import ExtractiveQA
from tfminilm.tasks.kinds.kind import Kind, Scale
from tfminilm.tasks.kinds.multi_label import MultiLabel
from tfminilm.tasks.kinds.regression import Regression
from tfminilm.tasks.kinds.token_classification import TokenClassification

if TYPE_CHECKING:
    import keras

__all__ = [
    "COLUMN_KINDS",
    "KINDS",
    "Kind",
    "Result",
    "Scale",
    "kind_of",
    "kind_of_head",
]

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Classification(),
        Regression(),
        ExtractiveQA(),
        TokenClassification(),
        MultiLabel(),
    )
}

# The kinds whose labels fit into a column of a user's own file.
COLUMN_KINDS = tuple(
    name for name, kind in KINDS.items() if kind.labels_are_a_column
)


class _HasKind(Protocol):
    """A `Task`, or the `Settings` of a model for one."""

    @property
    def kind(self) -> str: ...


def kind_of(task: _HasKind) -> Kind:
    """Return the kind of a task, or of a model's settings.

    Raises:
        UserError: there is no kind of this name.
    """
    if task.kind not in KINDS:
        raise UserError(
            f"kind {task.kind!r}: expected one of {', '.join(KINDS)}"
        )
    return KINDS[task.kind]


def kind_of_head(model: "keras.Model") -> Kind | None:
    """Return the first kind that has heads such as a model's, if any has.

    Args:
        model: a Keras model. Classes and a score come from heads of one kind,
            so that a score's head counts as a classification's.
    """
    return next((kind for kind in KINDS.values() if kind.is_head(model)), None)
