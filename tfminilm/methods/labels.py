"""Bring labels into the form that the losses take, or refuse them."""

from typing import Any

from keras import ops

from tfminilm import checks
from tfminilm.errors import UserError
from tfminilm.losses.means import example_weights
from tfminilm.typing import Tensor


def classes(
    labels: Tensor, logits: Tensor, sample_weight: Tensor | None = None
) -> Any:
    """Return labels in the form that `losses.hard_labels` takes.

    Args:
        labels: class numbers from 0, the shape of the logits without classes
            or with one at its end; or a row of probabilities for each, such
            as one-hot, the shape of the logits.
        logits: `[..., classes]`.
        sample_weight: labels of weight 0 are not checked.

    Returns:
        Class numbers `[...]`, or probabilities `[..., classes]`.

    Raises:
        UserError: they have a wrong type or shape, or a value that is no
            class. TensorFlow's graphs raise it when they run. Under XLA and
            JAX' `jit` values cannot be checked: there the loss is NaN.
    """
    labels = _numeric(labels)
    rank, logits_rank = len(labels.shape), len(logits.shape)
    last = labels.shape[-1] if rank else None
    if rank == logits_rank and last == 1 and logits.shape[-1] != 1:
        labels = ops.squeeze(labels, -1)
    elif rank == logits_rank and last in (None, logits.shape[-1]):
        return ops.cast(labels, "float32")
    elif rank != logits_rank - 1:
        raise UserError(
            f"labels have the shape {tuple(labels.shape)} and the logits "
            f"{tuple(logits.shape)}: expected class numbers of shape "
            f"{tuple(logits.shape[:-1])}, or one-hot labels"
        )
    _check_range(labels, ops.shape(logits)[-1], sample_weight)
    return labels


def several(labels: Tensor, outputs: Tensor) -> Any:
    """Return the labels of texts that may have several, 1 or 0 for each.

    Raises:
        UserError: they have another shape than the outputs.
    """
    labels = _numeric(labels)
    shape, expected = tuple(labels.shape), tuple(outputs.shape)
    if len(shape) != len(expected) or shape[-1] != expected[-1]:
        raise UserError(
            f"labels have the shape {shape}, expected one number for each "
            f"label: {expected}"
        )
    return ops.cast(labels, "float32")


def numbers(labels: Tensor, outputs: Tensor) -> Any:
    """Return labels that are scores, in the shape `[batch, 1]` of the outputs.

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
    class_ids = ops.cast(labels, "int32")
    is_wrong = (class_ids < 0) | (class_ids >= count)
    if sample_weight is not None:
        weights = ops.convert_to_tensor(sample_weight)
        if len(weights.shape) != len(class_ids.shape):
            weights = example_weights(weights, len(class_ids.shape))
        is_wrong = is_wrong & (weights != 0)
    checks.refuse(
        is_wrong,
        class_ids,
        "a label is ",
        ", expected class numbers from 0 and below the number of classes; "
        "give an example without a label the sample_weight 0",
    )
