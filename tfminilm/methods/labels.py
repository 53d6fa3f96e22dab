"""Labels in the forms that the losses take, and refusals of others."""

from typing import Any

from keras import ops

from tfminilm import checks
from tfminilm.errors import UserError
from tfminilm.losses.means import example_weights
from tfminilm.typing import Tensor


def classes(
    labels: Tensor, logits: Tensor, sample_weight: Tensor | None = None
) -> Any:
    """Labels as `losses.hard_labels` takes them.

    Args:
        labels: class numbers from 0, the shape of the logits without classes
            or with one at its end; or a row of probabilities for each, such
            as one-hot, the shape of the logits.
        logits: `[..., classes]`.
        sample_weight: the labels of weight 0 may be anything.

    Returns:
        Class numbers `[...]`, or probabilities `[..., classes]`.

    Raises:
        UserError: they are of another kind or shape, or, as far as their
            values are known, no classes. Where TensorFlow runs a graph, the
            graph raises it; where they cannot be seen, as under XLA and JAX'
            `jit`, the loss is NaN.
    """
    labels = _numeric(labels)
    rank, wanted = len(labels.shape), len(logits.shape)
    last = labels.shape[-1] if rank else None
    if rank == wanted and last == 1 and logits.shape[-1] != 1:
        labels = ops.squeeze(labels, -1)
    elif rank == wanted and last in (None, logits.shape[-1]):
        return ops.cast(labels, "float32")
    elif rank != wanted - 1:
        raise UserError(
            f"labels have the shape {tuple(labels.shape)} and the logits "
            f"{tuple(logits.shape)}: expected class numbers of shape "
            f"{tuple(logits.shape[:-1])}, or one-hot labels"
        )
    _check_range(labels, ops.shape(logits)[-1], sample_weight)
    return labels


def numbers(labels: Tensor, outputs: Any) -> Any:
    """Scores to reach, in the shape `[batch, 1]` of the outputs.

    Raises:
        UserError: there is not one for each example.
    """
    labels = _numeric(labels)
    if len(labels.shape) > 2 or tuple(labels.shape[1:]) not in ((), (1,)):
        raise UserError(
            f"labels have the shape {tuple(labels.shape)}, expected one "
            "number for each example: [batch] or [batch, 1]"
        )
    return ops.reshape(labels, ops.shape(outputs))


def _numeric(labels: Tensor) -> Any:
    labels = ops.convert_to_tensor(labels)
    if "string" in str(labels.dtype):
        raise UserError(
            "labels are text, expected the numbers of classes from 0: count "
            "them with keras.layers.StringLookup(num_oov_indices=0)"
        )
    return labels


def _check_range(
    labels: Tensor, count: int, sample_weight: Tensor | None
) -> None:
    numbers = ops.cast(labels, "int32")
    is_wrong = (numbers < 0) | (numbers >= count)
    if sample_weight is not None:
        weights = ops.convert_to_tensor(sample_weight)
        if len(weights.shape) != len(numbers.shape):
            weights = example_weights(weights, len(numbers.shape))
        is_wrong = is_wrong & (weights != 0)
    checks.refuse(
        is_wrong,
        numbers,
        "a label is ",
        ", expected class numbers from 0 and below the number of classes; "
        "give an example without a label the sample_weight 0",
    )
