"""Build the parts that the mobile graphs of all families consist of.

Tensors are `[1, length, width]`: dense layers keep their batch of one, as on
`[length, width]` XNNPACK's int8 product took a tenth longer.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfminilm.export.graph import weights

# Added to the scores of padded keys. Far below any score, so that exp() of
# it is exactly 0 in float32 and padding has no say; as far as float16 goes
# (65504), since scores grow where no norm bounds them; finite, so that a row
# of padding alone gives no NaN.
MASK = -6e4

# By the names in `weights.ACTIVATIONS`.
ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "relu": tf.nn.relu,
    "gelu": lambda x: tf.nn.gelu(x, approximate=False),
    "gelu_approximate": lambda x: tf.nn.gelu(x, approximate=True),
}


def scoped(call: Callable[..., Any]) -> Callable[..., Any]:
    """Name what a module's method computes after it, inside its caller."""

    @functools.wraps(call)
    def named(self: tf.Module, *args: tf.Tensor | int | None) -> Any:
        with tf.name_scope(self.name):
            return call(self, *args)

    return named


class Dense(tf.Module):
    """x W + b; the name is that by which a target may choose its precision."""

    def __init__(self, dense: weights.Dense, name: str):
        super().__init__(name)
        self._kernel = constant(dense.kernel)
        self._bias = constant(dense.bias)

    @scoped
    def __call__(self, x):
        return tf.matmul(x, self._kernel) + self._bias


class ResidualDense(Dense):
    """residual + (x W + b), if need be in units of its channels.

    Where one scale serves a whole tensor, a channel with values a hundred
    times larger than the others' leaves them two or three steps.
    `equalize_channels` divides W and b by each channel's largest magnitude,
    and the sum is computed in these units: `(residual / units + (x W + b)) *
    units`. A factor right behind the product would not help: the converter
    folds it into the weights.

    Attributes:
        max_abs: `[units]`, the largest magnitudes of x W + b in all eager
            calls.
    """

    def __init__(self, dense: weights.Dense, name: str):
        super().__init__(dense, name)
        self.max_abs = np.zeros(dense.bias.shape, "float32")
        self._units = None

    def __call__(self, x, residual):
        if self._units is not None:
            residual = residual * (1 / self._units)
        written = super().__call__(x)
        if tf.executing_eagerly():
            largest = tf.reduce_max(tf.abs(written), [0, 1]).numpy()
            self.max_abs = np.maximum(self.max_abs, largest)
        total = residual + written
        return total if self._units is None else total * self._units

    def equalize_channels(self, units: np.ndarray) -> None:
        """Compute in `units` `[units]` from now on, positive numbers."""
        self._units = constant(units)
        self._kernel.assign(self._kernel / units)
        self._bias.assign(self._bias / units)


class Norm(tf.Module):
    """Layer normalisation."""

    def __init__(self, norm: weights.Norm):
        super().__init__()
        self._scale = constant(norm.scale)
        self._shift = constant(norm.shift) if norm.shift.any() else None
        self._epsilon = norm.epsilon

    def __call__(self, x):
        centred = x - tf.reduce_mean(x, -1, keepdims=True)
        variance = tf.reduce_mean(centred * centred, -1, keepdims=True)
        inverse = tf.math.rsqrt(variance + self._epsilon)
        # The scale comes before `inverse`: as the last factor, the converter
        # would fold it into the dense layers that follow, and their inputs,
        # rounded to int8 without it, lose a fifth of their precision.
        normed = centred * self._scale * inverse
        return normed if self._shift is None else normed + self._shift


