"""The KL divergence between two sets of distributions over token pairs.

MiniLM's losses (arXiv 2002.10957, equations 4 to 6) are all

    1/(A |x|) sum_a sum_t KL(teacher_{a,t} || student_{a,t})

over A heads and the |x| real queries of an example, each a softmax over its
real keys; then the mean over the batch. `reference_divergence` is that
equation. `score_divergence` and `vector_divergence` compute the same with a
third of the memory, and are what trains.
"""

from collections.abc import Callable, Sequence
from typing import Any

from keras import ops

from tfminilm.layers.attention import key_bias
from tfminilm.losses.means import example_weights
from tfminilm.private import replicas
from tfminilm.typing import Tensor


def reference_divergence(
    teacher_scores: Tensor, student_scores: Tensor, padding_mask: Tensor
) -> Any:
    """Compute the divergence as the equation stands.

    Args:
        teacher_scores: `[batch, heads, length, length]`, scaled, before mask
            and softmax; rows are queries, columns are keys.
        student_scores: the same shape.
        padding_mask: `[batch, length]`, nonzero at real tokens.

    Returns:
        A float32 scalar.
    """
    real = ops.cast(ops.cast(padding_mask, "bool"), "float32")
    bias = key_bias(padding_mask)
    log_p = ops.log_softmax(ops.cast(teacher_scores, "float32") + bias)
    log_q = ops.log_softmax(ops.cast(student_scores, "float32") + bias)
    kl = ops.sum(ops.exp(log_p) * (log_p - log_q), axis=-1)
    heads_and_queries = ops.shape(kl)[1] * ops.sum(real, axis=-1)
    return ops.mean(
        ops.sum(kl * real[:, None, :], axis=(1, 2)) / heads_and_queries
    )


def score_divergence(
    teacher_scores: Tensor,
    student_scores: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
) -> Any:
    """Compute the mean KL divergence between the softmaxes of two scores.

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
        sample_weight: `[batch]` or `[batch, 1]`, or `None`. The result is the
            mean over the batch of the weighted divergences.

    Returns:
        A float32 scalar.
    """
    teacher_scores = ops.stop_gradient(ops.convert_to_tensor(teacher_scores))
    weights = _row_weights(padding_mask, teacher_scores, sample_weight)
    bias = key_bias(padding_mask)

    @ops.custom_gradient
    def divergence(student_scores):
        def gap(probs):
            teacher = ops.cast(teacher_scores, "float32")
            student = ops.cast(student_scores, "float32")
            return ops.sum(probs * (teacher - student), axis=-1)

        rows, difference = _compare(
            teacher_scores, lambda after: student_scores, bias, gap
        )
        difference = ops.cast(difference, student_scores.dtype)

        def gradient(*args, upstream=None):
            scale = ops.expand_dims(weights * _upstream(args, upstream), -1)
            scores = ops.cast(difference, "float32") * scale
            return ops.cast(scores, difference.dtype)

        return ops.sum(rows * weights), gradient

    return divergence(student_scores)


def vector_divergence(
    teacher_vectors: Tensor,
    student_vectors: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
) -> Any:
    """Compute `score_divergence` of the scores X X^T / sqrt(head_dim).

    The scores are needed for the softmaxes only: the expected score of a row
    under its distribution p is X (p X)^T, without a tensor of their size.

    Args:
        teacher_vectors: `[batch, heads, length, head_dim]`: queries, keys or
            values. Any float dtype; the arithmetic is float32.
        student_vectors: the same but for `head_dim`; each model is scaled by
            its own.
        padding_mask: as in `score_divergence`.
        sample_weight: as in `score_divergence`.

    Returns:
        A float32 scalar.
    """
    teacher_vectors = ops.stop_gradient(ops.cast(teacher_vectors, "float32"))
    student_vectors = ops.cast(student_vectors, "float32")
    weights = _row_weights(padding_mask, teacher_vectors, sample_weight)
    bias = key_bias(padding_mask)

    @ops.custom_gradient
    def divergence(vectors):
        def gap(probs):
            return _expected(probs, teacher_vectors) - _expected(probs, vectors)

        rows, difference = _compare(
            _self_relation(teacher_vectors),
            lambda after: _self_relation(vectors + after),
            bias,
            gap,
        )

        # Compute the gradient now; adding 0 * max(slope) forces it before the
        # result, so no score-sized tensor stays alive.
        scores = difference * ops.expand_dims(weights, -1)
        as_query = ops.matmul(scores, vectors)
        as_key = ops.einsum("bhqk,bhqd->bhkd", scores, vectors)
        slope = (as_query + as_key) * vectors.shape[-1] ** -0.5

        def gradient(*args, upstream=None):
            return slope * _upstream(args, upstream)

        after = 0.0 * ops.max(slope, initial=0.0)
        return ops.sum(rows * weights) + after, gradient

    return divergence(student_vectors)


