"""Weighted means, in float32, over what is real."""

from typing import Any

from keras import ops

from tfminilm.layers import replicas


def weighted_mean(values: Any, weights: Any = None) -> Any:
    """sum(weights * values) / sum(weights); 0 where all weights are 0.

    Where replicas share a batch, the weights are those of all of it.

    Args:
        values: any shape.
        weights: the same shape, or `None` for equal weights.
    """
    values = ops.cast(values, "float32")
    if weights is None:
        return ops.mean(values)
    weights = ops.cast(weights, "float32")
    # What has no weight may be anything, infinite too.
    values = ops.where(weights > 0, values, 0.0)
    total = replicas.mean(ops.sum(weights))
    mean = ops.sum(weights * values) / ops.where(total > 0, total, 1.0)
    return mean


def token_mean(values: Any, padding_mask: Any, sample_weight: Any) -> Any:
    """Mean over real tokens.

    Args:
        values: `[batch, length]`.
        padding_mask: `[batch, length]`, nonzero at real tokens.
        sample_weight: `[batch]`, or `None`.
    """
    weights = ops.cast(ops.cast(padding_mask, "bool"), "float32")
    if sample_weight is not None:
        weights = weights * ops.expand_dims(
            ops.cast(sample_weight, "float32"), -1
        )
    return weighted_mean(values, weights)
