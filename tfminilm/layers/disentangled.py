"""Attend by content and by distance, as DeBERTa's layers do.

The attention is disentangled (arXiv 2006.03654, equation 4): a token's vector
says what it is, and the embedding of a distance how far two tokens are apart.
DeBERTa-v3 (arXiv 2111.09543) sorts distances into buckets, and projects both
kinds of vectors with the same weights.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tfminilm.layers.attention import (
    AttentionParts,
    ExposedEncoder,
    heads_first,
    masked_softmax,
)
from tfminilm.private.encoders import (
    Buckets,
    buckets_of,
    encoder_parts,
    kerashub_buckets,
    sort_with,
)
from tfminilm.typing import Tensor

_SCORES = "attention_scores"
_PROBS = "attention_probs"
# Content with content, content with distance, distance with content.
_NUM_TERMS = 3


def log_buckets(
    distances: np.ndarray, num_buckets: int, farthest: int
) -> np.ndarray:
    """Put distances into buckets that widen with the logarithm.

    Half of the buckets hold one distance each. The others go up to `farthest`,
    and what is farther falls beyond the last one.

    Args:
        distances: integers of any shape.
        num_buckets: of the distances to one side.
        farthest: more than half of `num_buckets`, plus 1.

    Returns:
        Integers of the same shape and signs.
    """
    half = num_buckets // 2
    far = np.maximum(np.abs(distances), half)
    # In float64: in float32 the last distance may come out a bucket too far.
    share = np.log(far / half) / np.log((farthest - 1) / half)
    wide = half + np.ceil(share * (half - 1))
    wide = (wide * np.sign(distances)).astype(distances.dtype)
    return np.where(np.abs(distances) <= half, distances, wide)


def rows_of_distances(buckets: Buckets) -> np.ndarray:
    """Return each distance's row in the table of their embeddings.

    Returns:
        int32 `[2 * farthest + 1]`, of the distances from `-farthest` to
        `farthest`: a query's place minus a key's. Beyond lie no other rows.
    """
    distances = np.arange(-buckets.farthest, buckets.farthest + 1)
    sorted_distances = ops.convert_to_numpy(
        buckets.sort(ops.convert_to_tensor(distances, "int32"))
    )
    last = 2 * buckets.size - 1
    rows = np.clip(sorted_distances + buckets.size, 0, last)
    return rows.astype("int32")


def sort_exactly(encoder: keras.layers.Layer) -> None:
    """Let a layer of KerasHub's DeBERTa sort distances by `log_buckets`.

    KerasHub's own rounding puts the last distances of some sizes, such as 255
    of 256 in 128 buckets, into the next bucket.
    """
    size, farthest, _ = buckets_of(encoder)
    reach = np.arange(-farthest, farthest + 1, dtype="int32")
    table = log_buckets(reach, size, farthest)

    def sort(distances: Tensor) -> Any:
        distances = ops.cast(distances, "int32")
        places = ops.clip(distances, -farthest, farthest) + farthest
        return ops.take(table, places)

    sort_with(encoder, sort)


def sorts_exactly(encoder: keras.layers.Layer) -> bool:
    """Tell whether a layer of DeBERTa sorts distances by `log_buckets`."""
    size, farthest, _ = buckets_of(encoder)
    reach = np.arange(-farthest, farthest + 1, dtype="int32")
    exact = np.clip(log_buckets(reach, size, farthest) + size, 0, 2 * size - 1)
    return np.array_equal(rows_of_distances(buckets_of(encoder)), exact)


def is_exact(num_buckets: int, farthest: int) -> bool:
    """Tell whether KerasHub's layers of these sizes sort by `log_buckets`."""
    reach = np.arange(-farthest, farthest + 1, dtype="int32")
    values = ops.convert_to_numpy(
        kerashub_buckets(reach, num_buckets, farthest)
    )
    expected = log_buckets(reach, num_buckets, farthest)
    # Beyond the last bucket all are one.
    values, expected = (
        np.clip(x, -num_buckets, num_buckets - 1) for x in (values, expected)
    )
    return np.array_equal(values, expected)


