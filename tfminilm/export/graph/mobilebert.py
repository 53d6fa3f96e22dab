"""MobileBERT as a mobile graph, without its NoNorms.

NoNorm is gamma * h + beta, and where h is a dense layer's output both sit in
that layer's weights: gamma (x W + b) + beta = x (W gamma) + (b gamma + beta).
What remains of it is the factor gamma of a residual. Over the embeddings all
of it goes: into the projection, the positions and the segments.
"""

import keras
import numpy as np
import tensorflow as tf

from tfminilm.errors import UserError
from tfminilm.export.graph import blocks, weights
from tfminilm.layers.no_norm import NoNorm


class MobileBert(tf.Module):
    """The embeddings, layers and pooler of a `MobileBertBackbone`."""

    def __init__(self, backbone: keras.Model):
        super().__init__()
        if backbone.activation not in blocks.ACTIVATIONS:
            raise UserError(
                f"cannot export the activation {backbone.activation!r}: "
                f"expected {' or '.join(blocks.ACTIVATIONS)}"
            )
        width = backbone.hidden_dim
        self._embedding_dim = backbone.embedding_dim
        self._tokens = blocks.constant(
            weights.array(backbone.token_embedding.embeddings)
        )
        positions = weights.array(
            backbone.position_embedding.position_embeddings
        )
        segments = weights.array(backbone.segment_embedding.embeddings)
        projection = weights.dense(
            backbone.embeddings_projection, 3 * backbone.embedding_dim
        )
        self._norm = None
        if isinstance(backbone.embeddings_norm, NoNorm):
            gamma, _ = _scale_and_shift(backbone.embeddings_norm)
            projection = _folded(projection, backbone.embeddings_norm)
            positions, segments = positions * gamma, segments * gamma
        else:
            self._norm = blocks.Norm(weights.norm(backbone.embeddings_norm))
        self._projection = blocks.Dense(projection, "embeddings_projection")
        self._positions = blocks.PositionEmbeddings(positions, segments)
        self.layers = [
            _Layer(layer, width, f"layer_{index}")
            for index, layer in enumerate(backbone.transformer_layers)
        ]
        self._pooler = None
        if backbone.pooled_dense is not None:
            self._pooler = blocks.Dense(
                weights.dense(backbone.pooled_dense, width), "pooler"
            )

    def embed(self, token_ids, segment_ids, real):
        """Embed as `[1, length, hidden_dim]`; `real` is `[1, length]`."""
        length, width = token_ids.shape[1], self._embedding_dim
        tokens = blocks.lookup(self._tokens, tf.reshape(token_ids, [length]))
        tokens = tf.reshape(tokens, [1, length, width])
        tokens = tokens * tf.reshape(real, [1, length, 1])
        # Beyond the ends of a text there are zeros, as in `Trigrams`.
        around = tf.pad(tokens, [[0, 0], [1, 1], [0, 0]])
        trigrams = tf.concat([around[:, 2:], tokens, around[:, :-2]], -1)
        x = self._positions.add(self._projection(trigrams), segment_ids)
        return x if self._norm is None else self._norm(x)

    def mask(self, mask):
        """Return `[1, 1, 1, length]` as it is: scores get no more."""
        return mask

    def pool(self, first):
        """Pool the first token's state `[1, hidden_dim]`."""
        return first if self._pooler is None else tf.tanh(self._pooler(first))


class _Layer(tf.Module):
    """One `BottleneckEncoder` on `[1, length, hidden_dim]`."""

    def __init__(self, layer, hidden_dim, name):
        super().__init__(name)
        inner, kind = layer.bottleneck_dim, layer.attention_input
        read = hidden_dim if kind == "block" else inner
        self._kind = kind
        self._bottleneck = _NormedDense(
            layer.bottleneck, hidden_dim, "bottleneck"
        )
        self._shared = None
        if kind == "shared":
            self._shared = _NormedDense(
                layer.shared_bottleneck, hidden_dim, "shared_bottleneck"
            )
        query, key, value = (
            layer.projections[name] for name in ("queries", "keys", "values")
        )
        self._attention = blocks.Attention(
            layer.num_heads,
            weights.dense(query, read),
            weights.dense(key, read),
            weights.dense(value, hidden_dim if kind == "shared" else read),
        )
        self._attention_output = _NormedDense(
            layer.attention_output, inner, "attention_output"
        )
        self._activation = blocks.ACTIVATIONS[layer.activation]
        self._feedforwards = [
            (
                blocks.Dense(
                    weights.dense(block.intermediate, inner),
                    f"intermediate_{index}",
                ),
                _NormedDense(
                    block.output_dense,
                    layer.intermediate_dim,
                    f"feedforward_{index}",
                ),
            )
            for index, block in enumerate(layer.feedforwards)
        ]
        self._output = _NormedDense(
            layer.output_bottleneck, inner, "output_bottleneck"
        )

    @blocks.scoped
    def __call__(self, states, mask, rows=None):
        """Return the first `rows` states, or all, and `Attention`'s parts."""
        x = self._bottleneck(states)
        asking = attended = x if self._kind == "bottleneck" else states
        if self._shared is not None:
            asking = self._shared(states)
        mixed, parts = self._attention(asking, attended, mask, rows)
        x = self._attention_output(mixed, blocks.first_rows(x, rows))
        for widen, narrow in self._feedforwards:
            x = narrow(self._activation(widen(x)), x)
        return self._output(x, blocks.first_rows(states, rows)), parts


class _NormedDense(tf.Module):
    """Norm(x W + b + residual); a NoNorm is folded in."""

    def __init__(self, layer, inputs, name):
        super().__init__()
        dense = weights.dense(layer.dense, inputs)
        self._norm = self._gamma = None
        if isinstance(layer.norm, NoNorm):
            dense = _folded(dense, layer.norm)
            self._gamma = blocks.constant(_scale_and_shift(layer.norm)[0])
        else:
            self._norm = blocks.Norm(weights.norm(layer.norm))
        self._dense = blocks.Dense(dense, name)

    def __call__(self, x, residual=None):
        x = self._dense(x)
        if residual is not None:
            x += residual if self._gamma is None else residual * self._gamma
        return x if self._norm is None else self._norm(x)


def _folded(dense: weights.Dense, norm: NoNorm) -> weights.Dense:
    """Fold a norm into the dense layer before it."""
    gamma, beta = _scale_and_shift(norm)
    return weights.Dense(dense.kernel * gamma, dense.bias * gamma + beta)


def _scale_and_shift(norm: NoNorm) -> tuple[np.ndarray, np.ndarray]:
    return weights.array(norm.gamma), weights.array(norm.beta)
