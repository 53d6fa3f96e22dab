"""Attend with a bias for how far apart two tokens are (arXiv 1910.10683)."""

from typing import Any

import keras
import keras_hub
import numpy as np
from keras import ops

from tfminilm.layers.attention import (
    heads_first,
    masked_softmax,
    scaled_scores,
)
from tfminilm.private.encoders import encoder_parts
from tfminilm.typing import Shape, Tensor

# Of distances to the left; as many are of those to the right.
_BUCKETS, _EXACT, _FARTHEST = 16, 8, 128
NUM_BUCKETS = 2 * _BUCKETS


def bucket_starts() -> np.ndarray:
    """Return the shortest distance in each bucket but the first.

    The first ones hold one distance each, the others as many as keep the
    ratio of their ends, and the last all from 91 on.
    """
    ratio = (_FARTHEST / _EXACT) ** (1 / (_BUCKETS - _EXACT))
    wide = _EXACT * ratio ** np.arange(1, _BUCKETS - _EXACT)
    # Powers of two come out exact to a rounding error.
    return np.array([*range(1, _EXACT + 1), *np.ceil(wide - 1e-9)], "int32")


def buckets(distances: Tensor) -> Any:
    """Sort distances into `NUM_BUCKETS` buckets, as T5 and MPNet do.

    Args:
        distances: integers of any shape: a key's place minus a query's.

    Returns:
        int32 of the same shape; keys to the right have the upper half.
    """
    distances = ops.cast(distances, "int32")
    starts = ops.convert_to_tensor(bucket_starts(), "int32")
    is_in_next = ops.abs(distances)[..., None] >= starts
    index = ops.sum(ops.cast(is_in_next, "int32"), -1)
    return index + _BUCKETS * ops.cast(distances > 0, "int32")


@keras.saving.register_keras_serializable(package="tfminilm")
class RelativePositionBias(keras.layers.Layer):
    """A learned number for each head and bucket of distances.

    Args:
        num_heads: attention heads.

    Call arguments:
        x: `[batch, length, width]`, whose length alone counts. Padding is
            counted like other tokens, and masked by who attends.

    Returns:
        `[1, num_heads, length, length]`; rows are queries.
    """

    def __init__(self, num_heads: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_heads = num_heads

    def build(self, x_shape: Shape) -> None:
        self.embedding = keras.layers.Embedding(
            NUM_BUCKETS,
            self.num_heads,
            embeddings_initializer=keras.initializers.TruncatedNormal(
                stddev=0.02
            ),
            dtype=self.dtype_policy,
            name="embedding",
        )
        self.embedding.build()

    def call(self, x: Tensor) -> Any:
        places = ops.arange(ops.shape(x)[1])
        distances = places[None, :] - places[:, None]
        values = self.embedding(buckets(distances))
        return ops.transpose(values, (2, 0, 1))[None]

    def compute_output_shape(self, x_shape: Shape) -> Shape:
        return 1, self.num_heads, x_shape[1], x_shape[1]

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"num_heads": self.num_heads}


@keras.saving.register_keras_serializable(package="tfminilm")
class RelativeEncoder(keras_hub.layers.TransformerEncoder):
    """KerasHub's post-norm encoder layer with a bias on its scores.

    Call arguments:
        inputs: `[batch, length, hidden_dim]`.
        padding_mask: `[batch, length]`, nonzero at real tokens.
        position_bias: `[1, heads, length, length]`, added to the scores.
        training: whether dropout is active.

    Returns:
        `[batch, length, hidden_dim]`.
    """

    def call(
        self,
        inputs: Tensor,
        padding_mask: Tensor,
        position_bias: Tensor,
        training: bool | None = None,
    ) -> Any:
        parts = encoder_parts(self)
        attention = parts.attention
        queries, keys, values = (
            heads_first(project(inputs))
            for project in (
                attention.query_dense,
                attention.key_dense,
                attention.value_dense,
            )
        )
        scores = scaled_scores(queries, keys, position_bias)
        probs = ops.cast(
            masked_softmax(scores, padding_mask), self.compute_dtype
        )
        probs = parts.probs_dropout(probs, training=training)
        mixed = attention.output_dense(heads_first(ops.matmul(probs, values)))
        mixed = parts.attention_dropout(mixed, training=training)
        x = parts.attention_norm(mixed + inputs)
        output = parts.output(parts.intermediate(x))
        output = parts.feedforward_dropout(output, training=training)
        return parts.feedforward_norm(output + x)
