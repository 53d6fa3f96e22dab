"""Predict the examples of a task, and score the predictions.

The batches depend on the examples and the settings alone, so that the same
model gets the same numbers again, to the last digit.
"""

import dataclasses
import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from tfminilm.errors import UserError
from tfminilm.private import gradients
from tfminilm.tasks.batches import Batches
from tfminilm.tasks.calibrate import calibrate
from tfminilm.tasks.encoded import Encoded
from tfminilm.tasks.kinds import Result, kind_of
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task
from tfminilm.teachers.faster import faster
from tfminilm.typing import Tokenizer

# Fixed: another size would add numbers in another order.
BATCH_SIZE = 32


def evaluate(
    task: Task,
    head: keras.Model,
    tokenizer: Tokenizer,
    examples: Sequence[Any],
    settings: Settings,
    cache_dir: str | os.PathLike | None = None,
    count: Callable[[int], None] | None = None,
    language: str | None = None,
    judges: bool = False,
) -> Result:
    """Predict every example and score the predictions.

    Args:
        task: says what the model predicts.
        head: a model of `heads.build_head`.
        tokenizer: the model's.
        examples: of one split.
        settings: as the model was fine-tuned.
        cache_dir: where token ids are kept; nowhere if `None`.
        count: is called with the number of sequences done.
        language: of the examples' texts, if the task has several.
        judges: whether the result has `answers`, of examples with labels.

    Raises:
        UserError: there is no example, or the model's output is not finite.
    """

    def run(encoded: Encoded) -> list[Any]:
        return predict(head, Batches(encoded, BATCH_SIZE), count)

    return evaluate_with(
        run, task, tokenizer, examples, settings, cache_dir, language, judges
    )


class Scorer:
    """Score a model on the same examples again and again.

    Examples are encoded, and what the model computes is traced, in the first
    call alone: this takes longer than a few hundred short texts.

    Args:
        task: says what the model predicts.
        tokenizer: the model's.
        examples: of one split.
        settings: as the model is fine-tuned.
        cache_dir: where token ids are kept; nowhere if `None`.
    """

    def __init__(
        self,
        task: Task,
        tokenizer: Tokenizer,
        examples: Sequence[Any],
        settings: Settings,
        cache_dir: str | os.PathLike | None = None,
    ):
        self._task = task
        self._tokenizer = tokenizer
        self._examples = examples
        self._settings = settings
        self._cache_dir = cache_dir
        self._faster = functools.lru_cache(maxsize=1)(faster)

    def __call__(self, head: keras.Model) -> dict[str, float]:
        """Return a model's metrics.

        Args:
            head: a model of `heads.build_head`.

        Raises:
            UserError: as `evaluate`.
        """
        kind, examples = kind_of(self._task), self._examples
        outputs = run(self._faster(head), self._batches)
        decoded = kind.decode(examples, self._batches.encoded, outputs)
        return kind.score(self._task, examples, decoded, self._settings).metrics

    @functools.cached_property
    def _batches(self) -> Batches:
        encoded = kind_of(self._task).encode(
            self._task,
            self._examples,
            self._tokenizer,
            self._settings,
            self._cache_dir,
        )
        return Batches(encoded, BATCH_SIZE)


def require_calibratable(task: Task, examples: Sequence[Any]) -> None:
    """Refuse to calibrate where it is not known what is right.

    Args:
        task: says what the model predicts.
        examples: to calibrate on.

    Raises:
        UserError: there are none, or one has no label.
    """
    if not examples or not all(example.has_label for example in examples):
        raise UserError(
            f"{task.name} has no labelled examples to calibrate on: expected "
            "an evaluation split, such as --eval_file= of labelled texts; or "
            "leave --calibrate out"
        )


def tuned(
    task: Task,
    head: keras.Model,
    tokenizer: Tokenizer,
    examples: Sequence[Any],
    settings: Settings,
    calibrates: bool = False,
) -> Settings:
    """Return the settings with which a model scores best.

    Args:
        task: says what the model predicts.
        head: a model of `heads.build_head`.
        tokenizer: the model's.
        examples: that it was not trained on.
        settings: as it was trained.
        calibrates: whether `calibrate` changes the model's weights.

    Raises:
        UserError: there is no example, or the model cannot be calibrated: of
            one without a label it is not known what is right.
    """
    if calibrates:
        require_calibratable(task, examples)
    kind = kind_of(task)
    encoded = kind.encode(task, examples, tokenizer, settings)
    outputs = predict(head, Batches(encoded, BATCH_SIZE))
    decoded = kind.decode(examples, encoded, outputs)
    settings = kind.tune(settings, examples, decoded)
    if not calibrates:
        return settings
    answers = kind.answers(task, examples, encoded, outputs, settings)
    return calibrate(head, settings, answers)


def evaluate_with(
    run: Callable[[Encoded], list[Any]],
    task: Task,
    tokenizer: Tokenizer,
    examples: Sequence[Any],
    settings: Settings,
    cache_dir: str | os.PathLike | None = None,
    language: str | None = None,
    judges: bool = False,
) -> Result:
    """Evaluate whatever runs a model, such as a bundle.

    Args:
        run: gives the model's outputs for each sequence, as `predict` does.
        task: says what the model predicts.
        tokenizer: the model's.
        examples: of one split.
        settings: as the model was fine-tuned.
        cache_dir: where token ids are kept; nowhere if `None`.
        language: of the examples' texts, if the task has several.
        judges: whether the result has `answers`, of examples with labels.

    Raises:
        UserError: there is no example, or `run` raises it.
    """
    kind = kind_of(task)
    encoded = kind.encode(task, examples, tokenizer, settings, cache_dir)
    outputs = run(encoded)
    decoded = kind.decode(examples, encoded, outputs)
    result = kind.score(task, examples, decoded, settings, language)
    if not judges or not result.metrics:
        return result
    answers = kind.answers(task, examples, encoded, outputs, settings, language)
    return dataclasses.replace(result, answers=answers)


@gradients.forgotten()
def predict(
    head: keras.Model,
    batches: Batches,
    count: Callable[[int], None] | None = None,
) -> list[Any]:
    """Return the model's outputs for each sequence, in their order.

    Returns:
        An array `[outputs]` a sequence, or a dict of arrays
        `[bucket's length]`.

    Raises:
        UserError: an output is not finite.
    """
    return run(faster(head), batches, count)


@gradients.forgotten()
def run(
    model: keras.Model,
    batches: Batches,
    count: Callable[[int], None] | None = None,
) -> list[Any]:
    """Return what `predict` does, of a model that `faster` gave before."""
    outputs: list[Any] = [None] * len(batches.encoded)
    done = 0
    for rows, inputs in batches.epoch():
        batch = {name: inputs[name] for name in model.input}
        predicted = model.predict_on_batch(batch)
        if not all(
            np.isfinite(value).all() for value in keras.tree.flatten(predicted)
        ):
            raise UserError(
                "the model's output is not finite: its weights are broken"
            )
        for place, row in enumerate(rows):
            if row >= 0:
                outputs[row] = keras.tree.map_structure(
                    lambda value, place=place: value[place], predicted
                )
        done += int((rows >= 0).sum())
        if count is not None:
            count(done)
    return outputs