def disentangled_scores(
    queries: Tensor,
    keys: Tensor,
    distance_queries: Tensor,
    distance_keys: Tensor,
    rows: np.ndarray,
) -> Any:
    """Compute a layer's scores before mask and softmax, in float32.

    They are (Q K^T + Q P_K^T + P_Q K^T) / sqrt(3 head_dim), where P_Q and P_K
    are those of the two tokens' distance.

    Args:
        queries: `[batch, heads, length, head_dim]`, or the first alone,
            `[batch, heads, 1, head_dim]`.
        keys: `[batch, heads, length, head_dim]`.
        distance_queries: `[1, heads, rows, head_dim]`, the projected table.
        distance_keys: the same shape.
        rows: of `rows_of_distances`.

    Returns:
        `[batch, heads, queries, length]`.
    """
    scale = (_NUM_TERMS * keys.shape[-1]) ** -0.5
    queries = ops.cast(queries, "float32") * scale
    keys = ops.cast(keys, "float32")
    distance_queries = ops.cast(distance_queries, "float32") * scale
    distance_keys = ops.cast(distance_keys, "float32")
    length, farthest = ops.shape(keys)[2], len(rows) // 2
    is_first = queries.shape[2] == 1
    # From the last key's distance to the first query, up to the last query's
    # to the first key; the first query's alone are the lower half.
    distances = ops.arange(1 - length, 1 if is_first else length, dtype="int32")
    at = ops.take(rows, ops.clip(distances, -farthest, farthest) + farthest)
    distance_queries = ops.take(distance_queries, at, axis=2)
    distance_keys = ops.take(distance_keys, ops.flip(at), axis=2)
    content = ops.matmul(queries, _transposed(keys))
    to_distance = ops.matmul(queries, _transposed(distance_keys))
    if is_first:
        distance_queries = ops.flip(distance_queries, axis=2)
        from_distance = ops.sum(keys * distance_queries, -1)[:, :, None]
        return content + to_distance + from_distance
    from_distance = ops.matmul(keys, _transposed(distance_queries))
    return content + _skewed(to_distance) + _transposed(_skewed(from_distance))


class DisentangledParts(AttentionParts):
    """Computes only the requested parts of a DeBERTa layer's attention.

    Queries, keys and values are those of the tokens; scores and probabilities
    are of all three terms, see `disentangled_scores`.

    Args:
        encoder: a built layer of a `keras_hub.models.DebertaV3Backbone`.
        parts: names out of `ATTENTION_PARTS`.

    Call arguments are those of `AttentionParts`, and:
        rel_embeddings: `[batch, rows, hidden_dim]`, the same in each example.
    """

    def __init__(
        self, encoder: keras.layers.Layer, parts: Sequence[str], **kwargs: Any
    ):
        super().__init__(encoder, parts, **kwargs)
        self.rows = rows_of_distances(buckets_of(encoder))

    # What is called with `position_bias` elsewhere is so with another here.
    def call(  # type: ignore[override]
        self,
        hidden_states: Tensor,
        padding_mask: Tensor,
        rel_embeddings: Tensor,
    ) -> dict[str, Any]:
        tensors = {
            name: heads_first(project(hidden_states))
            for name, project in self.projections.items()
        }
        if {_SCORES, _PROBS} & set(self.parts):
            tensors[_SCORES] = disentangled_scores(
                tensors["queries"],
                tensors["keys"],
                heads_first(self.projections["queries"](rel_embeddings[:1])),
                heads_first(self.projections["keys"](rel_embeddings[:1])),
                self.rows,
            )
        if _PROBS in self.parts:
            tensors[_PROBS] = masked_softmax(tensors[_SCORES], padding_mask)
        return {part: tensors[part] for part in self.parts}


class ExposedDisentangled(ExposedEncoder):
    """A whole layer of DeBERTa that also returns the parts of its attention.

    Arguments and results are those of `ExposedEncoder`, and of
    `DisentangledParts`.
    """

    def __init__(
        self, encoder: keras.layers.Layer, parts: Sequence[str], **kwargs: Any
    ):
        super().__init__(encoder, parts, **kwargs)
        self.rows = rows_of_distances(buckets_of(encoder))

    # What is called with `position_bias` elsewhere is so with another here.
    def call(  # type: ignore[override]
        self,
        hidden_states: Tensor,
        padding_mask: Tensor,
        rel_embeddings: Tensor,
        training: bool | None = None,
    ) -> dict[str, Any]:
        tensors = self._projected(hidden_states)
        attention = encoder_parts(self.encoder).attention
        scores = disentangled_scores(
            tensors["queries"],
            tensors["keys"],
            heads_first(attention.query_dense(rel_embeddings[:1])),
            heads_first(attention.key_dense(rel_embeddings[:1])),
            self.rows,
        )
        return self._attended(
            tensors, scores, hidden_states, padding_mask, training
        )


def _skewed(x: Tensor) -> Any:
    """Shift row i of the columns to the left by `length - 1 - i`.

    Args:
        x: `[batch, heads, length, 2 * length - 1]`.

    Returns:
        `[batch, heads, length, length]`: of row i and column j what was in
        column `length - 1 + j - i`.
    """
    batch, heads, length, width = ops.shape(x)
    # In rows a column longer, one row begins a column later than the next.
    flat = ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, 1)))
    flat = ops.reshape(flat, (batch, heads, length * (width + 1)))
    flat = flat[:, :, length - 1 : length - 1 + length * width]
    return ops.reshape(flat, (batch, heads, length, width))[..., :length]


def _transposed(x: Tensor) -> Any:
    return ops.transpose(x, (0, 1, 3, 2))
