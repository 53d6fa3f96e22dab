"""Multi-label classification: any number of labels for a text, or for two."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfminilm.errors import UserError
from tfminilm.tasks import evidence, thresholds
from tfminilm.tasks.answers import Answer, Answers, Result
from tfminilm.tasks.encoded import Encoded
from tfminilm.tasks.kinds import label_rows
from tfminilm.tasks.kinds.labelled import LabelledTexts
from tfminilm.tasks.predictions import LabelsPrediction
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task
from tfminilm.typing import Tensor

if TYPE_CHECKING:
    import keras


class MultiLabel(LabelledTexts):
    """Asks of each of `task.labels` whether it fits; 1 for each that does.

    Its heads end in a sigmoid for each label, so that a model says itself
    what it is.
    """

    name = "multi_label"
    manifest_name = "multi_label_classification"
    app_call = "MultiLabelClassifier(bundle, engine).classify"
    has_classes = True
    has_several_labels = True
    is_tuned = True
    has_shaped_losses = True

    def num_outputs(self, task: Task) -> int:
        return len(task.labels)

    def names_of(self, task: Task, written: str | Sequence[str]) -> list[str]:
        if not isinstance(written, str):
            return [name.strip() for name in written]
        names = written.split(task.label_columns.separator)
        return [name.strip() for name in names if name.strip()]

    def parse_label(
        self, task: Task, written: str | Sequence[str], where: str
    ) -> tuple[float, ...]:
        names = self.names_of(task, written)
        for name in names:
            if name not in task.labels:
                raise UserError(
                    f"{where}: label {name[:60]!r} is not of {task.name}; "
                    f"expected some of {', '.join(task.labels)}, with "
                    f"{task.label_columns.separator!r} between them"
                )
        if len({*names}) < len(names):
            raise UserError(
                f"{where}: the labels are {', '.join(names)[:60]}, expected "
                "each once"
            )
        return tuple(float(label in names) for label in task.labels)

    def parse_numbers(
        self, task: Task, values: np.ndarray, where: str
    ) -> tuple[tuple[float, ...], None]:
        are_logits = task.label_columns.are_logits
        return label_rows.each_for_itself(values, are_logits, where), None

    def written_label(self, task: Task, label: Any) -> str:
        pairs = zip(task.labels, label, strict=True)
        return task.label_columns.separator.join(
            n for n, is_on in pairs if is_on
        )

    def metrics_of(self, labels: Sequence[str]) -> tuple[str, ...]:
        return ("micro_f1", "macro_f1")

    def made_up_label(self, task: Task, index: int) -> tuple[float, ...]:
        count = len(task.labels)
        return tuple(float((index >> place) & 1) for place in range(count))

    def describe_outputs(self, task: Task) -> str:
        return f"{len(task.labels)} labels ({', '.join(task.labels)})"

    def build_head(
        self, task: Task, backbone: "keras.Model", dropout: float
    ) -> "keras.Model":
        from tfminilm.tasks.head_models import SIGMOID, text_classifier

        count = self.num_outputs(task)
        return text_classifier(backbone, count, dropout, SIGMOID)

    def is_head(self, model: "keras.Model") -> bool:
        from tfminilm.tasks.head_models import gives_several_labels

        return super().is_head(model) and gives_several_labels(model)

    def describe_head(self, model: "keras.Model") -> str:
        return f"{model.num_classes} labels, each for itself"

    def trained_output(self, model: "keras.Model") -> Any:
        from tfminilm.teachers.logits import logits_of

        return logits_of(model.output, lambda tensor: tensor)

    def losses(self, model: "keras.Model") -> dict[str, Any]:
        import keras

        return {"loss": keras.losses.BinaryCrossentropy(from_logits=True)}

    def shaped_losses(self, smoothing: float, gamma: float) -> dict[str, Any]:
        import keras

        return {
            "loss": keras.losses.BinaryFocalCrossentropy(
                gamma=gamma, from_logits=True, label_smoothing=smoothing
            )
        }

    def losses_of_each(self, smoothing: float, gamma: float) -> dict[str, Any]:
        import keras

        def loss(labels: Tensor, logits: Tensor) -> Any:
            pair = [keras.ops.expand_dims(x, -1) for x in (labels, logits)]
            shape = {"from_logits": True, "label_smoothing": smoothing}
            if not gamma:
                return keras.losses.binary_crossentropy(*pair, **shape)
            return keras.losses.binary_focal_crossentropy(
                *pair, gamma=gamma, **shape
            )

        return {"loss": loss}

    def decode(
        self,
        examples: Sequence[Any],
        encoded: Encoded,
        outputs: Sequence[Any],
    ) -> list[tuple[float, ...]]:
        return list(map(tuple, np.stack(outputs).astype(float).tolist()))

    def tune(
        self,
        settings: Settings,
        examples: Sequence[Any],
        decoded: Sequence[Any],
    ) -> Settings:
        if any(example.label is None for example in examples):
            return settings
        labels = np.array([example.label for example in examples]) >= 0.5
        tuned = thresholds.best(labels, np.array(decoded, float))
        return dataclasses.replace(settings, thresholds=tuned)

    def score(
        self,
        task: Task,
        examples: Sequence[Any],
        decoded: Sequence[Any],
        settings: Settings,
        language: str | None = None,
    ) -> Result:
        limits = _limits(settings)
        rows = [tuple((np.array(one) >= limits).tolist()) for one in decoded]
        ids = [example.id for example in examples]
        if any(example.label is None for example in examples):
            return Result({}, ids, rows)
        labels = np.array([example.label for example in examples]) >= 0.5
        scores = thresholds.f1_scores(labels, np.array(rows))
        return Result({name: scores[name] for name in task.metrics}, ids, rows)

    def predictions(
        self,
        settings: Settings,
        examples: Sequence[Any],
        encoded: Encoded,
        outputs: Sequence[Any],
    ) -> list[LabelsPrediction]:
        limits, names = _limits(settings).tolist(), settings.labels
        return [
            LabelsPrediction(
                tuple(
                    name
                    for name, value, limit in zip(
                        names, row, limits, strict=True
                    )
                    if value >= limit
                ),
                dict(zip(names, row, strict=True)),
                is_cut,
            )
            for row, is_cut in zip(
                self.decode(examples, encoded, outputs),
                encoded.cut_rows.tolist(),
                strict=True,
            )
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
        probs = np.array(self.decode(examples, encoded, outputs))
        labels = np.array([example.label for example in examples]) >= 0.5
        picks = probs >= _limits(settings)
        doubts = np.where(picks == labels, 0.0, np.abs(probs - labels))
        sure = np.where(picks, probs, 1 - probs).min(axis=1)
        return Answers(
            rows=[
                Answer(_in_words(task, label), _in_words(task, pick), p, doubt)
                for label, pick, p, doubt in zip(
                    labels,
                    picks,
                    sure.tolist(),
                    doubts.max(axis=1).tolist(),
                    strict=True,
                )
            ],
            metrics=task.metrics,
            score=thresholds.resampled(task.metrics, labels, picks),
            classes=evidence.per_label(labels, picks, task.labels),
            certainties=probs[picks],
            are_right=labels[picks],
        )

    def manifest_part(
        self, settings: Settings, lengths: Sequence[int]
    ) -> dict[str, Any]:
        return {"thresholds": tuple(_limits(settings).tolist())}

    def read_manifest_part(
        self, settings: Settings, part: dict[str, Any] | None
    ) -> Settings:
        assert part is not None
        return dataclasses.replace(
            settings, thresholds=tuple(part["thresholds"])
        )


def _in_words(task: Task, is_on: np.ndarray) -> str:
    pairs = zip(task.labels, is_on, strict=True)
    return ", ".join(name for name, on in pairs if on) or "none"


def _limits(settings: Settings) -> np.ndarray:
    """Return from which probability on each label is given, `[labels]`."""
    return np.array(
        settings.thresholds or [thresholds.DEFAULT] * len(settings.labels)
    )