def _compare(
    teacher_scores: Tensor,
    student_scores: Callable[[Any], Any],
    bias: Tensor,
    gap: Callable[[Any], Any],
) -> tuple[Any, Any]:
    """Return the KL of each row, and softmax(student) - softmax(teacher).

    sum p (log p - log q) = sum p (teacher - student) - log_sum_exp(teacher)
    + log_sum_exp(student), of which `gap(p)` is the first sum.
    """
    teacher_probs, log_sum = _softmax(teacher_scores, bias)
    rows = gap(teacher_probs) - log_sum
    # Without this zero TensorFlow computes both models' softmaxes at once, and
    # holds the tensors of both; with it the student's waits for the teacher's.
    after = 0.0 * ops.max(rows, initial=0.0)
    student_probs, log_sum = _softmax(student_scores(after), bias + after)
    return rows + log_sum, student_probs - teacher_probs


def _softmax(scores: Tensor, bias: Tensor) -> tuple[Any, Any]:
    """Return the softmax over real keys, and its denominator's logarithm.

    Written step by step, so that each step can reuse the memory of the last.
    """
    scores = ops.cast(scores, "float32") + bias
    # A replica may have no example; `initial` lets the maximum of none exist.
    largest = ops.max(scores, -1, keepdims=True, initial=float("-inf"))
    exponentials = ops.exp(scores - largest)
    total = ops.sum(exponentials, axis=-1, keepdims=True)
    log_sum = ops.squeeze(largest + ops.log(total), axis=-1)
    return exponentials / total, log_sum


def _self_relation(vectors: Tensor) -> Any:
    scale = vectors.shape[-1] ** -0.5
    return ops.matmul(vectors * scale, ops.transpose(vectors, (0, 1, 3, 2)))


def _expected(probs: Tensor, vectors: Tensor) -> Any:
    """Return each row's mean self-relation under `probs`."""
    scale = vectors.shape[-1] ** -0.5
    return ops.sum(vectors * scale * ops.matmul(probs, vectors), axis=-1)


def _upstream(args: Sequence[Tensor], upstream: Tensor) -> Any:
    """Return the upstream gradient, which backends pass differently."""
    return args[0] if upstream is None else upstream


def _row_weights(
    padding_mask: Tensor, scores: Tensor, sample_weight: Tensor | None
) -> Any:
    """Return the weight of each query's row in the mean: [batch, 1, length]."""
    real = ops.cast(ops.cast(padding_mask, "bool"), "float32")
    lengths = ops.sum(real, axis=-1, keepdims=True)
    weights = real / ops.maximum(lengths, 1.0)
    if sample_weight is not None:
        weights = weights * example_weights(sample_weight, 2)
    # The mean over all replicas, as this one may have no example at all.
    count = replicas.mean(ops.cast(ops.shape(real)[0], "float32"))
    num_heads = ops.cast(ops.shape(scores)[1], "float32")
    weights = weights * (1.0 / ops.maximum(count, 1e-9)) / num_heads
    return ops.expand_dims(weights, 1)
