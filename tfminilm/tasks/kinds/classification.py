"""Classification: one of several classes for a text, or for two."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfminilm.errors import UserError
from tfminilm.tasks import evidence, metrics
from tfminilm.tasks.answers import Answer, Answers
from tfminilm.tasks.encoded import Encoded
from tfminilm.tasks.kinds import label_rows
from tfminilm.tasks.kinds.labelled import LabelledTexts
from tfminilm.tasks.predictions import Prediction
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task
from tfminilm.typing import Tensor

if TYPE_CHECKING:
    import keras


class Classification(LabelledTexts):
    """Asks which of `task.labels` fits; a label is its index."""

    name = "classification"
    manifest_name = "classification"
    has_classes = True
    picks_one = True
    has_shaped_losses = True

    def num_outputs(self, task: Task) -> int:
        return len(task.labels)

    def parse_label(self, task: Task, written: str, where: str) -> int:
        names = task.file_labels or task.labels
        if written not in names:
            raise UserError(
                f"{where}: label {written[:60]!r} is not of {task.name}; "
                f"expected one of {', '.join(names)}"
            )
        return names.index(written)

    def parse_numbers(
        self, task: Task, values: np.ndarray, where: str
    ) -> tuple[int, tuple[float, ...]]:
        are_logits = task.label_columns.are_logits
        shares = label_rows.one_of_several(values, are_logits, where)
        return int(values.argmax()), shares

    def written_label(self, task: Task, label: int | float) -> str:
        names = task.file_labels or task.labels
        if label not in range(len(names)):
            raise UserError(
                f"{task.name}: prediction {label} is not one of the "
                f"classes 0 to {len(names) - 1}"
            )
        return names[int(label)]

    def metrics_of(self, labels: Sequence[str]) -> tuple[str, ...]:
        return ("accuracy", "f1" if len(labels) == 2 else "macro_f1")

    def made_up_label(self, task: Task, index: int) -> int:
        return index % len(task.labels)

    def describe_outputs(self, task: Task) -> str:
        return f"{len(task.labels)} ({', '.join(task.labels)})"

    def is_head_of(self, task: Task, model: "keras.Model") -> bool:
        from tfminilm.tasks.head_models import gives_several_labels

        is_right = super().is_head_of(task, model)
        return is_right and not gives_several_labels(model)

    def losses(self, model: "keras.Model") -> dict[str, Any]:
        import keras

        def loss(labels: Tensor, logits: Tensor) -> Any:
            is_soft = labels.shape[-1:] == logits.shape[-1:]
            function = keras.losses.sparse_categorical_crossentropy
            if is_soft and len(labels.shape) == len(logits.shape):
                function = keras.losses.categorical_crossentropy
            return function(labels, logits, from_logits=True)

        return {"loss": loss}

    def shaped_losses(self, smoothing: float, gamma: float) -> dict[str, Any]:
        import keras

        def loss(labels: Tensor, logits: Tensor) -> Any:
            if len(labels.shape) < len(logits.shape):
                labels = keras.ops.one_hot(
                    keras.ops.cast(labels, "int32"), logits.shape[-1]
                )
            return keras.losses.categorical_focal_crossentropy(
                labels,
                logits,
                alpha=1.0,
                gamma=gamma,
                from_logits=True,
                label_smoothing=smoothing,
            )

        return {"loss": loss}

    def decode(
        self,
        examples: Sequence[Any],
        encoded: Encoded,
        outputs: Sequence[Any],
    ) -> list[int]:
        return np.stack(outputs).argmax(axis=1).tolist()

    def predictions(
        self,
        settings: Settings,
        examples: Sequence[Any],
        encoded: Encoded,
        outputs: Sequence[Any],
    ) -> list[Prediction]:
        cuts = encoded.cut_rows.tolist()
        return [
            _prediction(settings, logits.tolist(), is_cut)
            for logits, is_cut in zip(outputs, cuts, strict=True)
        ]

    def answers(
        self,
        task: Task,
        examples: Sequence[Any],
        encoded: Encoded,
        outputs: Sequence[Any],
        settings: Settings,
        language: str | None = None,
    ) -> Answers:
        logits = np.stack(outputs).astype(float)
        labels = np.array([example.label for example in examples], int)
        guesses, names = logits.argmax(axis=1), task.labels
        sure = evidence.probabilities(logits).max(axis=1)
        are_right = guesses == labels
        rows = zip(labels, guesses, sure.tolist(), are_right, strict=True)
        return Answers(
            rows=[
                Answer(names[label], names[guess], p, 0.0 if is_right else p)
                for label, guess, p, is_right in rows
            ],
            metrics=task.metrics,
            score=metrics.resampled(task, labels, guesses),
            classes=evidence.per_class(labels, guesses, names),
            confusion=evidence.confusion(labels, guesses, len(names)),
            certainties=sure,
            are_right=are_right,
            logits=logits,
            labels=labels,
            unsure_below=settings.unsure_below,
        )


def _prediction(
    settings: Settings, logits: Sequence[float], is_cut: bool
) -> Prediction:
    """Apply a softmax: for a few numbers NumPy would take longer."""
    most = max(logits)
    exponentials = [math.exp(value - most) for value in logits]
    total = sum(exponentials)
    shares = [value / total for value in exponentials]
    best = logits.index(most)
    labels, score = settings.labels, shares[best]
    scores = dict(zip(labels, shares, strict=True))
    is_sure = score >= settings.unsure_below
    return Prediction(labels[best], score, scores, is_cut, is_sure)
