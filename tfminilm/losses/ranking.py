"""Losses on the scores of documents for a question, and on embeddings.

MarginMSE (Hofstätter et al., arXiv 2010.02666, section 3) and the contrastive
loss with in-batch negatives (Karpukhin et al., arXiv 2004.04906, equation 2).
"""

from typing import Any

from keras import ops

from tfminilm.losses.means import weighted_mean
from tfminilm.losses.pretraining import cross_entropy
from tfminilm.typing import Tensor


def margin_mse(
    teacher_scores: Tensor,
    student_scores: Tensor,
    sample_weight: Tensor | None = None,
) -> Any:
    """Compute the squared difference of margins between documents.

    A margin is how much higher the first document is scored than another one.
    So scores may differ by a constant.

    Args:
        teacher_scores: `[questions, documents]`, the relevant one first.
        student_scores: the same shape.
        sample_weight: `[questions]` weights, or `None`.

    Returns:
        A float32 scalar: the mean over other documents and questions.
    """
    teacher, student = (
        x[:, :1] - x[:, 1:]
        for x in (
            ops.stop_gradient(ops.cast(teacher_scores, "float32")),
            ops.cast(student_scores, "float32"),
        )
    )
    per_question = ops.mean(ops.square(student - teacher), axis=-1)
    return weighted_mean(per_question, sample_weight)


def contrastive(
    questions: Tensor,
    documents: Tensor,
    temperature: float = 1.0,
    sample_weight: Tensor | None = None,
) -> Any:
    """Compute -log softmax of the right document among all of the batch.

    Args:
        questions: `[questions, width]` embeddings.
        documents: `[questions, documents, width]`, the relevant one first;
            those of other questions count as wrong, too. Where replicas share
            a batch, they are those of the same replica.
        temperature: divides the dot products, above 0.
        sample_weight: `[questions]` weights, or `None`.

    Returns:
        A float32 scalar, in nats: the mean over questions.

    Raises:
        ValueError: the temperature is not above 0.
    """
    if temperature <= 0:
        raise ValueError(f"temperature is {temperature}, expected above 0")
    each, width = documents.shape[1:]
    questions = ops.cast(questions, "float32")
    table = ops.reshape(ops.cast(documents, "float32"), (-1, width))
    scores = ops.matmul(questions, ops.transpose(table)) / temperature
    right = each * ops.arange(ops.shape(questions)[0])
    return weighted_mean(cross_entropy(scores, right), sample_weight)
