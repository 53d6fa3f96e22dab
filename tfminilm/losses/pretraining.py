"""BERT's own objectives (arXiv 1810.04805, section 3.1)."""

from typing import Any

from keras import ops

from tfminilm.losses.means import weighted_mean


def masked_lm(logits: Any, labels: Any, weights: Any) -> Any:
    """Cross-entropy of the masked tokens.

    Args:
        logits: `[batch, masked, vocabulary_size]`, at the masked positions.
        labels: `[batch, masked]`, the original token ids.
        weights: `[batch, masked]`, 0 at unused places.

    Returns:
        A float32 scalar, in nats: the mean over masked tokens.
    """
    return weighted_mean(cross_entropy(logits, labels), weights)


def next_sentence(logits: Any, labels: Any, sample_weight: Any = None) -> Any:
    """Cross-entropy of whether the second text follows the first.

    Args:
        logits: `[batch, 2]`.
        labels: `[batch]`, 0 where it follows and 1 where it does not.
        sample_weight: `[batch]`, or none.

    Returns:
        A float32 scalar, in nats: the mean over pairs.
    """
    return weighted_mean(cross_entropy(logits, labels), sample_weight)


def cross_entropy(logits: Any, labels: Any) -> Any:
    """-log softmax(logits) at the label, without a mean.

    Args:
        logits: `[..., classes]`.
        labels: `[...]` class numbers.
    """
    log_probs = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    labels = ops.expand_dims(ops.cast(labels, "int32"), -1)
    return -ops.squeeze(ops.take_along_axis(log_probs, labels, axis=-1), -1)
