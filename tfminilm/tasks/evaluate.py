"""Predictions and metrics of a model on a task.

The batches, and so every last digit, depend on the examples and the settings
alone: the same model gets the same number again.
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from tfminilm import files, json_files
from tfminilm.errors import UserError
from tfminilm.private import gradients
from tfminilm.tasks import metrics, squad_metrics, submission, windows
from tfminilm.tasks.batches import Batches
from tfminilm.tasks.encode import Encoded, encode
from tfminilm.tasks.task import TASKS, Task
from tfminilm.teachers.faster import faster

SETTINGS = "tfminilm.json"
# Other sizes would add in another order.
BATCH_SIZE = 32


_SHAPE = {
    "task": str,
    "kind": str,
    "labels": [str],
    "max_length": int,
    "doc_stride?": int,
    "null_threshold?": (float, None),
    "num_texts?": int,
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a fine-tuned model reads a task; saved beside it.

    `num_texts` is 2 where it reads two together, such as a pair of sentences.
    `null_threshold` is SQuAD 2.0's: an answer that is this much less likely
    than "no answer" is not given. `None` where every question has one.
    """

    task: str
    kind: str
    labels: tuple[str, ...]
    max_length: int
    doc_stride: int = windows.DOC_STRIDE
    null_threshold: float | None = None
    num_texts: int = 1

    def save(self, folder: str | os.PathLike) -> None:
        """Writes them into a model's folder."""
        path = pathlib.Path(folder) / SETTINGS
        files.write_json(path, dataclasses.asdict(self))

    @classmethod
    def load(cls, folder: str | os.PathLike) -> "Settings":
        """Reads them from a model's folder.

        Raises:
            UserError: there are none, or they are damaged.
        """
        path = pathlib.Path(folder) / SETTINGS
        if not path.is_file():
            raise UserError(
                f"{folder} was not fine-tuned on a task: it has no {SETTINGS}; "
                "use tfminilm finetune first"
            )
        content = json_files.read(path, _SHAPE, "fine-tune the model again")
        if content["task"] in TASKS:  # Older files do not have it.
            content["num_texts"] = len(TASKS[content["task"]].texts)
        return cls(
            **{
                field.name: content[field.name]
                for field in dataclasses.fields(cls)
                if field.name in content
            }
            | {"labels": tuple(content["labels"])}
        )


@dataclasses.dataclass(frozen=True)
class Result:
    """What a model says of examples.

    `metrics` is empty if the examples have no labels. `predictions` holds a
    class, a score or an answer for each example, and `no_answer` for each
    question how much likelier "no answer" is than its answer.
    """

    metrics: dict[str, float]
    ids: list[str]
    predictions: list[Any]
    no_answer: list[float] | None = None


def evaluate(
    task: Task,
    head: keras.Model,
    tokenizer: Any,
    examples: Sequence[Any],
    settings: Settings,
    cache_dir: str | os.PathLike | None = None,
    count: Callable[[int], None] | None = None,
    language: str | None = None,
) -> Result:
    """Predicts every example and scores the predictions.

    Args:
        task: what is asked.
        head: a model of `heads.build_head`.
        tokenizer: the model's.
        examples: of one split.
        settings: as the model was fine-tuned.
        cache_dir: where token ids are kept; nowhere if `None`.
        count: is called with the number of sequences done.
        language: of the answers, for MLQA's normalisation.

    Raises:
        UserError: there is no example, or the model's output is not finite.
    """

    def run(encoded: Encoded) -> list[Any]:
        return predict(head, Batches(encoded, BATCH_SIZE), count)

    return evaluate_with(
        run, task, tokenizer, examples, settings, cache_dir, language
    )


