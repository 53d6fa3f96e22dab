"""Compute losses of texts that may have several labels at once.

Each label is a question of its own, with two answers. Soft targets are those
of Hinton, Vinyals and Dean (arXiv 1503.02531, section 2) for two classes, with
the logits 0 and z.
"""

from typing import Any

from keras import ops

from tfminilm.losses.means import weighted_mean
from tfminilm.typing import Tensor


def soft_several_labels(
    teacher_logits: Tensor,
    student_logits: Tensor,
    temperature: float = 1.0,
    sample_weight: Tensor | None = None,
) -> Any:
    """Compute T² KL(sigmoid(teacher / T) || sigmoid(student / T)).

    The factor keeps the gradient as large as that of hard labels, whatever
    the temperature.

    Args:
        teacher_logits: `[batch, labels]`.
        student_logits: the same shape.
        temperature: T, above 0; higher is softer.
        sample_weight: `[batch]` or `[batch, 1]` weights of the examples, or
            `None`.

    Returns:
        A float32 scalar, in nats: the mean over labels and examples, weighted
        as in Keras' losses.

    Raises:
        ValueError: the temperature is not above 0, or the weights are of
            another shape.
    """
    if temperature <= 0:
        raise ValueError(f"temperature is {temperature}, expected above 0")
    teacher = ops.cast(teacher_logits, "float32") / temperature
    teacher = ops.stop_gradient(teacher)
    student = ops.cast(student_logits, "float32") / temperature
    divergence = _cross_entropy(ops.sigmoid(teacher), student)
    divergence -= _cross_entropy(ops.sigmoid(teacher), teacher)
    means = ops.mean(divergence, axis=-1)
    return temperature**2 * weighted_mean(means, sample_weight)


def hard_several_labels(
    labels: Tensor, student_logits: Tensor, sample_weight: Tensor | None = None
) -> Any:
    """Compute the binary cross-entropy of each label, at temperature 1.

    Args:
        labels: `[batch, labels]`, 1 for those that a text has and 0 for the
            others, or probabilities.
        student_logits: the same shape.
        sample_weight: as in `soft_several_labels`.

    Returns:
        A float32 scalar, in nats: the mean over labels and (weighted)
        examples.
    """
    logits = ops.cast(student_logits, "float32")
    values = _cross_entropy(ops.cast(labels, "float32"), logits)
    return weighted_mean(ops.mean(values, axis=-1), sample_weight)


def _cross_entropy(probabilities: Tensor, logits: Tensor) -> Any:
    """Return that of each label; -log sigmoid(z) is softplus(-z)."""
    return ops.softplus(logits) - probabilities * logits
