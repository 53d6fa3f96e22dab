"""Collect models' answers while they are scored, and show the evidence."""

import pathlib
from collections.abc import Sequence
from typing import Any

from tfminilm import quiet
from tfminilm.errors import UserError
from tfminilm.report.evidence_page import sections
from tfminilm.report.evidence_text import verdict
from tfminilm.report.page_parts import header, section, write
from tfminilm.source_names import name_of
from tfminilm.tasks import judging
from tfminilm.tasks.answers import Answers, Result
from tfminilm.tasks.judgement import Evidence
from tfminilm.tasks.task import Task
from tfminilm.train.score import Seen


class Collected:
    """Collect answers by split and model."""

    def __init__(self, task: Task, model: str, against: str | None = None):
        """Begin with nothing.

        Args:
            task: that the models answer.
            model: where they come from, for their name.
            against: a second model, as `tfminilm.load` takes it.
        """
        self._task = task
        self._name = pathlib.Path(model).name or "model"
        self._source = against
        self._against = pathlib.Path(against or "").name
        if self._against == self._name:
            self._against += " (against)"
        self._other: Any = None
        self._texts: dict[str, list[Sequence[str]]] = {}
        self._answers: dict[str, dict[str, Answers]] = {}

    def of(self, name: str = "") -> Seen:
        """Return what `train.score` tells a model's results.

        Args:
            name: of the model; by default that of where it comes from.
        """

        def seen(split: str, examples: Sequence[Any], result: Result) -> None:
            if result.answers is None:
                return
            self._texts[split] = [example.texts for example in examples]
            answers = self._answers.setdefault(split, {})
            answers[name or self._name] = result.answers
            if self._source and self._against not in answers:
                answers[self._against] = self._answer(examples)

        return seen

    def judge(self) -> dict[str, Evidence]:
        """Return the evidence of each split that has labels.

        Raises:
            UserError: there is none to hold a second model against.
        """
        if self._source and not self._answers:
            raise UserError(
                f"--against={self._source} has no effect: expected splits with "
                f"labels, and a model with a head for {self._task.name}"
            )
        return {
            split: self._gather(split, answers)
            for split, answers in self._answers.items()
        }

    def _answer(self, examples: Sequence[Any]) -> Answers:
        if self._other is None:
            quiet.import_tensorflow()
            from tfminilm.inference.load import load

            self._other = load(self._source or "")
        return self._other.answers(self._task, examples)

    def _gather(self, split: str, answers: dict[str, Answers]) -> Evidence:
        names = [name for name in answers if name != self._against]
        shown = names[0]
        return judging.gather(
            task=name_of(self._task.name),
            split=split,
            texts=self._texts[split],
            answers=answers,
            shown=shown,
            against=self._against,
            pairs=[(name, self._against) for name in names if self._against],
        )


def write_page(path: pathlib.Path, evidence: dict[str, Evidence]) -> None:
    """Write the page of the evidence of some splits."""
    (first, *_) = evidence.values()
    title = f"{first.shown} on {first.task}"
    parts = [header(title, verdict(first), ())]
    for split, one in evidence.items():
        parts += [section(split, "", "")] if len(evidence) > 1 else []
        parts += sections(one)
    write(path, title, parts)
