"""Losses between hidden states of equal width, and attention scores.

TinyBERT (arXiv 1909.10351, equations 7 to 9), DistilBERT (arXiv 1910.01108,
section 3) and BERT-PKD (arXiv 1908.09355, equation 7).
"""

from typing import Any

from keras import ops

from tfminilm.losses.means import masked_mean, token_mean, weighted_mean
from tfminilm.typing import Tensor


def hidden_mse(
    teacher_hidden: Tensor,
    student_hidden: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
) -> Any:
    """Compute TinyBERT's L_hidn or L_embd, after the learned projection.

    Args:
        teacher_hidden: `[batch, length, width]`.
        student_hidden: the same shape: project a narrower student first.
        padding_mask: `[batch, length]`, nonzero at real tokens.
        sample_weight: `[batch]` weights of the examples, or `None`.

    Returns:
        A float32 scalar: the mean over real tokens and features.
    """
    difference = _constant(teacher_hidden) - ops.cast(student_hidden, "float32")
    per_token = ops.mean(ops.square(difference), axis=-1)
    return token_mean(per_token, padding_mask, sample_weight)


def attention_scores_mse(
    teacher_scores: Tensor,
    student_scores: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
) -> Any:
    """Compute TinyBERT's L_attn (equation 7), on scores before the softmax.

    Args:
        teacher_scores: `[batch, heads, length, length]`.
        student_scores: the same shape.
        padding_mask: `[batch, length]`, nonzero at real tokens.
        sample_weight: `[batch]` weights of the examples, or `None`.

    Returns:
        A float32 scalar: the mean over heads and real (query, key) pairs.
    """
    real = ops.cast(ops.cast(padding_mask, "bool"), "float32")
    pairs = real[:, :, None] * real[:, None, :]
    difference = _constant(teacher_scores) - ops.cast(student_scores, "float32")
    per_pair = ops.mean(ops.square(difference), axis=1)
    return masked_mean(per_pair, pairs, sample_weight)


def cosine_distance(
    teacher_hidden: Tensor,
    student_hidden: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
) -> Any:
    """Compute DistilBERT's L_cos: 1 - cos of a token's hidden states.

    Args:
        teacher_hidden: `[batch, length, width]`.
        student_hidden: the same shape.
        padding_mask: `[batch, length]`, nonzero at real tokens.
        sample_weight: `[batch]` weights of the examples, or `None`.

    Returns:
        A float32 scalar, 0 to 2: the mean over real tokens.
    """
    teacher = _unit(_constant(teacher_hidden))
    student = _unit(ops.cast(student_hidden, "float32"))
    distance = 1.0 - ops.sum(teacher * student, axis=-1)
    return token_mean(distance, padding_mask, sample_weight)


def patient(
    teacher_cls: Tensor,
    student_cls: Tensor,
    sample_weight: Tensor | None = None,
    normalise: bool = True,
) -> Any:
    """Compute BERT-PKD's L_PT (equation 7), on several layers' [CLS] states.

    Args:
        teacher_cls: `[batch, layers, hidden_dim]`.
        student_cls: the same shape.
        sample_weight: `[batch]` weights of the examples, or `None`.
        normalise: whether each state is scaled to length 1 first, as in the
            equation.

    Returns:
        A float32 scalar: the mean over the batch of the sum over layers of
        the squared distance of the states.
    """
    scaled = _unit if normalise else lambda states: states
    teacher = scaled(_constant(teacher_cls))
    student = scaled(ops.cast(student_cls, "float32"))
    squares = ops.sum(ops.square(student - teacher), axis=(1, 2))
    return weighted_mean(squares, sample_weight)


def _constant(x: Tensor) -> Any:
    return ops.stop_gradient(ops.cast(x, "float32"))


def _unit(x: Tensor) -> Any:
    """Normalise to length 1 along the last axis; a zero vector stays zero."""
    squared = ops.sum(ops.square(x), axis=-1, keepdims=True)
    return x * ops.rsqrt(ops.maximum(squared, 1e-24))
