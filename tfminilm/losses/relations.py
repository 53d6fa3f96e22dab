"""How far two sets of distributions over token pairs are apart.

The common ground of MiniLM's losses (arXiv 2002.10957, equations 4 to 6):

    1/(A |x|) sum_a sum_t KL(teacher_{a,t} || student_{a,t})

over A heads and the |x| real queries of an example, each a softmax over its
real keys; then the mean over the batch.
"""

from typing import Any

from keras import ops

from tfminilm.layers.attention import key_bias


def relation_divergence(
    teacher_scores: Any,
    student_scores: Any,
    padding_mask: Any,
    sample_weight: Any = None,
) -> Any:
    """Mean KL divergence between the softmaxes of two sets of scores.

    Gradients reach `student_scores` only. In them, the divergence of a row
    has the gradient softmax(student) - softmax(teacher), so this difference
    is the one `[batch, heads, length, length]` tensor that is kept for the
    backward pass (in the dtype of `student_scores`).

    Args:
        teacher_scores: `[batch, heads, length, length]`, scaled, before mask
            and softmax; rows are queries, columns are keys. Any float dtype;
            the arithmetic is float32.
        student_scores: the same shape.
        padding_mask: `[batch, length]`, nonzero at real tokens. What stands
            at padded queries and keys does not change the result.
        sample_weight: `[batch]`, or `None` for equal weights. The result is
            the weighted mean over the batch.

    Returns:
        A float32 scalar.
    """
    teacher_scores = ops.stop_gradient(teacher_scores)
    bias = key_bias(padding_mask)
    row_weights = _row_weights(
        padding_mask, ops.shape(student_scores)[1], sample_weight
    )

    @ops.custom_gradient
    def divergence(student_scores):
        teacher, teacher_probs, teacher_log_sum = _softmax(
            teacher_scores, bias
        )
        student, student_probs, student_log_sum = _softmax(
            student_scores, bias
        )
        # sum p log(p / q), with log p = teacher - log_sum_exp(teacher).
        per_row = ops.sum(teacher_probs * (teacher - student), axis=-1)
        per_row = per_row - teacher_log_sum + student_log_sum
        difference = ops.cast(
            student_probs - teacher_probs, student_scores.dtype
        )

        def gradient(*args, upstream=None):
            if upstream is None:
                (upstream,) = args
            scale = ops.expand_dims(row_weights * upstream, -1)
            scaled = ops.cast(difference, "float32") * scale
            return ops.cast(scaled, difference.dtype)

        return ops.sum(per_row * row_weights), gradient

    return divergence(student_scores)


def self_relation(vectors: Any) -> Any:
    """Scaled dot products of the vectors of one layer with each other.

    Args:
        vectors: `[batch, heads, length, head_dim]`: queries, keys or values.

    Returns:
        `[batch, heads, length, length]`, float32, scaled by 1/sqrt(head_dim).
    """
    scale = vectors.shape[-1] ** -0.5
    vectors = ops.cast(vectors, "float32")
    return ops.matmul(vectors * scale, ops.transpose(vectors, (0, 1, 3, 2)))


def _softmax(scores: Any, bias: Any) -> tuple[Any, Any, Any]:
    """Masked scores, their softmax over keys, and the log of its sum."""
    scores = ops.cast(scores, "float32") + bias
    probs = ops.softmax(scores, axis=-1)
    # At the largest score: log_sum_exp = score - log p. Two reductions are
    # cheaper than another pass of exponentials.
    log_sum = ops.max(scores, axis=-1) - ops.log(ops.max(probs, axis=-1))
    return scores, probs, log_sum


def _row_weights(
    padding_mask: Any, num_heads: int, sample_weight: Any
) -> Any:
    """`[batch, 1 or heads, length]`: what each query's row adds to the mean."""
    real = ops.cast(ops.cast(padding_mask, "bool"), "float32")
    lengths = ops.sum(real, axis=-1, keepdims=True)
    weights = real / ops.maximum(lengths, 1.0)
    if sample_weight is None:
        share = 1.0 / ops.cast(ops.shape(real)[0], "float32")
    else:
        sample_weight = ops.cast(sample_weight, "float32")
        total = ops.sum(sample_weight)
        share = ops.expand_dims(
            ops.where(total > 0, sample_weight / total, 0.0), -1
        )
    weights = weights * share / ops.cast(num_heads, "float32")
    return ops.expand_dims(weights, 1)
