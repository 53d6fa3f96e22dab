"""Extractive question answering: where the answer stands in a text."""

import dataclasses
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfminilm.errors import UserError
from tfminilm.tasks import squad_metrics, windows
from tfminilm.tasks.answers import Answer, Answers, Result
from tfminilm.tasks.encoded import Encoded
from tfminilm.tasks.example import QAExample
from tfminilm.tasks.kinds.kind import Kind
from tfminilm.tasks.kinds.labelled import made_up_text
from tfminilm.tasks.predictions import AnswerPrediction
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task
from tfminilm.typing import Tokenizer

if TYPE_CHECKING:
    import keras

# Between two texts and at their ends, at most.
_SPECIAL_TOKENS = 4


class ExtractiveQA(Kind):
    """Asks for the part of a context that answers a question."""

    name = "qa"
    manifest_name = "question_answering"
    outputs = ("start_logits", "end_logits")
    mobile_head = "SpanHead"
    transformers_head = "ForQuestionAnswering"
    app_call = "QuestionAnswerer(bundle, engine).answer"
    submission = "squad"
    is_augmentable = False
    takes_unlabelled = False
    reads_all_tokens = True
    is_scored_in_training = False  # Finding the answers takes minutes.
    most_languages = 2  # The context's, and the question's.

    def reads_pairs(self, num_texts: int) -> bool:
        return True

    def num_outputs(self, task: Task) -> int:
        return 2

    def made_up_example(self, task: Task, index: int) -> QAExample:
        text, verb = made_up_text(index)
        return QAExample(
            id=str(index),
            question=f"What is it that the teacher {verb}?",
            context=text,
            answers=(verb,),
            answer_starts=(text.index(verb),),
            is_impossible=False,
        )

    def example_of(self, name: str, texts: tuple[str, ...]) -> QAExample:
        question, context = texts
        return QAExample(name, question, context, (), (), False)

    def encode(
        self,
        task: Task,
        examples: Sequence[Any],
        tokenizer: Tokenizer,
        settings: Settings,
        cache_dir: str | os.PathLike | None = None,
    ) -> windows.Windows:
        return windows.make_windows(
            examples,
            tokenizer,
            settings.max_length,
            settings.doc_stride,
            cache_dir,
        )

    def build_head(
        self, task: Task, backbone: "keras.Model", dropout: float
    ) -> "keras.Model":
        from tfminilm.tasks.head_models import SpanFinder

        return SpanFinder(backbone, dropout)

    def head_classes(self) -> tuple[type, ...]:
        from tfminilm.tasks.head_models import SpanFinder

        return (SpanFinder,)

    def is_head_of(self, task: Task, model: "keras.Model") -> bool:
        return self.is_head(model)

    def describe_head(self, model: "keras.Model") -> str:
        return "a start and an end of an answer"

    def describe_outputs(self, task: Task) -> str:
        return "a start and an end"

    def losses(self, model: "keras.Model") -> dict[str, Any]:
        import keras

        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        return {
            "loss": dict.fromkeys(self.outputs, loss),
            "loss_weights": dict.fromkeys(self.outputs, 0.5),
        }

    def decode(
        self,
        examples: Sequence[Any],
        encoded: Encoded,
        outputs: Sequence[Any],
    ) -> list[windows.Answer]:
        assert isinstance(encoded, windows.Windows)
        logits = {
            row: (one["start_logits"], one["end_logits"])
            for row, one in enumerate(outputs)
        }
        return windows.answers(examples, encoded, logits)

    def predictions(
        self,
        settings: Settings,
        examples: Sequence[Any],
        encoded: Encoded,
        outputs: Sequence[Any],
    ) -> list[AnswerPrediction]:
        assert isinstance(encoded, windows.Windows)
        is_cut = np.zeros(len(examples), bool)
        np.logical_or.at(is_cut, encoded.question, encoded.cut_rows)
        answers = self.decode(examples, encoded, outputs)
        return [
            _prediction(answer, settings.null_threshold, is_long)
            for answer, is_long in zip(answers, is_cut.tolist(), strict=True)
        ]

    def score(
        self,
        task: Task,
        examples: Sequence[Any],
        decoded: Sequence[Any],
        settings: Settings,
        language: str | None = None,
    ) -> Result:
        language = _rules(task, language)
        threshold = settings.null_threshold
        ids = [example.id for example in examples]
        texts = [answer.text(threshold) for answer in decoded]
        scores = squad_metrics.score(
            examples, dict(zip(ids, texts, strict=True)), language=language
        )
        if threshold is None:
            return Result(scores, ids, texts)
        no_answer = [answer.no_answer_score for answer in decoded]
        # The best threshold is that of the best guesses, however unlikely.
        guesses = [answer.text(None) for answer in decoded]
        best = squad_metrics.score(
            examples,
            dict(zip(ids, guesses, strict=True)),
            dict(zip(ids, no_answer, strict=True)),
            language=language,
        )
        best = {
            name: value
            for name, value in best.items()
            if name.startswith("best_")
        }
        return Result(scores | best, ids, texts, no_answer)

    def answers(
        self,
        task: Task,
        examples: Sequence[Any],
        encoded: Encoded,
        outputs: Sequence[Any],
        settings: Settings,
        language: str | None = None,
    ) -> Answers:
        predictions = self.predictions(settings, examples, encoded, outputs)
        texts = [one.text for one in predictions]
        exacts, f1s = squad_metrics.each(
            examples,
            texts,
            _rules(task, language),
            has_no_answers=settings.null_threshold is not None,
        )
        of_each = {"exact": exacts, "f1": f1s}
        columns = np.stack([of_each[name] for name in task.metrics], axis=1)
        return Answers(
            rows=[
                Answer(
                    (*example.answers, "no answer")[0],
                    one.text or "no answer",
                    one.score,
                    one.score * (1 - f1),
                )
                for example, one, f1 in zip(
                    examples, predictions, f1s.tolist(), strict=True
                )
            ],
            metrics=task.metrics,
            score=lambda at: columns[at].mean(axis=0).tolist(),
            certainties=np.array([one.score for one in predictions]),
            are_right=exacts == 1,
        )

    def manifest_part(
        self, settings: Settings, lengths: Sequence[int]
    ) -> dict[str, Any]:
        """Return how questions are read and answered.

        A window shares at least half of its text with the next one, so that
        every answer is seen away from an edge.
        """
        longest = max(lengths)
        room = longest - windows.MAX_QUESTION_TOKENS - _SPECIAL_TOKENS
        if room < 2:
            raise UserError(
                f"target: lengths is {lengths!r}, expected one of "
                f"{longest - room + 2} or more for {settings.task}: a question "
                f"takes up to {windows.MAX_QUESTION_TOKENS} tokens"
            )
        return {
            "document_stride": min(settings.doc_stride, room // 2),
            "max_question_tokens": windows.MAX_QUESTION_TOKENS,
            "max_answer_tokens": windows.MAX_ANSWER_TOKENS,
            "null_threshold": settings.null_threshold,
        }

    def read_manifest_part(
        self, settings: Settings, part: dict[str, Any] | None
    ) -> Settings:
        assert part is not None
        return dataclasses.replace(
            settings,
            doc_stride=part["document_stride"],
            null_threshold=part["null_threshold"],
        )


def _rules(task: Task, language: str | None) -> str | None:
    """Return the language whose rules make answers alike.

    MLQA's rules are those of the context's language, in which answers are:
    German's of "de-en". SQuAD's have no language.
    """
    if not task.languages:
        return None
    return (language or task.languages[0]).partition("-")[0]


def _prediction(
    answer: windows.Answer, null_threshold: float | None, is_cut: bool
) -> AnswerPrediction:
    """Choose among the guesses, and tell how likely the chosen one is."""
    scores = [*answer.scores]
    if null_threshold is not None or not scores:
        scores.append(answer.null_score)
    exponentials = np.exp(np.array(scores) - max(scores))
    shares = (exponentials / exponentials.sum()).tolist()
    text = answer.text(null_threshold)
    if not text:
        return AnswerPrediction("", shares[-1], None, None, is_cut)
    return AnswerPrediction(text, shares[0], *answer.spans[0], is_cut)
