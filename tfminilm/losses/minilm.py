"""MiniLM: Deep Self-Attention Distillation (arXiv 2002.10957), section 3."""

from typing import Any

from tfminilm.losses.relations import score_divergence, vector_divergence
from tfminilm.typing import Tensor


def attention_transfer(
    teacher_scores: Tensor,
    student_scores: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
) -> Any:
    """Compute the self-attention distribution transfer L_AT (equation 4).

        L_AT = 1/(A |x|) sum_a sum_t KL(A^teacher_{a,t} || A^student_{a,t})

    Args:
        teacher_scores: `[batch, heads, length, length]`: the scaled dot
            products of queries and keys before mask and softmax.
        student_scores: the same shape: teacher and student need the same
            number of heads; their layers and widths are free.
        padding_mask: `[batch, length]`, nonzero at real tokens. Padded
            queries and keys do not count.
        sample_weight: `[batch]` weights of the examples, or `None`.

    Returns:
        A float32 scalar, in nats; gradients reach the student's scores only.
    """
    return score_divergence(
        teacher_scores, student_scores, padding_mask, sample_weight
    )


def value_relation(
    teacher_values: Tensor,
    student_values: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
) -> Any:
    """Compute the value-relation transfer L_VR (equations 5 and 6).

        VR_a = softmax(V_a V_a^T / sqrt(d_k))
        L_VR = 1/(A |x|) sum_a sum_t KL(VR^teacher_{a,t} || VR^student_{a,t})

    Args:
        teacher_values: `[batch, heads, length, head_dim]`.
        student_values: `[batch, heads, length, student_head_dim]`; each model
            is scaled by its own head size.
        padding_mask: `[batch, length]`, nonzero at real tokens.
        sample_weight: `[batch]` weights of the examples, or `None`.

    Returns:
        A float32 scalar, in nats; gradients reach the student's values only.
    """
    return vector_divergence(
        teacher_values, student_values, padding_mask, sample_weight
    )
