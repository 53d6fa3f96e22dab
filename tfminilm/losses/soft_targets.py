"""Soft targets: Distilling the Knowledge in a Neural Network.

Hinton, Vinyals and Dean (arXiv 1503.02531), section 2.
"""

from typing import Any

from keras import ops

from tfminilm.losses.means import masked_mean, weighted_mean
from tfminilm.losses.pretraining import cross_entropy
from tfminilm.typing import Tensor


def soft_targets(
    teacher_logits: Tensor,
    student_logits: Tensor,
    temperature: float = 1.0,
    sample_weight: Tensor | None = None,
    mask: Tensor | None = None,
) -> Any:
    """Compute T² KL(softmax(teacher / T) || softmax(student / T)).

    The factor keeps the gradient as large as that of hard labels, whatever
    the temperature.

    Args:
        teacher_logits: `[..., classes]`.
        student_logits: the same shape.
        temperature: T, above 0; higher is softer.
        sample_weight: `[batch]` or `[batch, 1]` weights of the examples, or
            `None`; or, for logits `[batch, length, classes]`, weights of
            tokens `[batch, length]`, of which those of weight 0 do not
            count: with a padding mask this is the mean over real tokens.
        mask: `[batch, length]`, nonzero at the tokens that count, of logits
            `[batch, length, classes]`; then the weights are of examples.

    Returns:
        A float32 scalar, in nats: the mean over examples, weighted as in
        Keras' losses.

    Raises:
        ValueError: the temperature is not above 0, or the weights are of
            another shape.
    """
    if temperature <= 0:
        raise ValueError(f"temperature is {temperature}, expected above 0")
    teacher = ops.cast(teacher_logits, "float32") / temperature
    student = ops.cast(student_logits, "float32") / temperature
    log_p = ops.log_softmax(ops.stop_gradient(teacher), axis=-1)
    log_q = ops.log_softmax(student, axis=-1)
    divergence = ops.sum(ops.exp(log_p) * (log_p - log_q), axis=-1)
    return temperature**2 * _mean(divergence, sample_weight, mask)


def hard_labels(
    labels: Tensor,
    student_logits: Tensor,
    sample_weight: Tensor | None = None,
    mask: Tensor | None = None,
) -> Any:
    """Compute the cross-entropy of the true classes, at temperature 1.

    Args:
        labels: class numbers, the shape of the logits without classes; or
            probabilities of the shape of the logits, such as one-hot labels.
        student_logits: `[..., classes]`.
        sample_weight: as in `soft_targets`.
        mask: as in `soft_targets`.

    Returns:
        A float32 scalar, in nats: the (weighted) mean over examples; NaN
        where a label of weight is no class.
    """
    entropy = cross_entropy(student_logits, labels)
    return _mean(entropy, sample_weight, mask)


def logits_mse(
    teacher_logits: Tensor,
    student_logits: Tensor,
    sample_weight: Tensor | None = None,
    mask: Tensor | None = None,
) -> Any:
    """Compute the mean squared distance of the logits themselves.

    It is the limit of `soft_targets` at high temperatures (section 2.1), and
    the loss of Distilled BiLSTM (arXiv 1903.12136, equation 5).

    Args:
        teacher_logits: `[..., classes]`.
        student_logits: the same shape.
        sample_weight: as in `soft_targets`.
        mask: as in `soft_targets`.

    Returns:
        A float32 scalar: the mean over classes and (weighted) examples.
    """
    teacher = ops.stop_gradient(ops.cast(teacher_logits, "float32"))
    student = ops.cast(student_logits, "float32")
    per_example = ops.mean(ops.square(student - teacher), axis=-1)
    return _mean(per_example, sample_weight, mask)


def _mean(
    values: Tensor, sample_weight: Tensor | None, mask: Tensor | None
) -> Any:
    if mask is None:
        return weighted_mean(values, sample_weight)
    return masked_mean(values, mask, sample_weight)