def evaluate_with(
    run: Callable[[Encoded], list[Any]],
    task: Task,
    tokenizer: Any,
    examples: Sequence[Any],
    settings: Settings,
    cache_dir: str | os.PathLike | None = None,
    language: str | None = None,
) -> Result:
    """`evaluate` for whatever runs a model.

    Args:
        run: gives the model's outputs for each sequence, as `predict` does.
        task: what is asked; and so on, as `evaluate` has them.

    Raises:
        UserError: there is no example, or `run` raises it.
    """
    arguments = (examples, tokenizer, settings.max_length)
    ids = [example.id for example in examples]
    if task.kind == "qa":
        cut = windows.make_windows(*arguments, settings.doc_stride, cache_dir)
        found = run(cut.encoded)
        logits = {
            row: (own["start_logits"], own["end_logits"])
            for row, own in enumerate(found)
        }
        answers = windows.answers(examples, cut, logits)
        return _score_answers(examples, answers, settings, language)
    encoded = encode(task, *arguments, cache_dir)
    outputs = np.stack(run(encoded))
    if task.kind == "regression":
        predictions = outputs[:, 0].astype(float).tolist()
    else:
        predictions = outputs.argmax(axis=1).tolist()
    scores = {}
    labels = [example.label for example in examples]
    if task.metrics and None not in labels:
        scores = metrics.compute(task, labels, predictions)
    return Result(scores, ids, predictions)


@gradients.forgotten()
def predict(
    head: keras.Model,
    batches: Batches,
    count: Callable[[int], None] | None = None,
) -> list[Any]:
    """The model's outputs for each sequence, in the sequences' order.

    Returns:
        An array `[outputs]` a sequence, or a dict of arrays
        `[bucket's length]`.

    Raises:
        UserError: an output is not finite.
    """
    model = faster(head)
    outputs: list[Any] = [None] * len(batches.encoded)
    done = 0
    for rows, inputs in batches.epoch():
        given = {name: inputs[name] for name in model.input}
        found = model.predict_on_batch(given)
        if not all(
            np.isfinite(value).all() for value in keras.tree.flatten(found)
        ):
            raise UserError(
                "the model's output is not finite: its weights are broken"
            )
        for place, row in enumerate(rows):
            if row >= 0:
                outputs[row] = keras.tree.map_structure(
                    lambda value, place=place: value[place], found
                )
        done += int((rows >= 0).sum())
        if count is not None:
            count(done)
    return outputs


def write_predictions(
    task: Task, split: str, result: Result, folder: str | os.PathLike
) -> pathlib.Path | None:
    """Writes predictions as the benchmark's own server takes them.

    Returns:
        The file, or `None` if there is no such form for the split.
    """
    folder = pathlib.Path(folder)
    if task.kind == "qa":
        path = folder / f"{task.name}-{split}-predictions.json"
        answers = dict(zip(result.ids, result.predictions, strict=True))
        if result.no_answer is None:
            submission.write_squad(answers, path)
        else:
            sure = dict(zip(result.ids, result.no_answer, strict=True))
            other = folder / f"{task.name}-{split}-no-answer.json"
            submission.write_squad(answers, path, sure, other)
        return path
    if split in task.submission:
        return submission.write_glue(
            task, split, result.ids, result.predictions, folder
        )
    return None


def _score_answers(
    examples: Sequence[Any],
    answers: Sequence[windows.Answer],
    settings: Settings,
    language: str | None,
) -> Result:
    threshold = settings.null_threshold
    ids = [example.id for example in examples]
    texts = [answer.text(threshold) for answer in answers]
    predictions = dict(zip(ids, texts, strict=True))
    if threshold is None:
        scores = squad_metrics.score(examples, predictions, language=language)
        return Result(scores, ids, texts)
    sure = [answer.no_answer_score for answer in answers]
    # The best threshold is that of the best guesses, however unlikely.
    guesses = [answer.text(None) for answer in answers]
    scores = squad_metrics.score(examples, predictions, language=language)
    best = squad_metrics.score(
        examples,
        dict(zip(ids, guesses, strict=True)),
        dict(zip(ids, sure, strict=True)),
        language=language,
    )
    scores |= {name: best[name] for name in best if name.startswith("best_")}
    return Result(scores, ids, texts, sure)
