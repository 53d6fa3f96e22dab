"""Make a classifier's probabilities true, and tell from where it is unsure."""

import dataclasses

import keras
import numpy as np

from tfminilm.errors import UserError
from tfminilm.tasks import certainty, evidence
from tfminilm.tasks.answers import Answers
from tfminilm.tasks.head_models import last_dense
from tfminilm.tasks.settings import Settings

RIGHT_WHEN_SURE = 0.95


def calibrate(
    model: keras.Model,
    settings: Settings,
    answers: Answers,
    right_when_sure: float = RIGHT_WHEN_SURE,
) -> Settings:
    """Divide a classifier's logits by the temperature that suits its answers.

    This is done in the weights of its last layer (arXiv 1706.04599, 4.2), so
    that whatever runs the model gives calibrated probabilities.

    Args:
        model: of `build_head`; its weights are changed.
        settings: the model's.
        answers: the model's to examples that it was not trained on.
        right_when_sure: the share of answers that are right among those that
            the model is sure of.

    Returns:
        The settings with `temperature`, and with `unsure_below`: 0 where no
        threshold reaches that share.

    Raises:
        UserError: the model does not choose one of several classes.
    """
    if not len(answers.logits):
        raise UserError(
            f"a model for {settings.task} ({settings.kind}) cannot be "
            "calibrated: expected one that chooses among classes"
        )
    temperature = evidence.fit_temperature(answers.logits, answers.labels)
    for weight in last_dense(model).weights:
        weight.assign(weight / temperature)
    probs = evidence.probabilities(answers.logits, temperature)
    return dataclasses.replace(
        settings,
        temperature=temperature * (settings.temperature or 1.0),
        unsure_below=_threshold(
            probs.max(axis=1), answers.are_right, right_when_sure
        ),
    )


def _threshold(
    confidence: np.ndarray, right: np.ndarray, precision: float
) -> float:
    """Return the middle between the lowest that is sure and the next below.

    There, a runtime's small differences change nothing.
    """
    threshold = certainty.threshold_for(confidence, right, precision)
    if threshold is None:
        return 0.0
    below = confidence[confidence < threshold].max(initial=0.0)
    return float(threshold + below) / 2
