"""MiniLMv2: Multi-Head Self-Attention Relation Distillation.

arXiv 2012.15828, section 3.
"""

from typing import Any

from keras import ops

from tfminilm.losses.relations import vector_divergence
from tfminilm.typing import Tensor


def relation(
    teacher_vectors: Tensor,
    student_vectors: Tensor,
    padding_mask: Tensor,
    num_relation_heads: int,
    sample_weight: Tensor | None = None,
) -> Any:
    """Compute the self-attention relation transfer (equations 5 to 7).

    The heads of a layer are joined and split again into relation heads, so
    teacher and student may have different head counts:

        R_a = softmax(X_a X_a^T / sqrt(d_r))
        L = 1/(A_r |x|) sum_a sum_t KL(R^teacher_{a,t} || R^student_{a,t})

    Args:
        teacher_vectors: `[batch, heads, length, head_dim]`: queries, keys or
            values.
        student_vectors: the same, of other heads and head sizes if need be.
        padding_mask: `[batch, length]`, nonzero at real tokens.
        num_relation_heads: A_r; has to divide both widths.
        sample_weight: `[batch]` weights of the examples, or `None`.

    Returns:
        A float32 scalar, in nats; gradients reach the student's vectors only.

    Raises:
        ValueError: a width cannot be split so.
    """
    return vector_divergence(
        split_again(teacher_vectors, num_relation_heads),
        split_again(student_vectors, num_relation_heads),
        padding_mask,
        sample_weight,
    )


def split_again(vectors: Tensor, num_heads: int) -> Any:
    """Join the heads of `[batch, heads, length, head_dim]`, and split anew.

    Returns:
        `[batch, num_heads, length, heads * head_dim / num_heads]`.

    Raises:
        ValueError: the width cannot be split so.
    """
    width = vectors.shape[1] * vectors.shape[3]
    if width % num_heads:
        raise ValueError(
            f"{num_heads} relation heads do not divide a width of {width}"
        )
    if vectors.shape[1] == num_heads:
        return vectors
    by_token = ops.transpose(vectors, (0, 2, 1, 3))
    batch, length = ops.shape(by_token)[:2]
    shape = (batch, length, num_heads, width // num_heads)
    return ops.transpose(ops.reshape(by_token, shape), (0, 2, 1, 3))
