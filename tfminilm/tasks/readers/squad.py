"""Read questions in SQuAD's JSON, which MLQA shares, and check the answers."""

import dataclasses
import logging
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

from tfminilm import json_files
from tfminilm.errors import UserError
from tfminilm.tasks.example import QAExample
from tfminilm.tasks.readers import paths
from tfminilm.tasks.task import Task
from tfminilm.typing import Json

_LOG = logging.getLogger(__name__)


def read(
    task: Task, path: pathlib.Path, skip_bad_answers: bool = False
) -> list[QAExample]:
    """Read the questions of a file, in its order.

    Raises:
        UserError: the file is missing, empty, cut, or of another form, two
            questions share an id, or as `check`.
    """
    content = json_files.parse(
        paths.text(path), str(path), object, "copy the file again"
    )
    examples = list(_questions(content, str(path)))
    if not examples:
        raise UserError(f"{path} has no questions; copy it again")
    seen: set[str] = set()
    for example in examples:
        if example.id in seen:
            raise UserError(
                f"{path}: two questions have the id {example.id!r}; remove one"
            )
        seen.add(example.id)
    return check(task, examples, str(path), skip_bad_answers)


def check(
    task: Task,
    examples: Iterable[QAExample],
    source: str,
    skip_bad_answers: bool = False,
) -> list[QAExample]:
    """Check that every answer stands at its offset; return the examples.

    Args:
        source: what the errors call the place the examples come from.
        skip_bad_answers: leave out the answers that do not stand there, and
            the questions that have no other, and log how many.

    Raises:
        UserError: an answer does not stand at its offset (unless skipped); a
            question without answers is not marked as impossible, or one with
            answers is; or it is impossible and the task has no such.
    """
    kept = []
    bad: list[str] = []
    lost = 0
    for example in examples:
        _check_impossible(task, example, source)
        good = _answers_at_their_offset(example)
        bad += [example.id] * (len(example.answers) - len(good))
        if len(good) == len(example.answers):
            kept.append(example)
        elif good:
            kept.append(_with_answers(example, good))
        else:
            lost += 1
    if not bad:
        return kept
    fault = (
        f"{source}: {len(bad)} answers do not stand at their offset in the "
        f"context, the first of question {bad[0]!r}"
    )
    if not skip_bad_answers:
        raise UserError(
            f"{fault}; mend the file, or leave them out with --skip_bad_answers"
        )
    if not kept:
        raise UserError(f"{fault}; no question is left without them")
    _LOG.warning("%s; left out, and %d questions with them", fault, lost)
    return kept


def _with_answers(example: QAExample, good: list[tuple[str, int]]) -> QAExample:
    answers, starts = zip(*good, strict=True)
    return dataclasses.replace(example, answers=answers, answer_starts=starts)


def _answers_at_their_offset(example: QAExample) -> list[tuple[str, int]]:
    pairs = zip(example.answers, example.answer_starts, strict=True)
    return [pair for pair in pairs if _stands_at(example.context, *pair)]


def _stands_at(context: str, answer: str, start: int) -> bool:
    # A negative start would count from the context's end.
    return bool(answer) and start >= 0 and context.startswith(answer, start)


def _check_impossible(task: Task, example: QAExample, source: str) -> None:
    question = f"{source}: question {example.id!r}"
    if example.is_impossible and not task.has_impossible:
        raise UserError(
            f"{question} is impossible, and {task.name} has no such; is it "
            "data of squad_v2?"
        )
    if example.is_impossible and example.answers:
        raise UserError(
            f"{question} is impossible and has answers; remove these"
        )
    if not example.is_impossible and not example.answers:
        raise UserError(
            f"{question} has no answer and is not impossible; remove it"
        )


def _questions(content: Json, source: str) -> Iterator[QAExample]:
    for a, article in enumerate(_field(content, "data", list, source)):
        at_article = f"{source}, article {a}"
        for p, paragraph in enumerate(
            _field(article, "paragraphs", list, at_article)
        ):
            where = f"{at_article}, paragraph {p}"
            context = _field(paragraph, "context", str, where)
            paths.require_short(context, f"{where}: 'context'")
            for question in _field(paragraph, "qas", list, where):
                yield _question(question, context, source, where)


def _question(
    question: Json, context: str, source: str, paragraph: str
) -> QAExample:
    name = _field(question, "id", str, paragraph)
    where = f"{source}, question {name!r}"
    answers = _field(question, "answers", list, where)
    text = _field(question, "question", str, where)
    paths.require_short(text, f"{where}: 'question'")
    return QAExample(
        id=name,
        question=text,
        context=context,
        answers=tuple(_field(answer, "text", str, where) for answer in answers),
        answer_starts=tuple(
            _field(answer, "answer_start", int, where) for answer in answers
        ),
        is_impossible="is_impossible" in question
        and _field(question, "is_impossible", bool, where),
    )


def _field(value: Json, name: str, kind: type, where: str) -> Any:
    """Return `value[name]`, once it is known to be of the right kind."""
    if not isinstance(value, dict) or name not in value:
        raise UserError(f"{where}: no {name!r}; is it a file of SQuAD's form?")
    content = value[name]
    if not isinstance(content, kind) or (kind is int and content is True):
        raise UserError(
            f"{where}: {name!r} is a {type(content).__name__}, expected "
            f"{kind.__name__}"
        )
    return content
