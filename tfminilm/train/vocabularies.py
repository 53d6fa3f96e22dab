"""Prepare what a student reads: its teacher's tokens, or other ones."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras

from tfminilm import teachers
from tfminilm.compress.vocabulary_transfer import transfer_vocabulary
from tfminilm.data import cache
from tfminilm.errors import UserError
from tfminilm.methods import vocabularies
from tfminilm.train.models import Cut
from tfminilm.train.recipe import Recipe
from tfminilm.typing import Source, Tokenizer

_TEACHER, _START, _OWN = "teacher", "student.init_from", "student.tokenizer"


@dataclasses.dataclass(frozen=True)
class Vocabularies:
    """Hold the tokenizers of a stage.

    Attributes:
        student: the student's.
        teacher: the teacher's.
        start: that of the model of the student's first weights.
    """

    student: Tokenizer
    teacher: Tokenizer
    start: Tokenizer

    @classmethod
    def load(
        cls, sources: Mapping[str, Source], rules: str | None = None
    ) -> "Vocabularies":
        """Load them from where a stage's models come from.

        Args:
            sources: by the keys of the recipe.
            rules: as of `load_tokenizer`.

        Raises:
            UserError: there is no such model.
        """
        teacher = teachers.load_tokenizer(sources[_TEACHER], rules)
        if _OWN not in sources:
            return cls(teacher, teacher, teacher)
        student = teachers.load_tokenizer(sources[_OWN], rules)
        start = teacher
        if _START in sources:
            start = teachers.load_tokenizer(sources[_START], rules)
        return cls(student, teacher, start)

    @property
    def differ(self) -> bool:
        """Tell whether student and teacher cut texts differently."""
        return not are_same(self.student, self.teacher)

    def started(
        self, model: keras.Model, seed: int
    ) -> tuple[keras.Model, tuple[str, ...]]:
        """Return the model of the first weights with the student's tokens.

        Args:
            model: a backbone that reads the tokens of `start`.
            seed: of the chance.

        Returns:
            The model or a copy, and what a person is told of it.
        """
        if are_same(self.student, self.start):
            return model, ()
        model, counts = transfer_vocabulary(
            model, self.start, self.student, seed
        )
        return model, (str(counts),)


def are_same(one: Tokenizer, other: Tokenizer) -> bool:
    """Tell whether two tokenizers cut all texts into the same ids.

    Their classes may differ: DistilBERT's tokenizer is BERT's.
    """
    return one is other or _identity(one) == _identity(other)


def check(recipe: Recipe) -> None:
    """Refuse a stage that needs the same tokens on both sides.

    Raises:
        UserError: what it names.
    """
    if recipe.reads_masked:
        raise vocabularies.refusal(recipe.method)
    if recipe.student.init == "pruned":
        raise UserError(
            "recipe: student.init is pruned, which keeps parts of the teacher, "
            "but student and teacher cut texts by different tokenizers: set "
            "another, or leave student.tokenizer out"
        )


def check_terms(
    recipe: Recipe, teacher: keras.Model, student: keras.Model
) -> None:
    """Refuse a method that compares token by token, and text cut for one.

    Raises:
        UserError: it is one of these.
    """
    if not vocabularies.may_differ(recipe.method.terms(teacher, student)):
        raise vocabularies.refusal(recipe.method)
    if not recipe.data.has_texts:
        name = type(recipe.method).__name__
        raise UserError(
            f"recipe: {name} reads packed text here, which a second tokenizer "
            "cannot cut again: set data.sentences=True, or data.source to a "
            "task"
        )


def teacher_cut(
    recipe: Recipe, teacher: keras.Model, tokenizer: Tokenizer
) -> Cut:
    """Return how a teacher with a tokenizer of its own reads texts.

    Args:
        recipe: the stage.
        teacher: its teacher's backbone.
        tokenizer: the teacher's.

    Raises:
        UserError: it has no room for so many tokens.
    """
    wanted, length = recipe.data.teacher_length, recipe.data.sequence_length
    longest = getattr(teacher, "max_sequence_length", wanted or length)
    if wanted > longest:
        raise UserError(
            f"recipe: data.teacher_length is {wanted}, but the teacher's "
            f"position table ends at {longest}"
        )
    return Cut(tokenizer, wanted or min(length, longest))


def require_positions(recipe: Recipe, teacher: keras.Model) -> None:
    """Refuse texts that are too long for a teacher who reads the same tokens.

    Raises:
        UserError: they are, or a length of its own is asked for.
    """
    length = recipe.data.sequence_length
    if recipe.data.teacher_length:
        raise UserError(
            f"recipe: data.teacher_length is {recipe.data.teacher_length}, but "
            "the teacher reads the student's tokens: expected 0, or a "
            "student.tokenizer of its own"
        )
    longest = getattr(teacher, "max_sequence_length", length)
    if length > longest:
        raise UserError(
            f"recipe: data.sequence_length is {length}, but the teacher's "
            f"position table ends at {longest}"
        )


def require_own_tokens(
    recipe: Recipe, teacher: keras.Model, num_tokens: int
) -> None:
    """Refuse a teacher whose table is shorter than its tokenizer.

    Raises:
        UserError: it is.
    """
    rows = teacher.token_embedding.input_dim
    if num_tokens > rows:
        raise UserError(
            f"teacher {recipe.teacher}: its tokenizer has {num_tokens} tokens, "
            f"its embedding table {rows}; expected the "
            "tokenizer that the model was trained with"
        )


def _identity(tokenizer: Tokenizer) -> dict[str, Any]:
    identity = cache.tokenizer_identity(tokenizer)
    return {key: value for key, value in identity.items() if key != "class"}
