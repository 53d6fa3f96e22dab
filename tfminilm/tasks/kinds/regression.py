"""Regression: a score of a text, or of how two texts go together."""

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfminilm.errors import UserError
from tfminilm.tasks import metrics
from tfminilm.tasks.answers import Answer, Answers, Result
from tfminilm.tasks.encoded import Encoded
from tfminilm.tasks.kinds.kind import Scale
from tfminilm.tasks.kinds.labelled import LabelledTexts
from tfminilm.tasks.predictions import ScorePrediction
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task

if TYPE_CHECKING:
    import keras

SIGMOID = "sigmoid"  # As `Settings.score_activation` has it.


class Regression(LabelledTexts):
    """Asks for a score, within `task.score_range` if it has one."""

    name = "regression"
    app_call = "TextScorer(bundle, engine).score"
    manifest_name = "regression"
    has_scale = True
    compares_texts = True

    def num_outputs(self, task: Task) -> int:
        return 1

    def parse_label(self, task: Task, written: str, where: str) -> float:
        try:
            score = float(written)
        except ValueError:
            raise UserError(
                f"{where}: score {written[:60]!r} is not a number; expected "
                "one such as 3.5"
            ) from None
        check_score(task, score, where)
        return score

    def written_label(self, task: Task, label: int | float) -> str:
        if not math.isfinite(label):
            raise UserError(f"{task.name}: prediction {label} is not finite")
        least, greatest = _range(task)
        return f"{min(max(float(label), least), greatest):.3f}"

    def metrics_of(self, labels: Sequence[str]) -> tuple[str, ...]:
        return ("spearman", "pearson")

    def made_up_label(self, task: Task, index: int) -> float:
        return float(index % 5)

    def describe_outputs(self, task: Task) -> str:
        return "1 (a score)"

    def init_head(self, student: "keras.Model", teacher: "keras.Model") -> None:
        from tfminilm.tasks.head_models import last_dense

        # AdamW would take long to get from 0 to the mean of the scores.
        last_dense(student).bias.assign(last_dense(teacher).bias)

    def losses(self, model: "keras.Model") -> dict[str, Any]:
        import keras

        return {"loss": keras.losses.MeanSquaredError()}

    def standardise(self, encoded: Encoded) -> tuple[Encoded, Scale]:
        """Standardise the scores; also return their mean and deviation.

        AdamW moves a weight by at most the learning rate a step: without
        this, it would spend many steps on reaching the mean of the scores.
        """
        scores = encoded.labels["labels"]
        scale = Scale(float(scores.mean()), float(scores.std()) or 1.0)
        labels = {"labels": (scores - scale.mean) / scale.deviation}
        return dataclasses.replace(encoded, labels=labels), scale

    def restore_scale(self, model: "keras.Model", scale: Scale) -> None:
        """Make a head of standardised scores y give `deviation * y + mean`."""
        from tfminilm.tasks.head_models import last_dense

        last = last_dense(model)
        last.kernel.assign(last.kernel * scale.deviation)
        last.bias.assign(last.bias * scale.deviation + scale.mean)

    def decode(
        self,
        examples: Sequence[Any],
        encoded: Encoded,
        outputs: Sequence[Any],
    ) -> list[float]:
        return np.stack(outputs)[:, 0].astype(float).tolist()

    def predictions(
        self,
        settings: Settings,
        examples: Sequence[Any],
        encoded: Encoded,
        outputs: Sequence[Any],
    ) -> list[ScorePrediction]:
        logits = self.decode(examples, encoded, outputs)
        scores = _scores(logits, settings)
        cuts = encoded.cut_rows.tolist()
        return list(map(ScorePrediction, scores, cuts))

    def score(
        self,
        task: Task,
        examples: Sequence[Any],
        decoded: Sequence[Any],
        settings: Settings,
        language: str | None = None,
    ) -> Result:
        return super().score(
            task, examples, _scores(decoded, settings), settings
        )

    def answers(
        self,
        task: Task,
        examples: Sequence[Any],
        encoded: Encoded,
        outputs: Sequence[Any],
        settings: Settings,
        language: str | None = None,
    ) -> Answers:
        logits = self.decode(examples, encoded, outputs)
        scores = np.array(_scores(logits, settings))
        labels = np.array([example.label for example in examples], float)
        return Answers(
            rows=[
                Answer(f"{label:.3f}", f"{score:.3f}", None, gap, score)
                for label, score, gap in zip(
                    labels.tolist(),
                    scores.tolist(),
                    np.abs(scores - labels).tolist(),
                    strict=True,
                )
            ],
            metrics=task.metrics,
            score=metrics.resampled(task, labels, scores),
            residuals=scores - labels,
        )


def check_score(task: Task, score: float, where: str) -> None:
    """Refuse a score that is not finite or out of the task's range.

    Raises:
        UserError: it is.
    """
    least, greatest = _range(task)
    if not math.isfinite(score):
        raise UserError(
            f"{where}: score {score} is not a finite number; expected one "
            "such as 3.5"
        )
    if not least <= score <= greatest:
        raise UserError(
            f"{where}: score {score:g} is out of {task.name}'s range, "
            f"{least:g} to {greatest:g}"
        )


def _scores(logits: Sequence[float], settings: Settings) -> list[float]:
    """Return what a model's scores are of its logits."""
    scores = np.asarray(logits, float)
    if settings.score_activation == SIGMOID:
        scores = 1 / (1 + np.exp(-scores))
    return scores.tolist()


def _range(task: Task) -> tuple[float, float]:
    return task.score_range or (-math.inf, math.inf)
