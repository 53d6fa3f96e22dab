"""Define the examples of tasks."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

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
        soft: the probability of each class, from a model or from votes, to
            learn in place of the label.
    """

    id: str
    texts: tuple[str, ...]
    label: Label | None
    soft: tuple[float, ...] | None = None

    @property
    def has_label(self) -> bool:
        """Tell whether it is known what is right."""
        return self.label is not None

    def shares(self, count: int) -> tuple[float, ...] | None:
        """Return the probability of each class; of a label it is certain.

        Of several labels it is that of each.

        Args:
            count: of the classes.
        """
        if self.soft is not None or self.label is None:
            return self.soft
        if isinstance(self.label, tuple):
            return self.label
        return tuple(float(place == self.label) for place in range(count))

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
    def has_label(self) -> bool:
        """Tell whether it is known what is right."""
        return self.is_impossible or bool(self.answers)

    @property
    def texts(self) -> tuple[str, str]:
        """Return what a model reads together: the question and its context."""
        return self.question, self.context

    @property
    def sentences(self) -> tuple[str]:
        """The texts that may stand alone: the question, no long context."""
        return (self.question,)


@dataclasses.dataclass(frozen=True)
class TaggedText:
    """A text and the tags of its words.

    Attributes:
        id: the text's name within its split.
        text: as the data has it, or its words with blanks between them.
        words: the first character of each word, and the one behind its last.
        tags: of the words, such as "B-PER" and "O"; None where the data gives
            none.
    """

    id: str
    text: str
    words: tuple[tuple[int, int], ...]
    tags: tuple[str, ...] | None

    @property
    def has_label(self) -> bool:
        """Tell whether it is known what is right."""
        return self.tags is not None

    @property
    def texts(self) -> tuple[str]:
        """Return what a model reads."""
        return (self.text,)

    @property
    def sentences(self) -> tuple[str]:
        """The texts that may stand alone."""
        return (self.text,)

    @classmethod
    def of_words(
        cls, id: str, words: Sequence[str], tags: tuple[str, ...] | None
    ) -> "TaggedText":
        """Put words together, with a blank between two."""
        sizes = [len(word) for word in words]
        starts = [0, *itertools.accumulate(size + 1 for size in sizes)]
        spans = tuple(
            (start, start + size)
            for start, size in zip(starts, sizes, strict=False)
        )
        return cls(id, " ".join(words), spans, tags)


class PlacedText(NamedTuple):
    """A text, and where it stands: the file and the line."""

    place: str
    example: TaggedText
