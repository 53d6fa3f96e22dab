"""Hold what a model says of a text, in the form that a caller reads."""

import dataclasses
from collections.abc import Mapping

import numpy as np


@dataclasses.dataclass(frozen=True)
class Prediction:
    """Hold the class of a text, or of two.

    Attributes:
        label: the name of the likeliest class.
        score: its probability.
        scores: the probability of each class, by its name, in the model's
            order.
        is_truncated: whether the text was too long, and its end was not read.
        is_sure: whether the score reaches the model's `unsure_below`; an app
            may say "unsure" where it does not. Always of a model without one.
    """

    label: str
    score: float
    scores: Mapping[str, float]
    is_truncated: bool = False
    is_sure: bool = True


@dataclasses.dataclass(frozen=True)
class LabelsPrediction:
    """Hold the labels of a text, or of two, of which there may be several.

    Attributes:
        labels: the names of those above their threshold, in the model's order.
        scores: the probability of each label, by its name.
        is_truncated: whether the text was too long, and its end was not read.
    """

    labels: tuple[str, ...]
    scores: Mapping[str, float]
    is_truncated: bool = False


@dataclasses.dataclass(frozen=True)
class ScorePrediction:
    """Hold the score of a text, or of how two go together.

    Attributes:
        score: in the units of the labels that the model learned from.
        is_truncated: whether the text was too long, and its end was not read.
    """

    score: float
    is_truncated: bool = False


@dataclasses.dataclass(frozen=True)
class AnswerPrediction:
    """Hold the part of a context that answers a question.

    Attributes:
        text: the answer, as the context has it; "" if it has none.
        score: its probability among the best guesses. Where the model knows
            questions without an answer, that is one of the guesses.
        start: its first character in the context; None without an answer.
        end: the character behind its last; None without an answer.
        is_truncated: whether the question was too long, and its end was not
            read. Of a context all is read.
    """

    text: str
    score: float
    start: int | None
    end: int | None
    is_truncated: bool = False


@dataclasses.dataclass(frozen=True)
class EntityPrediction:
    """Hold a part of a text that has a name.

    Attributes:
        text: as it stands there.
        label: the type, such as "PER".
        score: the mean probability of its words' tags.
        start: its first character.
        end: the one behind its last.
    """

    text: str
    label: str
    score: float
    start: int
    end: int


@dataclasses.dataclass(frozen=True)
class EntitiesPrediction:
    """Hold the entities of a text, all of which is read, however long.

    Attributes:
        entities: in their order.
        is_truncated: never.
    """

    entities: tuple[EntityPrediction, ...]
    is_truncated: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class EmbeddingPrediction:
    """Hold the embedding of a text.

    Attributes:
        embedding: float32 `[dim]`.
        is_truncated: whether the text was too long, and its end was not read.
    """

    embedding: np.ndarray
    is_truncated: bool = False
