"""Compute the losses of heads' outputs, as terms call them.

They take what the teacher gives or what labels say, the student's output, the
mask of real tokens and the weights of the examples, or of tokens.
"""

from typing import Any

from keras import ops

from tfminilm import losses
from tfminilm.errors import UserError
from tfminilm.methods import labels as label_forms
from tfminilm.typing import Tensor

# Marks tokens without a label, as in PyTorch and Hugging Face's data sets.
IGNORED = -100
# A logit whose probability is 0, far from the largest float32.
_HIDDEN_LOGIT = -1e9


def soft(
    teacher: Tensor,
    student: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
    *,
    temperature: float,
    is_over_tokens: bool,
) -> Any:
    """Return the soft targets of classes, or of positions in a text."""
    _check_shapes(teacher, student)
    if is_over_tokens:
        teacher = _without_padding(teacher, padding_mask)
        student = _without_padding(student, padding_mask)
    return losses.soft_targets(teacher, student, temperature, sample_weight)


def soft_of_all_tokens(
    teacher: Tensor,
    student: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
    *,
    temperature: float,
) -> Any:
    """Return the soft targets of each real token, masked or not.

    The weights of a batch of masked text are of the masked ones.
    """
    _check_shapes(teacher, student)
    places, length = student.shape[1], padding_mask.shape[1]
    if None not in (places, length) and places != length:
        raise UserError(
            f"mask_positions has {places} places for {length} tokens, but "
            "all_tokens asks for the logits of all: give Masking(at_all=True)"
        )
    real = ops.cast(ops.cast(padding_mask, "bool"), "float32")
    return losses.soft_targets(teacher, student, temperature, real)


def hard(
    labels: Tensor,
    student: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
    *,
    is_over_tokens: bool,
) -> Any:
    """Return the cross-entropy with classes, or with positions in a text."""
    labels = label_forms.classes(labels, student, sample_weight)
    if is_over_tokens:
        student = _without_padding(student, padding_mask)
    return losses.hard_labels(labels, student, sample_weight)


def soft_of_tokens(
    teacher: Tensor,
    student: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
    *,
    temperature: float,
) -> Any:
    """Return the soft targets of each token's classes."""
    _check_shapes(teacher, student)
    weight, mask = _weight_and_mask(sample_weight, padding_mask)
    return losses.soft_targets(teacher, student, temperature, weight, mask)


def squared_of_tokens(
    teacher: Tensor,
    student: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
) -> Any:
    """Return the squared distances of the logits of each token."""
    _check_shapes(teacher, student)
    weight, mask = _weight_and_mask(sample_weight, padding_mask)
    return losses.logits_mse(teacher, student, weight, mask)


def hard_of_tokens(
    labels: Tensor,
    student: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
) -> Any:
    """Return the cross-entropy with the classes of labelled tokens."""
    labels = ops.convert_to_tensor(labels)
    weight, mask = _weight_and_mask(sample_weight, padding_mask)
    if len(labels.shape) == 2:
        is_labelled = labels != IGNORED
        labels = ops.where(is_labelled, labels, 0)
        if mask is None:
            weight = ops.cast(weight, "float32")
            weight = ops.where(is_labelled, weight, 0.0)
        else:
            mask = ops.where(is_labelled, ops.cast(mask, "int32"), 0)
    labels = label_forms.classes(
        labels, student, weight if mask is None else mask
    )
    return losses.hard_labels(labels, student, weight, mask)


def _weight_and_mask(
    sample_weight: Tensor | None, padding_mask: Tensor
) -> tuple[Tensor | None, Tensor | None]:
    """Return weights of examples and the real tokens, or weights of tokens."""
    if sample_weight is None or len(sample_weight.shape) == 1:
        return sample_weight, padding_mask
    return sample_weight, None


def soft_of_labels(
    teacher: Tensor,
    student: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
    *,
    temperature: float,
) -> Any:
    """Return the soft targets of several labels, each for itself."""
    _check_shapes(teacher, student)
    return losses.soft_several_labels(
        teacher, student, temperature, sample_weight
    )


def hard_of_labels(
    labels: Tensor,
    student: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
) -> Any:
    """Return the binary cross-entropy with several labels."""
    labels = label_forms.several(labels, student)
    return losses.hard_several_labels(labels, student, sample_weight)


def next_sentence(
    labels: Tensor,
    student: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
) -> Any:
    """Return the cross-entropy of next-sentence prediction."""
    # Weights `[batch, masked]` belong to masked tokens, not to pairs.
    is_of_pairs = sample_weight is not None and len(sample_weight.shape) == 1
    weights = sample_weight if is_of_pairs else None
    labels = label_forms.classes(labels, student, weights)
    return losses.next_sentence(student, labels, weights)


def squared(
    teacher: Tensor,
    student: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
) -> Any:
    """Return the squared distances of outputs of a whole text."""
    _check_shapes(teacher, student)
    return losses.logits_mse(teacher, student, sample_weight)


def squared_over_tokens(
    teacher: Tensor,
    student: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
) -> Any:
    """Return the squared distances of positions' logits."""
    mask = ops.cast(padding_mask, "bool")
    teacher, student = (
        ops.where(mask, ops.cast(x, "float32"), 0.0) for x in (teacher, student)
    )
    # Scaled so that the mean over all positions becomes one over real ones.
    real = ops.mean(ops.cast(mask, "float32"), axis=-1, keepdims=True)
    scale = ops.rsqrt(ops.maximum(real, 1e-9))
    return losses.logits_mse(teacher * scale, student * scale, sample_weight)


def squared_labels(
    labels: Tensor,
    student: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
) -> Any:
    """Return the squared distances to labels that are numbers."""
    labels = label_forms.numbers(labels, student)
    return squared(labels, student, padding_mask, sample_weight)


def _without_padding(logits: Tensor, padding_mask: Tensor) -> Any:
    mask = ops.cast(padding_mask, "bool")
    return ops.where(mask, ops.cast(logits, "float32"), _HIDDEN_LOGIT)


def _check_shapes(teacher: Tensor, student: Tensor) -> None:
    """Raise `UserError` if the known parts of the shapes differ."""
    teacher_shape, student_shape = (tuple(x.shape) for x in (teacher, student))
    if (
        len(teacher_shape) != len(student_shape)
        or teacher_shape[-1] != student_shape[-1]
    ):
        raise UserError(
            f"the teacher's logits have the shape {teacher_shape}, the "
            f"student's {student_shape}: expected the same classes"
        )
