"""The graph that runs on a phone: an encoder's weights, rewritten for XNNPACK.

KerasHub's own graph is built for training: it masks with a boolean tensor
(SELECT_V2, which XNNPACK does not take, so that the graph falls into many
delegate partitions), scales the queries at run time, and looks positions up.
Here the batch is one sentence, the mask is one additive tensor computed once,
the query scale sits in the query's weights, and positions are constants.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfminilm.errors import UserError
from tfminilm.export import mobilebert, transformer

INPUTS = ("token_ids", "segment_ids", "padding_mask")
OUTPUTS = ("sequence_output", "pooled_output", "sentence_embedding")
ATTENTION_OUTPUTS = ("queries", "keys", "values")

# Added to the scores of padded keys. Far below any score, so that exp() of
# it is exactly 0 in float32 and padding has no say; as far as float16 goes
# (65504), since scores grow where no norm bounds them; finite, so that a row
# of padding alone gives no NaN.
MASK = -6e4

# By the name of the backbone's class, or of one that it is made from.
_FAMILIES = {
    "BertBackbone": transformer.Transformer,
    "MobileBertBackbone": mobilebert.MobileBert,
}


class MobileGraph(tf.Module):
    """An encoder for one sentence at a time, with fixed lengths.

    Variables are made once; every `signature` of the same object shares them.
    """

    def __init__(
        self,
        backbone: keras.Model,
        outputs: Sequence[str] = OUTPUTS,
    ):
        """Reads the weights of a backbone.

        Args:
            backbone: a `keras_hub.models.BertBackbone`, or a MobileBERT of
                `tfminilm.students`.
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
        self._encoder = _family(backbone)(backbone)
        self._hidden_dim = backbone.hidden_dim
        self._longest = backbone.max_sequence_length

    def signature(self, length: int) -> tf.types.experimental.ConcreteFunction:
        """The graph for sentences padded to `length` tokens.

        Takes int32 `[1, length]` tensors named as `INPUTS`, returns a dict.

        Raises:
            UserError: the position table has no `length` rows.
        """
        if not 1 <= length <= self._longest:
            raise UserError(
                f"length {length} does not fit the model: expected 1 to "
                f"{self._longest}, the rows of its position table"
            )

        def call(token_ids, segment_ids, padding_mask):
            return self._call(token_ids, segment_ids, padding_mask, length)

        return tf.function(call).get_concrete_function(
            *(tf.TensorSpec([1, length], tf.int32, name) for name in INPUTS)
        )

    def _call(self, token_ids, segment_ids, padding_mask, length):
        real = tf.cast(padding_mask, tf.float32)
        mask = tf.reshape((1.0 - real) * MASK, [1, 1, 1, length])
        x = self._encoder.embed(token_ids, segment_ids, real)
        for layer in self._encoder.layers:
            x, parts = layer(x, mask)
        made = dict(zip(ATTENTION_OUTPUTS, parts, strict=True))
        made["sequence_output"] = x
        if "pooled_output" in self.outputs:
            # A slice that drops an axis is one XNNPACK does not take.
            first = tf.reshape(x[:, :1], [1, self._hidden_dim])
            made["pooled_output"] = self._encoder.pool(first)
        if "sentence_embedding" in self.outputs:
            made["sentence_embedding"] = _mean_of_real(x, real, length)
        # Each output is a tensor of its own: LiteRT cannot give one twice.
        return {name: tf.identity(made[name], name) for name in self.outputs}


def _family(backbone: keras.Model) -> Any:
    """The class that writes this backbone's graph."""
    for name, family in _FAMILIES.items():
        if any(cls.__name__ == name for cls in type(backbone).__mro__):
            return family
    raise UserError(
        f"cannot export a {type(backbone).__name__}: expected a "
        f"{' or '.join(_FAMILIES)}"
    )


def _mean_of_real(x, real, length):
    """Mean over real tokens: `[1, length, hidden]` to `[1, hidden]`."""
    count = tf.maximum(tf.reduce_sum(real, -1, keepdims=True), 1.0)
    return tf.reduce_sum(x * tf.reshape(real / count, [1, length, 1]), 1)
