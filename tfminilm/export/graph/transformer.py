"""BERT, DistilBERT, RoBERTa, XLM-R, ELECTRA and MPNet as mobile graphs."""

import keras
import numpy as np
import tensorflow as tf

from tfminilm.export.graph import blocks, weights


class Transformer(tf.Module):
    """The embeddings, layers and pooler, if any, of a `keras_hub` encoder."""

    def __init__(self, backbone: keras.Model):
        super().__init__()
        encoder = weights.read_encoder(backbone)
        self._width = encoder.width
        self._tokens = blocks.constant(encoder.tokens)
        self._positions = blocks.PositionEmbeddings(
            encoder.positions, encoder.segments
        )
        self._norm = blocks.Norm(encoder.embeddings_norm)
        self._projection = None
        if encoder.projection is not None:
            self._projection = blocks.Dense(
                encoder.projection, "embeddings_projection"
            )
        self._position_bias = encoder.position_bias
        keeps_heads = encoder.position_bias is not None
        self.layers = []
        for index, layer in enumerate(encoder.layers):
            num_heads = encoder.num_heads
            if not keeps_heads:
                layer, num_heads = weights.without_silent_heads(
                    layer, num_heads
                )
            attention = blocks.Attention(
                num_heads, layer.query, layer.key, layer.value
            )
            self.layers.append(Layer(layer, attention, f"layer_{index}"))
        self._pooler = None
        if encoder.pooler is not None:
            self._pooler = blocks.Dense(encoder.pooler, "pooler")

    def embed(self, token_ids, segment_ids, real):
        """Embed as `[1, length, hidden_dim]`, normalised at its own width."""
        length = token_ids.shape[1]
        tokens = blocks.lookup(self._tokens, tf.reshape(token_ids, [length]))
        tokens = tf.reshape(tokens, [1, length, self._width])
        x = self._norm(self._positions.add(tokens, segment_ids))
        return x if self._projection is None else self._projection(x)

    def mask(self, mask):
        """Add the biases of relative positions, if any, to `[1, 1, 1, length]`.

        For each length they are a constant, `[1, heads, length, length]`.
        """
        if self._position_bias is None:
            return mask
        length = mask.shape[-1]
        places = np.arange(length)
        here = self._position_bias.shape[1] // 2
        distances = places[None, :] - places[:, None]
        return mask + self._position_bias[None, :, here + distances]

    def pool(self, first):
        """Pool the first token's state `[1, hidden_dim]`."""
        return first if self._pooler is None else tf.tanh(self._pooler(first))


class Layer(tf.Module):
    """One transformer layer on `[1, length, hidden_dim]`."""

    def __init__(
        self,
        layer: weights.EncoderLayer,
        attention: blocks.Attention,
        name: str,
    ):
        super().__init__(name)
        self._activation = blocks.ACTIVATIONS[layer.activation]
        self._attention = attention
        self._output = blocks.Dense(layer.output, "attention_output")
        self._attention_norm = blocks.Norm(layer.attention_norm)
        self._intermediate = blocks.Dense(layer.intermediate, "intermediate")
        self._feedforward = blocks.ResidualDense(
            layer.feedforward, "feedforward"
        )
        self._feedforward_norm = blocks.Norm(layer.feedforward_norm)

    @blocks.scoped
    def __call__(self, x, mask, rows=None):
        """Return the first `rows` states, or all, and `Attention`'s parts."""
        mixed, parts = self._attention(x, x, mask, rows)
        x = blocks.first_rows(x, rows)
        x = self._attention_norm(x + self._output(mixed))
        inner = self._activation(self._intermediate(x))
        return self._feedforward_norm(self._feedforward(inner, x)), parts
