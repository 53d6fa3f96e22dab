"""Turn examples into token ids, those of student and teacher."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tfminilm.errors import UserError
from tfminilm.tasks.encoded import Encoded
from tfminilm.teachers.embedding import embedding_of
from tfminilm.train.models import Cut, Models
from tfminilm.typing import Tokenizer


@dataclasses.dataclass(frozen=True)
class Encoder:
    """Cut texts for the student, and for a teacher that cuts them otherwise.

    Attributes:
        encode: gives the token ids of examples that are cut so.
        student: how the student reads texts.
        teacher: how the teacher does; `None` if it reads the student's tokens.
    """

    encode: Callable[[Sequence[Any], Cut], Encoded]
    student: Cut
    teacher: Cut | None

    @classmethod
    def of(
        cls,
        models: Models,
        max_length: int,
        encode: Callable[[Sequence[Any], Cut], Encoded],
    ) -> "Encoder":
        """Return the encoder of a run's models.

        Args:
            models: student and teacher.
            max_length: of the student's sequences.
            encode: gives the token ids of examples that are cut so.
        """
        if prompt := _prompt(models):
            encode = functools.partial(_prompted, prompt, encode)
        return cls(
            encode, Cut(models.tokenizer, max_length), models.teacher_cut
        )

    def __call__(self, examples: Sequence[Any]) -> Encoded:
        """Return the token ids of examples."""
        return self._both(examples, examples)

    def masked(self, examples: Sequence[Any]) -> Encoded:
        """Return those of examples with words that are the mask token.

        Args:
            examples: with the student's mask token as a word; the teacher
                reads its own instead.

        Raises:
            UserError: the teacher's tokenizer has no mask token.
        """
        if self.teacher is None:
            with _special_tokens(self.student.tokenizer):
                return self(examples)
        masks = [
            str(getattr(cut.tokenizer, "mask_token", None) or "")
            for cut in (self.student, self.teacher)
        ]
        if not all(masks):
            raise UserError(
                "data.augment_copies masks words, and the tokenizer of student "
                "or teacher has no mask token: set it to 0, or set "
                "data.augmentation to tinybert"
            )
        with (
            _special_tokens(self.student.tokenizer),
            _special_tokens(self.teacher.tokenizer),
        ):
            return self._both(
                examples, [_replaced(each, *masks) for each in examples]
            )

    def apart(
        self, examples: Sequence[Any], teacher_examples: Sequence[Any]
    ) -> Encoded:
        """Return token ids where the teacher reads other texts.

        Args:
            examples: what the student reads.
            teacher_examples: as many, what the teacher reads instead.
        """
        read = self.of_teacher(teacher_examples)
        return self.of_student(examples).with_teacher(read)

    def of_student(self, examples: Sequence[Any]) -> Encoded:
        """Return token ids as the student reads them."""
        return self.encode(examples, self.student)

    def of_teacher(self, examples: Sequence[Any]) -> Encoded:
        """Return token ids as the teacher reads them."""
        return self.encode(examples, self.teacher or self.student)

    def _both(
        self, examples: Sequence[Any], teacher_examples: Sequence[Any]
    ) -> Encoded:
        encoded = self.encode(examples, self.student)
        if self.teacher is None:
            return encoded
        return encoded.with_teacher(self.encode(teacher_examples, self.teacher))


def _prompt(models: Models) -> str:
    """Return what a teacher of embeddings has in front of every text."""
    teacher = getattr(models.trained, "teacher", None)
    has_head = hasattr(models.student, "backbone")
    return "" if teacher is None or has_head else embedding_of(teacher).prompt


def _prompted(
    prompt: str,
    encode: Callable[[Sequence[Any], Cut], Encoded],
    examples: Sequence[Any],
    cut: Cut,
) -> Encoded:
    """Encode single texts with a prompt; two texts together have none."""
    return encode(
        [
            dataclasses.replace(each, texts=(prompt + each.texts[0],))
            if len(getattr(each, "texts", ())) == 1
            else each
            for each in examples
        ],
        cut,
    )


@contextlib.contextmanager
def _special_tokens(tokenizer: Tokenizer) -> Iterator[None]:
    """Read special tokens in texts as one token each."""
    tokenizer.special_tokens_in_strings = True
    try:
        yield
    finally:
        tokenizer.special_tokens_in_strings = False


def _replaced(example: Any, word: str, other: str) -> Any:
    """Return an example with another word for each one that is `word`."""
    texts = tuple(
        " ".join(other if each == word else each for each in text.split(" "))
        for text in example.texts
    )
    return dataclasses.replace(example, texts=texts)
