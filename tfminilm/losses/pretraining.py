"""BERT's own objectives (arXiv 1810.04805, section 3.1)."""

from typing import Any

from keras import ops

from tfminilm.losses.means import weighted_mean
from tfminilm.typing import Tensor


def masked_lm(logits: Tensor, labels: Tensor, weights: Tensor) -> Any:
    """Compute the cross-entropy of the masked tokens.

    Args:
        logits: `[batch, masked, vocabulary_size]`, at the masked positions.
        labels: `[batch, masked]`, the original token ids.
        weights: `[batch, masked]`, 0 at unused places, which do not count.

    Returns:
        A float32 scalar, in nats: the mean over masked tokens.
    """
    return weighted_mean(cross_entropy(logits, labels), weights)


def next_sentence(
    logits: Tensor, labels: Tensor, sample_weight: Tensor | None = None
) -> Any:
    """Compute the cross-entropy of next-sentence prediction.

    Args:
        logits: `[batch, 2]`.
        labels: `[batch]`, 0 where the second text follows the first, else 1.
        sample_weight: `[batch]`, or none.

    Returns:
        A float32 scalar, in nats: the mean over pairs.
    """
    return weighted_mean(cross_entropy(logits, labels), sample_weight)


def cross_entropy(logits: Tensor, labels: Tensor) -> Any:
    """Compute -log softmax(logits) at the label, without a mean.

    Args:
        logits: `[..., classes]`.
        labels: `[...]` class numbers, or `[..., classes]` probabilities, such
            as one-hot labels.

    Returns:
        `[...]` float32, in nats; NaN where the label is no class.
    """
    log_probs = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    labels = ops.convert_to_tensor(labels)
    if len(labels.shape) == len(log_probs.shape):
        return -ops.sum(ops.cast(labels, "float32") * log_probs, axis=-1)
    labels = ops.cast(labels, "int32")
    is_class = (labels >= 0) & (labels < ops.shape(log_probs)[-1])
    indices = ops.expand_dims(ops.where(is_class, labels, 0), -1)
    label_log_probs = ops.squeeze(
        ops.take_along_axis(log_probs, indices, axis=-1), -1
    )
    return ops.where(is_class, -label_log_probs, float("nan"))
