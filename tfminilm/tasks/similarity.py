"""Score how alike two texts are by an encoder without a head."""

import dataclasses
import os
from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import ops

from tfminilm.errors import UserError
from tfminilm.methods.sentence import pooled
from tfminilm.tasks import metrics
from tfminilm.tasks.batches import Batches
from tfminilm.tasks.encode import encode
from tfminilm.tasks.encoded import Encoded
from tfminilm.tasks.evaluate import BATCH_SIZE, predict
from tfminilm.tasks.example import Example
from tfminilm.tasks.heads import token_states
from tfminilm.tasks.kinds import Result, kind_of
from tfminilm.tasks.task import Task
from tfminilm.teachers.embedding import TextEmbedding
from tfminilm.typing import Tokenizer


def embedder(
    backbone: keras.Model,
    pooling: str = "mean",
    count: Callable[[int], None] | None = None,
) -> Callable[[Encoded], list[np.ndarray]]:
    """Return a function that embeds texts by an encoder.

    Args:
        backbone: a KerasHub encoder.
        pooling: "mean" of the last states at real tokens, or "cls", the
            first token's.
        count: is called with the number of texts done.

    Returns:
        A function from sequences to a vector `[hidden_dim]` each; it raises
        UserError if one is not finite.
    """
    model = embedding_model(backbone, TextEmbedding(pooling))
    return lambda encoded: predict(model, Batches(encoded, BATCH_SIZE), count)


def embedding_model(
    backbone: keras.Model, embedding: TextEmbedding
) -> keras.Model:
    """Return an encoder as a model that gives embeddings `[batch, dim]`.

    Args:
        backbone: a KerasHub encoder.
        embedding: how its states become an embedding.
    """
    mask = backbone.input["padding_mask"]
    vectors = pooled(token_states(backbone), mask, embedding.pooling)[:, 0]
    if embedding.normalize:
        vectors = ops.normalize(vectors, axis=-1, epsilon=1e-12)
    return keras.Model(backbone.input, vectors)


def score_similarity(
    task: Task,
    embed: Callable[[Encoded], Sequence[np.ndarray]],
    tokenizer: Tokenizer,
    examples: Sequence[Example],
    max_length: int,
    cache_dir: str | os.PathLike | None = None,
    prompt: str = "",
) -> Result:
    """Predict the cosine of each example's two embeddings, and score it.

    Args:
        task: asks how alike two texts are.
        embed: gives a vector for each sequence, of any length above 0.
        tokenizer: the model's.
        examples: of one split.
        max_length: tokens of a text; what is longer is cut.
        cache_dir: where token ids are kept; nowhere if `None`.
        prompt: what stands in front of every text.

    Returns:
        Cosines as predictions. The task's metrics are correlations, so their
        scale does not matter.

    Raises:
        UserError: the task does not compare two texts, or a model's output
            is not finite.
    """
    compares = kind_of(task).compares_texts
    if not compares or any(len(e.texts) != 2 for e in examples):
        raise UserError(
            f"{task.name} does not ask how alike two texts are: fine-tune the "
            "model first, with tfminilm finetune"
        )
    vectors = []
    for place in (0, 1):
        texts = [
            dataclasses.replace(example, texts=(prompt + example.texts[place],))
            for example in examples
        ]
        encoded = encode(task, texts, tokenizer, max_length, cache_dir)
        vectors.append(unit(np.stack(embed(encoded))))
    cosines = (vectors[0] * vectors[1]).sum(axis=-1).astype(float).tolist()
    scores = metrics.score(task, examples, cosines)
    return Result(scores, [example.id for example in examples], cosines)


def pool(
    states: np.ndarray, padding_mask: np.ndarray, pooling: str = "mean"
) -> np.ndarray:
    """Return the embedding of each text from its last states.

    Args:
        states: `[batch, length, hidden_dim]`.
        padding_mask: `[batch, length]`, nonzero at real tokens.
        pooling: "mean" over real tokens, or "cls", the first token.

    Returns:
        `[batch, hidden_dim]`.
    """
    if pooling == "cls":
        return states[:, 0]
    real = (np.asarray(padding_mask) != 0)[..., None]
    total = np.where(real, states, 0).sum(axis=1, dtype="float64")
    return total / np.maximum(real.sum(axis=1), 1)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale vectors `[..., dim]` to length 1; zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-12)
