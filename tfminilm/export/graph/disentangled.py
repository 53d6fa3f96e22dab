"""DeBERTa-v3 as a mobile graph: what distances say is made of constants.

The projections of the distances' embeddings depend on weights alone. For each
length they stand in the graph in the order of the distances, so that a score
finds its own by shifting rows: padding, reshaping and slicing, which XNNPACK
takes, where a gather would end its partition.
"""

import keras
import numpy as np
import tensorflow as tf

from tfminilm.export.graph import blocks, transformer, weights
from tfminilm.layers.disentangled import rows_of_distances
from tfminilm.private.encoders import buckets_of


class Disentangled(tf.Module):
    """The embeddings and layers of a `DebertaV3Backbone`."""

    def __init__(self, backbone: keras.Model):
        super().__init__()
        table = weights.array(backbone.token_embedding.embeddings)
        self._width = table.shape[1]
        self._tokens = blocks.constant(table)
        self._norm = blocks.Norm(weights.norm(backbone.embeddings_layer_norm))
        distances = _distances(backbone)
        self.layers = []
        for index, layer in enumerate(backbone.transformer_layers):
            read = weights.encoder_layer(layer, backbone.hidden_dim)
            attention = _Attention(
                backbone.num_heads,
                read,
                distances,
                rows_of_distances(buckets_of(layer)),
            )
            self.layers.append(
                transformer.Layer(read, attention, f"layer_{index}")
            )

    def embed(self, token_ids, segment_ids, real):
        """Embed as `[1, length, hidden_dim]`, without positions."""
        length = token_ids.shape[1]
        tokens = blocks.lookup(self._tokens, tf.reshape(token_ids, [length]))
        return self._norm(tf.reshape(tokens, [1, length, self._width]))

    def mask(self, mask):
        """Return the mask as it is: distances are in the scores."""
        return mask

    def pool(self, first):
        """Return the first token's state as it is: there is no pooler."""
        return first


class _Attention(blocks.Attention):
    """Attention by content and by distance, see `layers.disentangled`."""

    _num_terms = 3

    def __init__(
        self,
        num_heads: int,
        layer: weights.EncoderLayer,
        distances: np.ndarray,
        rows: np.ndarray,
    ):
        super().__init__(num_heads, layer.query, layer.key, layer.value)
        shape = len(distances), num_heads, self._head_dim

        def project(dense: weights.Dense) -> np.ndarray:
            values = distances @ dense.kernel + dense.bias
            return values.reshape(shape).transpose(1, 0, 2)[None]

        self._distance_queries = project(layer.query) / self._unscale
        self._distance_keys = project(layer.key)
        self._rows = rows

    def _scores(self, queries, keys):
        length = keys.shape[2]
        # Of the distances from the last key to the first query, up to those
        # from the first key to the last query.
        here = len(self._rows) // 2
        rows = self._rows[here + 1 - length : here + length]
        asking = np.float32(self._distance_queries[:, :, rows])
        asked = np.float32(self._distance_keys[:, :, rows[::-1]])
        content = super()._scores(queries, keys)
        if queries.shape[2] == 1 < length:
            return content + self._first_row(queries, keys, asking, asked)
        to_distance = tf.matmul(queries, asked, transpose_b=True)
        from_distance = tf.matmul(keys, asking, transpose_b=True)
        turned = tf.transpose(_shifted(from_distance), [0, 1, 3, 2])
        return content + _shifted(to_distance) + turned

    def _first_row(self, queries, keys, asking, asked):
        """Return what distances add to the first token's scores."""
        length = keys.shape[2]
        to_distance = tf.matmul(
            queries, asked[:, :, length - 1 :], transpose_b=True
        )
        products = keys * asking[:, :, length - 1 :: -1]
        from_distance = tf.reduce_sum(products, -1)
        shape = [1, self._num_heads, 1, length]
        return to_distance + tf.reshape(from_distance, shape)


def _distances(backbone: keras.Model) -> np.ndarray:
    """Return the normalised embeddings of distances, `[rows, hidden_dim]`."""
    relative = backbone.relative_embeddings
    x = weights.array(relative.rel_embeddings).astype("float64")
    norm = weights.norm(relative.layer_norm)
    x = x - x.mean(-1, keepdims=True)
    variance = (x * x).mean(-1, keepdims=True)
    return x / np.sqrt(variance + norm.epsilon) * norm.scale + norm.shift


def _shifted(x):
    """Take out of row i the columns from `length - 1 - i` on.

    `x` is `[1, heads, length, 2 * length - 1]`, the result as long as wide.
    """
    _, heads, length, width = x.shape
    # In rows a column longer, one row begins a column later than the next.
    x = tf.pad(x, [[0, 0], [0, 0], [0, 0], [0, 1]])
    x = tf.reshape(x, [1, heads, length * (width + 1)])
    x = x[:, :, length - 1 : length - 1 + length * width]
    return tf.reshape(x, [1, heads, length, width])[:, :, :, :length]