class Attention(tf.Module):
    """Softmax attention of heads that lie side by side.

    The scale of the scores sits in the query's weights.
    """

    # Of the sum that a score is, each as large as a product of two heads.
    _num_terms = 1

    def __init__(
        self,
        num_heads: int,
        query: weights.Dense,
        key: weights.Dense,
        value: weights.Dense,
    ):
        super().__init__()
        self._num_heads = num_heads
        self._head_dim = query.kernel.shape[1] // num_heads
        self._unscale = (self._num_terms * self._head_dim) ** 0.5
        scale = 1 / self._unscale
        self._query = Dense(
            weights.Dense(query.kernel * scale, query.bias * scale), "query"
        )
        self._key = Dense(key, "key")
        self._value = Dense(value, "value")

    def __call__(self, asking, attended, mask, rows=None):
        """Attend with queries and keys of `asking` to values of `attended`.

        Args:
            asking: `[1, length, width]`.
            attended: `[1, length, width]`.
            mask: `[1, 1, 1, length]` or `[1, 1 or heads, length, length]`,
                added to the scores.
            rows: how many of the first tokens ask; all of them if None.

        Returns:
            The heads' results side by side `[1, rows, units]`, and unscaled
            queries `[1, heads, rows, head_dim]`, and keys and values
            `[1, heads, length, head_dim]`.
        """
        asking_rows = first_rows(asking, rows)
        queries = self._placed(self._heads(self._query(asking_rows)))
        keys = self._placed(self._heads(self._key(asking)))
        values = self._heads(self._value(attended))
        if mask.shape[2] > 1:
            mask = mask if rows is None else mask[:, :, :rows]
        scores = self._scores(queries, keys) + mask
        mixed = tf.matmul(tf.nn.softmax(scores), values)
        units = self._num_heads * self._head_dim
        mixed = tf.transpose(mixed, [0, 2, 1, 3])
        mixed = tf.reshape(mixed, [1, asking_rows.shape[1], units])
        return mixed, (queries * self._unscale, keys, values)

    def _scores(self, queries, keys):
        """Compute scores from scaled queries: `[1, heads, rows, length]`."""
        return tf.matmul(queries, keys, transpose_b=True)

    def _placed(self, x):
        """Return queries or keys as they are: they know their positions."""
        return x

    def _heads(self, x):
        """Split into heads: `[1, heads, length, head_dim]`."""
        x = tf.reshape(x, [1, x.shape[1], self._num_heads, self._head_dim])
        return tf.transpose(x, [0, 2, 1, 3])


class PositionEmbeddings(tf.Module):
    """Embeddings of positions and segments, added to those of the tokens.

    Args:
        positions: `[max_sequence_length, width]`.
        segments: `[num_segments, width]`; None for a model that has none.
    """

    def __init__(self, positions: np.ndarray, segments: np.ndarray | None):
        super().__init__()
        self._positions = positions
        self._segments = segments

    def add(self, x, segment_ids):
        """Add positions and segments to `x` `[1, length, width]`."""
        length = x.shape[1]
        rows = self._positions[:length]
        if self._segments is None:
            return x + rows
        if len(self._segments) != 2:
            return x + rows + tf.gather(self._segments, segment_ids)
        # Two segments: the first is part of the constant, and the other a
        # multiple (0 or 1) of the difference.
        first, second = self._segments
        share = tf.cast(segment_ids, tf.float32)
        segments = tf.reshape(share, [1, length, 1]) * (second - first)
        return x + (rows + first) + segments


def first_rows(x, rows):
    """Return the first `rows` of `[1, length, width]`; all if None."""
    return x if rows is None else x[:, :rows]


def constant(array: np.ndarray) -> tf.Variable:
    """Return a variable, so that all signatures of a file share its buffer."""
    return tf.Variable(array, trainable=False)


@tf.function(experimental_implements="embedding_matmul")
def _lookup(table, ids):
    """Look up rows; the converter writes it as one EMBEDDING_LOOKUP.

    The quantiser knows that operator's table and rounds it with a scale per
    row; `tables` then replaces the operator.
    """
    return tf.gather(table, ids)


def lookup(table, ids):
    """Look up rows `[length, width]` in the table of tokens."""
    with tf.name_scope("tokens"):
        return _lookup(table, ids)
