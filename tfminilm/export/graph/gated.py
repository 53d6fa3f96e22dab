"""ModernBERT as a mobile graph: rotary positions and windows are constants."""

import keras
import numpy as np
import tensorflow as tf

from tfminilm.errors import UserError
from tfminilm.export.graph import blocks, weights
from tfminilm.layers.rotary import angles


class GatedTransformer(tf.Module):
    """The embeddings and layers of a backbone of `GatedEncoder`s."""

    def __init__(self, backbone: keras.Model):
        super().__init__()
        if backbone.activation not in blocks.ACTIVATIONS:
            raise UserError(
                f"cannot export the activation {backbone.activation!r}: "
                f"expected {' or '.join(blocks.ACTIVATIONS)}"
            )
        self._width = backbone.hidden_dim
        self._tokens = blocks.constant(
            weights.array(backbone.token_embedding.embeddings)
        )
        self._norm = blocks.Norm(weights.norm(backbone.embeddings_layer_norm))
        last = len(backbone.transformer_layers) - 1
        self.layers = [
            _Layer(
                layer,
                self._width,
                f"layer_{index}",
                backbone.final_norm if index == last else None,
            )
            for index, layer in enumerate(backbone.transformer_layers)
        ]

    def embed(self, token_ids, segment_ids, real):
        """Embed as `[1, length, hidden_dim]`, normalised."""
        length = token_ids.shape[1]
        tokens = blocks.lookup(self._tokens, tf.reshape(token_ids, [length]))
        return self._norm(tf.reshape(tokens, [1, length, self._width]))

    def mask(self, mask):
        """Return `[1, 1, 1, length]` as it is: each layer has its window."""
        return mask

    def pool(self, first):
        """Pool the first token's state `[1, hidden_dim]`: it is the state."""
        return first


class _Layer(tf.Module):
    """One `GatedEncoder` on `[1, length, hidden_dim]`, and the final norm."""

    def __init__(self, layer, width, name, final_norm):
        super().__init__(name)
        self._window = layer.window
        self._attention_norm = _norm(layer.attention_norm)
        query, key, value = _split(layer.qkv, width, 3)
        self._attention = _Attention(
            layer.num_heads, query, key, value, layer.rope_theta
        )
        self._output = blocks.Dense(
            weights.dense(layer.attention_output, width), "attention_output"
        )
        self._feedforward_norm = _norm(layer.feedforward_norm)
        gate, up = _split(layer.intermediate, width, 2)
        self._gate = blocks.Dense(gate, "gate")
        self._up = blocks.Dense(up, "up")
        self._activation = blocks.ACTIVATIONS[layer.activation]
        self._feedforward = blocks.ResidualDense(
            weights.dense(layer.feedforward, layer.intermediate_dim),
            "feedforward",
        )
        self._final_norm = _norm(final_norm)

    @blocks.scoped
    def __call__(self, states, mask, rows=None):
        """Return the first `rows` states, or all, and `Attention`'s parts."""
        x = self._attention_norm(states)
        mask = self._windowed(mask, rows)
        mixed, parts = self._attention(x, x, mask, rows)
        x = blocks.first_rows(states, rows) + self._output(mixed)
        normed = self._feedforward_norm(x)
        inner = self._activation(self._gate(normed)) * self._up(normed)
        return self._final_norm(self._feedforward(inner, x)), parts

    def _windowed(self, mask, rows):
        """Hide what is beyond the window as well: `[1, 1, rows, length]`."""
        length = mask.shape[-1]
        if self._window is None or length <= self._window + 1:
            return mask
        places = np.arange(length)
        is_far = abs(places[:rows, None] - places[None]) > self._window
        # The lower of the two, not their sum: float16 ends above twice it.
        far = np.where(is_far, blocks.MASK, 0).astype("float32")
        return tf.minimum(mask, far[None, None])


class _Attention(blocks.Attention):
    """Attention whose queries and keys are turned by their positions."""

    def __init__(self, num_heads, query, key, value, theta):
        super().__init__(num_heads, query, key, value)
        self._theta = theta

    def _placed(self, x):
        """Turn `[1, heads, length, head_dim]`, see `layers.rotary.rotate`."""
        length, size = x.shape[2:]
        turned = angles(length, size, self._theta)
        cosine, sine = np.cos(turned), np.sin(turned)
        first, second = tf.split(x, 2, axis=-1)
        swapped = tf.concat([second, first], -1)
        return x * np.concatenate([cosine, cosine], -1) + (
            swapped * np.concatenate([-sine, sine], -1)
        )


def _norm(layer):
    """Return what computes a norm; without one, nothing is done."""
    return tf.identity if layer is None else blocks.Norm(weights.norm(layer))


def _split(layer, inputs, count) -> list[weights.Dense]:
    """Read a dense layer whose outputs are those of several, side by side."""
    dense = weights.dense(layer, inputs)
    parts = zip(
        np.split(dense.kernel, count, axis=1),
        np.split(dense.bias, count),
        strict=True,
    )
    return [weights.Dense(kernel, bias) for kernel, bias in parts]
