"""Define the examples of tasks."""

import dataclasses
from typing import TypeAlias

# A class' index, a score, or a number for each class.
Label: TypeAlias = int | float | tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Example:
    """One or two texts with a class or a score.

    Attributes:
        id: the example's name within its split. For GLUE the row's number
            from 0, which is the index that the leaderboard asks for.
        texts: one or two texts, as the data has them.
        label: the class' index in `Task.labels`, the score of a regression, a
            number for each class, or None where the data gives none, as in
            GLUE's test files.
    """

    id: str
    texts: tuple[str, ...]
    label: Label | None

    @property
    def sentences(self) -> tuple[str, ...]:
        """The texts that may stand alone: all of them."""
        return self.texts


@dataclasses.dataclass(frozen=True)
class QAExample:
    """A question, the text to find the answer in, and the gold answers.

    `context[start : start + len(answer)] == answer` holds for every answer
    and its start; both are counted in characters.
    """

    id: str
    question: str
    context: str
    answers: tuple[str, ...]
    answer_starts: tuple[int, ...]
    is_impossible: bool

    @property
    def texts(self) -> tuple[str, str]:
        """Return what a model reads together: the question and its context."""
        return self.question, self.context

    @property
    def sentences(self) -> tuple[str]:
        """The texts that may stand alone: the question, no long context."""
        return (self.question,)
