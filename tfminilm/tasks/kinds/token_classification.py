"""Token classification: a tag for each word, and the entities they make."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfminilm.tasks import entities, tagging
from tfminilm.tasks.answers import Answer, Answers, Result
from tfminilm.tasks.encoded import Encoded
from tfminilm.tasks.example import TaggedText
from tfminilm.tasks.kinds.kind import Kind
from tfminilm.tasks.kinds.labelled import made_up_text
from tfminilm.tasks.predictions import EntitiesPrediction, EntityPrediction
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task
from tfminilm.tasks.words import words_and_marks
from tfminilm.typing import Tokenizer

if TYPE_CHECKING:
    import keras


class TokenClassification(Kind):
    """Asks which of `task.labels`, tags such as "B-PER", each word has."""

    name = "token_classification"
    manifest_name = "token_classification"
    outputs = (tagging.OUTPUT,)
    mobile_head = "TokenHead"
    transformers_head = "ForTokenClassification"
    app_call = "TokenClassifier(bundle, engine).find"
    submission = "spans"
    has_classes = True
    is_augmentable = False
    reads_all_tokens = True

    def num_outputs(self, task: Task) -> int:
        return len(task.labels)

    def metrics_of(self, labels: Sequence[str]) -> tuple[str, ...]:
        return ("f1", "precision", "recall")

    def made_up_example(self, task: Task, index: int) -> TaggedText:
        text, verb = made_up_text(index)
        words = words_and_marks(text)
        first = next(tag for tag in task.labels if tag != entities.OUTSIDE)
        tags = tuple(
            first if text[start:end] == verb else entities.OUTSIDE
            for start, end in words
        )
        return TaggedText(str(index), text, words, tags)

    def example_of(self, name: str, texts: tuple[str, ...]) -> TaggedText:
        (text,) = texts
        return TaggedText(name, text, words_and_marks(text), None)

    def encode(
        self,
        task: Task,
        examples: Sequence[Any],
        tokenizer: Tokenizer,
        settings: Settings,
        cache_dir: str | os.PathLike | None = None,
    ) -> tagging.Tagged:
        length = settings.max_length
        return tagging.tag(examples, task.labels, tokenizer, length, cache_dir)

    def build_head(
        self, task: Task, backbone: "keras.Model", dropout: float
    ) -> "keras.Model":
        from tfminilm.tasks.head_models import TokenClassifier

        return TokenClassifier(backbone, self.num_outputs(task), dropout)

    def head_classes(self) -> tuple[type, ...]:
        from tfminilm.tasks.head_models import TokenClassifier

        return (TokenClassifier,)

    def is_head_of(self, task: Task, model: "keras.Model") -> bool:
        return self.is_head(model) and model.num_classes == self.num_outputs(
            task
        )

    def describe_head(self, model: "keras.Model") -> str:
        return f"{model.num_classes} outputs a token"

    def describe_outputs(self, task: Task) -> str:
        return f"{len(task.labels)} a token ({', '.join(task.labels)})"

    def losses(self, model: "keras.Model") -> dict[str, Any]:
        from tfminilm.tasks.head_models import TokenCrossEntropy

        return {"loss": {tagging.OUTPUT: TokenCrossEntropy()}}

    def decode(
        self,
        examples: Sequence[Any],
        encoded: Encoded,
        outputs: Sequence[Any],
    ) -> list[tuple[entities.Entity, ...]]:
        assert isinstance(encoded, tagging.Tagged)
        logits = [one[tagging.OUTPUT] for one in outputs]
        return [
            tuple(entity for entity, _ in row)
            for row in tagging.untag(examples, encoded, logits)
        ]

    def predictions(
        self,
        settings: Settings,
        examples: Sequence[Any],
        encoded: Encoded,
        outputs: Sequence[Any],
    ) -> list[EntitiesPrediction]:
        assert isinstance(encoded, tagging.Tagged)
        logits = [one[tagging.OUTPUT] for one in outputs]
        return [
            EntitiesPrediction(
                tuple(
                    EntityPrediction(
                        example.text[start:end], label, score, start, end
                    )
                    for (start, end, label), score in row
                )
            )
            for example, row in zip(
                examples,
                tagging.untag(examples, encoded, logits),
                strict=True,
            )
        ]

    def score(
        self,
        task: Task,
        examples: Sequence[Any],
        decoded: Sequence[Any],
        settings: Settings,
        language: str | None = None,
    ) -> Result:
        scores = {}
        if all(example.tags is not None for example in examples):
            scores = entities.score(
                [entities.entities(one.tags, one.words) for one in examples],
                decoded,
            )
        return Result(scores, [one.id for one in examples], [*decoded])

    def answers(
        self,
        task: Task,
        examples: Sequence[Any],
        encoded: Encoded,
        outputs: Sequence[Any],
        settings: Settings,
        language: str | None = None,
    ) -> Answers:
        assert isinstance(encoded, tagging.Tagged)
        logits = [one[tagging.OUTPUT] for one in outputs]
        expected = [entities.entities(one.tags, one.words) for one in examples]
        scored = tagging.untag(examples, encoded, logits)
        guesses = [tuple(entity for entity, _ in row) for row in scored]
        pairs = [
            (score, entity in right)
            for row, right in zip(scored, map(set, expected), strict=True)
            for entity, score in row
        ]
        return Answers(
            rows=[
                _answer(example.text, right, row)
                for example, right, row in zip(
                    examples, expected, scored, strict=True
                )
            ],
            metrics=task.metrics,
            score=entities.resampled(task.metrics, expected, guesses),
            classes=entities.per_type(expected, guesses),
            certainties=np.array([score for score, _ in pairs]),
            are_right=np.array([is_right for _, is_right in pairs], bool),
        )

    def manifest_part(
        self, settings: Settings, lengths: Sequence[int]
    ) -> dict[str, Any]:
        """Return the scheme of the tags.

        Raises:
            UserError: they are no tags of one scheme.
        """
        where = f"labels of {settings.task}"
        return {"scheme": entities.scheme_of(settings.labels, where)}


def _answer(
    text: str,
    expected: Sequence[entities.Entity],
    scored: Sequence[tagging.ScoredEntity],
) -> Answer:
    """Hold the entities of one text against what is right, in words."""
    guesses = [entity for entity, _ in scored]

    def in_words(row: Sequence[entities.Entity]) -> str:
        words = [f"{text[one.start : one.end]} ({one.label})" for one in row]
        return ", ".join(words) or "none"

    return Answer(
        in_words(expected),
        in_words(guesses),
        min((score for _, score in scored), default=None),
        float(len({*expected} ^ {*guesses})),
    )
