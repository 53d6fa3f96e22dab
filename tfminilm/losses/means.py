"""Weighted means in float32 over real examples and tokens.

They follow Keras' losses (`sum_over_batch_size`): the sum of the weighted
values is divided by their number, so doubling the weights doubles the mean.
Where replicas share a batch, the number is that of the whole batch.
"""

import math
from typing import Any

from keras import ops

from tfminilm.private import replicas
from tfminilm.typing import Tensor


def weighted_mean(values: Tensor, weights: Tensor | None = None) -> Any:
    """Compute sum(weights * values) / count(values).

    Args:
        values: `[batch]`, or `[batch, tokens]`.
        weights: `[batch]` or `[batch, 1]`, the weights of the examples; or
            the shape of `values`, the weights of tokens, where weight 0
            takes a token out of the count; `None` for equal weights.

    Returns:
        A float32 scalar; 0 where nothing counts.

    Raises:
        ValueError: the weights are of another shape.
    """
    values = ops.cast(values, "float32")
    count = ops.cast(math.prod(ops.shape(values)), "float32")
    if weights is None:
        return _ratio(ops.sum(values), replicas.mean(count))
    weights = ops.cast(weights, "float32")
    if _are_of_tokens(weights, values):
        count = ops.sum(ops.cast(weights != 0, "float32"))
    else:
        weights = example_weights(weights, len(values.shape))
    return _ratio(_weighted_sum(values, weights), replicas.mean(count))


def masked_mean(
    values: Tensor, mask: Tensor, sample_weight: Tensor | None = None
) -> Any:
    """Compute sum(weights * mask * values) / count(mask).

    An example with weight 0 and mask 0 is a filler of the batch. It counts
    like an example of average length, as in a mean over examples.

    Args:
        values: `[batch, ...]`.
        mask: the same shape, nonzero where a value counts.
        sample_weight: `[batch]` or `[batch, 1]`, the weights of the examples,
            or `None`.

    Returns:
        A float32 scalar; 0 where nothing counts.
    """
    values = ops.cast(values, "float32")
    mask = ops.cast(ops.cast(mask, "bool"), "float32")
    if sample_weight is None:
        count = replicas.mean(ops.sum(mask))
        return _ratio(_weighted_sum(values, mask), count)
    weights = example_weights(sample_weight, len(values.shape))
    is_there = ops.any((mask != 0) | (weights != 0), _all_but_first(mask))
    sizes = (
        ops.sum(mask),
        ops.cast(ops.shape(mask)[0], "float32"),
        ops.sum(ops.cast(is_there, "float32")),
    )
    means = replicas.mean(ops.stack(sizes))
    count, rows, rows_there = ops.unstack(means, len(sizes))
    total = _weighted_sum(values, weights * mask)
    return _ratio(total, count * _ratio(rows, rows_there))


def token_mean(
    values: Tensor, padding_mask: Tensor, sample_weight: Tensor | None
) -> Any:
    """Compute `masked_mean` over real tokens.

    Args:
        values: `[batch, length]`.
        padding_mask: `[batch, length]`, nonzero at real tokens.
        sample_weight: `[batch]` or `[batch, 1]`, or `None`.
    """
    return masked_mean(values, padding_mask, sample_weight)


def example_weights(sample_weight: Tensor, rank: int = 1) -> Any:
    """Return the weights of examples as float32 `[batch, 1, ...]`.

    Args:
        sample_weight: `[batch]` or `[batch, 1]`.
        rank: the number of axes of the result.

    Raises:
        ValueError: they are of another shape.
    """
    weights = ops.cast(sample_weight, "float32")
    shape = tuple(weights.shape)
    if len(shape) != 1 and not (len(shape) == 2 and shape[1] == 1):
        raise ValueError(
            f"sample_weight has the shape {shape}, expected one weight for "
            "each example: [batch] or [batch, 1]"
        )
    return ops.reshape(weights, (-1,) + (1,) * (rank - 1))


def _are_of_tokens(weights: Tensor, values: Tensor) -> bool:
    """Return whether the weights are of tokens, not of examples."""
    if len(values.shape) < 2 or len(weights.shape) != len(values.shape):
        return False
    return weights.shape[-1] != 1 or values.shape[-1] == 1


def _all_but_first(x: Tensor) -> tuple[int, ...]:
    return tuple(range(1, len(x.shape)))


def _weighted_sum(values: Tensor, weights: Tensor) -> Any:
    # A value of weight 0 may be infinite, and infinity * 0 is NaN.
    return ops.sum(weights * ops.where(weights != 0, values, 0.0))


def _ratio(total: Tensor, count: Tensor) -> Any:
    """Compute total / count; 0 where the count is 0."""
    return total / ops.where(count > 0, count, 1.0)
