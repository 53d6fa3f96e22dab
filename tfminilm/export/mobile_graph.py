"""The graph that runs on a phone: an encoder's weights, rewritten for XNNPACK.

KerasHub's own graph is built for training: it masks with a boolean tensor
(SELECT_V2, which XNNPACK does not take, so that the graph falls into many
delegate partitions), scales the queries at run time, and looks positions up.
Here the batch is one sentence, the mask is one additive tensor computed once,
the query scale sits in the query's weights, and positions are constants. Dense
layers keep their batch of one: on `[length, hidden_dim]` XNNPACK's int8
product took a tenth longer than on `[1, length, hidden_dim]`.
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from tfminilm.errors import UserError
from tfminilm.export import weights

INPUTS = ("token_ids", "segment_ids", "padding_mask")
OUTPUTS = ("sequence_output", "pooled_output", "sentence_embedding")
ATTENTION_OUTPUTS = ("queries", "keys", "values")

# Added to the scores of padded keys. Far below any score, so that exp() of
# it is exactly 0 in float32 and padding has no say; finite and well inside
# float16 (65504), so that a row of padding alone gives no NaN.
MASK = -1e4


class MobileGraph(tf.Module):
    """An encoder for one sentence at a time, with fixed lengths.

    Variables are made once; every `signature` of the same object shares them.
    """

    def __init__(
        self,
        backbone: keras.Model,
        outputs: Sequence[str] = OUTPUTS,
    ):
        """Reads the weights of a KerasHub backbone.

        Args:
            backbone: a `keras_hub.models.BertBackbone`.
            outputs: names out of `OUTPUTS`, and for measuring those of
                `ATTENTION_OUTPUTS`: the last layer's, unscaled,
                `[1, heads, length, head_dim]`.

        Raises:
            UserError: the backbone's family is not known here, or an output.
        """
        super().__init__(name="mobile_graph")
        for name in outputs:
            if name not in OUTPUTS + ATTENTION_OUTPUTS:
                raise UserError(
                    f"unknown output {name!r}, expected "
                    f"{', '.join(OUTPUTS + ATTENTION_OUTPUTS)}"
                )
        self.outputs = tuple(outputs)
        encoder = weights.read_encoder(backbone)
        self._encoder = encoder
        self._tokens = _constant(encoder.tokens)
        self._embeddings_norm = _Norm(encoder.embeddings_norm)
        self._layers = [
            _Layer(layer, encoder.num_heads, encoder.approximate_gelu)
            for layer in encoder.layers
        ]
        self._pooler = _Dense(encoder.pooler)

    def signature(self, length: int) -> tf.types.experimental.ConcreteFunction:
        """The graph for sentences padded to `length` tokens.

        Takes int32 `[1, length]` tensors named as `INPUTS`, returns a dict.

        Raises:
            UserError: the position table has no `length` rows.
        """
        longest = self._encoder.max_sequence_length
        if not 1 <= length <= longest:
            raise UserError(
                f"length {length} does not fit the model: expected 1 to "
                f"{longest}, the rows of its position table"
            )

        def call(token_ids, segment_ids, padding_mask):
            return self._call(token_ids, segment_ids, padding_mask, length)

        return tf.function(call).get_concrete_function(
            *(tf.TensorSpec([1, length], tf.int32, name) for name in INPUTS)
        )

    def _call(self, token_ids, segment_ids, padding_mask, length):
        real = tf.cast(padding_mask, tf.float32)
        mask = tf.reshape((1.0 - real) * MASK, [1, 1, 1, length])
        x = self._embed(token_ids, segment_ids, length)
        for layer in self._layers:
            x, queries, keys, values = layer(x, mask)
        made = {
            "sequence_output": x,
            "queries": queries,
            "keys": keys,
            "values": values,
        }
        if "pooled_output" in self.outputs:
            # A slice that drops an axis is one XNNPACK does not take.
            first = tf.reshape(x[:, :1], [1, self._encoder.hidden_dim])
            made["pooled_output"] = tf.tanh(self._pooler(first))
        if "sentence_embedding" in self.outputs:
            made["sentence_embedding"] = _mean_of_real(x, real, length)
        # Each output is a tensor of its own: LiteRT cannot give one twice.
        return {name: tf.identity(made[name], name) for name in self.outputs}

    def _embed(self, token_ids, segment_ids, length):
        """Embeddings `[1, length, hidden_dim]`, normalised."""
        encoder = self._encoder
        tokens = _lookup(self._tokens, tf.reshape(token_ids, [length]))
        tokens = tf.reshape(tokens, [1, length, encoder.hidden_dim])
        rows = encoder.positions[:length]
        if encoder.segments.shape[0] == 2:
            # Two segments: the first is part of the constant, and the other
            # a multiple (0 or 1) of the difference.
            first, second = encoder.segments
            share = tf.cast(segment_ids, tf.float32)
            segments = tf.reshape(share, [1, length, 1]) * (second - first)
            return self._embeddings_norm(tokens + (rows + first) + segments)
        segments = tf.gather(encoder.segments, segment_ids)
        return self._embeddings_norm(tokens + rows + segments)


class _Layer(tf.Module):
    """One transformer layer on `[1, length, hidden_dim]`."""

    def __init__(self, layer, num_heads, approximate_gelu):
        super().__init__()
        self._num_heads = num_heads
        self._approximate_gelu = approximate_gelu
        self._head_dim = layer.query.kernel.shape[1] // num_heads
        scale = self._head_dim**-0.5
        self._query = _Dense(
            weights.Dense(layer.query.kernel * scale, layer.query.bias * scale)
        )
        self._key = _Dense(layer.key)
        self._value = _Dense(layer.value)
        self._output = _Dense(layer.output)
        self._attention_norm = _Norm(layer.attention_norm)
        self._intermediate = _Dense(layer.intermediate)
        self._feedforward = _Dense(layer.feedforward)
        self._feedforward_norm = _Norm(layer.feedforward_norm)

    def __call__(self, x, mask):
        """Returns the states and unscaled queries, keys and values.

        `x` is `[1, length, hidden_dim]`, `mask` `[1, 1, 1, length]`, heads
        are `[1, heads, length, head_dim]`.
        """
        queries, keys, values = (
            self._heads(dense(x))
            for dense in (self._query, self._key, self._value)
        )
        scores = tf.matmul(queries, keys, transpose_b=True) + mask
        mixed = tf.matmul(tf.nn.softmax(scores), values)
        mixed = tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), x.shape)
        x = self._attention_norm(x + self._output(mixed))
        inner = tf.nn.gelu(self._intermediate(x), self._approximate_gelu)
        x = self._feedforward_norm(x + self._feedforward(inner))
        return x, queries * self._head_dim**0.5, keys, values

    def _heads(self, x):
        """`[1, length, heads * head_dim]` to `[1, heads, length, head_dim]`."""
        x = tf.reshape(x, [1, x.shape[1], self._num_heads, self._head_dim])
        return tf.transpose(x, [0, 2, 1, 3])


class _Dense(tf.Module):
    def __init__(self, dense: weights.Dense):
        super().__init__()
        self._kernel = _constant(dense.kernel)
        self._bias = _constant(dense.bias)

    def __call__(self, x):
        return tf.matmul(x, self._kernel) + self._bias


class _Norm(tf.Module):
    def __init__(self, norm: weights.Norm):
        super().__init__()
        self._scale = _constant(norm.scale)
        self._shift = _constant(norm.shift)
        self._epsilon = norm.epsilon

    def __call__(self, x):
        centred = x - tf.reduce_mean(x, -1, keepdims=True)
        variance = tf.reduce_mean(centred * centred, -1, keepdims=True)
        inverse = tf.math.rsqrt(variance + self._epsilon)
        # The scale comes before `inverse`: as the last factor, the converter
        # would fold it into the dense layers that follow, and their inputs,
        # rounded to int8 without it, lose a fifth of their precision.
        return centred * self._scale * inverse + self._shift


def _constant(array: np.ndarray) -> tf.Variable:
    """A variable, so that all signatures of a file share its buffer."""
    return tf.Variable(array, trainable=False)


@tf.function(experimental_implements="embedding_matmul")
def _lookup(table, ids):
    """Rows of a table; the converter writes it as one EMBEDDING_LOOKUP.

    That operator, unlike GATHER, has an int8 kernel with a scale per row.
    """
    return tf.gather(table, ids)


def _mean_of_real(x, real, length):
    """Mean over real tokens: `[1, length, hidden]` to `[1, hidden]`."""
    count = tf.maximum(tf.reduce_sum(real, -1, keepdims=True), 1.0)
    return tf.reduce_sum(x * tf.reshape(real / count, [1, length, 1]), 1)
