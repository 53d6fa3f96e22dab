"""The graph that runs on a phone: a model's weights, rewritten for XNNPACK.

KerasHub's own graph is built for training: it masks with a boolean tensor
(SELECT_V2, which XNNPACK does not take, so that the graph falls into many
delegate partitions), scales the queries at run time, and looks positions up.
Here the batch is one sentence, the mask is one additive tensor computed once,
the query scale sits in the query's weights, and positions are constants. What
no output reads is not computed: under a classifier the last layer has one row.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfminilm import families
from tfminilm.errors import UserError
from tfminilm.export.graph import (
    blocks,
    disentangled,
    gated,
    mobilebert,
    transformer,
)
from tfminilm.export.graph.heads import mobile_head
from tfminilm.teachers.embedding import embedding_of

INPUTS = ("token_ids", "segment_ids", "padding_mask")
OUTPUTS = ("sequence_output", "pooled_output", "sentence_embedding")
ATTENTION_OUTPUTS = ("queries", "keys", "values")
HIDDEN_STATES = "hidden_states"

# By what a family says of itself in `mobile_graph`.
_ENCODERS: dict[str, Any] = {
    "bottleneck": mobilebert.MobileBert,
    "disentangled": disentangled.Disentangled,
    "gated": gated.GatedTransformer,
    "post_norm": transformer.Transformer,
}

# They need the last layer's first row alone.
_OF_FIRST_TOKEN = {"logits", "pooled_output"}


class MobileGraph(tf.Module):
    """A model for one sentence at a time, with fixed lengths.

    Variables are made once; every `signature` of the same object shares them.
    """

    def __init__(
        self, model: keras.Model, outputs: Sequence[str] | None = None
    ):
        """Read the weights of a model.

        Args:
            model: a backbone of KerasHub's BERT, DistilBERT, RoBERTa,
                XLM-R or ELECTRA, an MPNet, MobileBERT or ModernBERT of this
                package, or a model of `tasks.heads.build_head` on one of them.
            outputs: names; by default the head's, "logits" or "start_logits"
                and "end_logits", or all of a backbone's out of `OUTPUTS`.
                For measuring there are those of `ATTENTION_OUTPUTS`, the last
                layer's, unscaled, `[1, heads, length, head_dim]`, and
                "hidden_states_0", the embeddings, "hidden_states_1" and so
                on, the layers' outputs.

        Raises:
            UserError: the model's family is not known here, or an output.
        """
        super().__init__(name="mobile_graph")
        backbone = getattr(model, "backbone", model)
        self._encoder = _encoder(backbone)
        self._head = mobile_head(model)
        self._hidden_dim = backbone.hidden_dim
        self._embedding = embedding_of(backbone)
        self._longest = backbone.max_sequence_length
        self._inputs = [name for name in INPUTS if name in backbone.input]
        outputs_there: tuple[str, ...] = OUTPUTS
        if self._head is not None:
            outputs_there = self._head.outputs
        elif not isinstance(backbone.output, dict):
            outputs_there = tuple(
                name for name in OUTPUTS if name != "pooled_output"
            )
        self.outputs = outputs_there if outputs is None else tuple(outputs)
        for name in self.outputs:
            if name not in outputs_there + ATTENTION_OUTPUTS + self._states():
                raise UserError(
                    f"unknown output {name!r}, expected "
                    f"{', '.join(outputs_there + ATTENTION_OUTPUTS)}"
                )

    def signature(self, length: int) -> tf.types.experimental.ConcreteFunction:
        """Return the graph for sentences padded to `length` tokens.

        Takes int32 `[1, length]` tensors named as `INPUTS`, returns a dict.

        Raises:
            UserError: the position table has no `length` rows.
        """
        if not 1 <= length <= self._longest:
            raise UserError(
                f"length {length} does not fit the model: expected 1 to "
                f"{self._longest}, the rows of its position table"
            )

        def call(**inputs):
            return self._call(length=length, **inputs)

        specs = {
            name: tf.TensorSpec([1, length], tf.int32, name)
            for name in self._inputs
        }
        return tf.function(call).get_concrete_function(**specs)

    def equalize_channels(
        self,
        batch: Mapping[str, np.ndarray],
        trained: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Scale the channels of feed-forward outputs to equal magnitudes.

        Before static scales are measured: see `blocks.ResidualDense`.

        Args:
            batch: inputs `[sentences, length]`, on which the channels'
                largest magnitudes are measured.
            trained: the magnitudes `[hidden_dim]` that the model was trained
                with, by names such as "layer_0/feedforward", in their place.
        """
        inputs = {name: np.asarray(batch[name]) for name in self._inputs}
        for row in range(len(inputs["token_ids"])):
            one = {
                name: tf.constant(x[row : row + 1])
                for name, x in inputs.items()
            }
            self._call(length=one["token_ids"].shape[1], **one)
        for layer in self._encoder.layers:
            for dense in layer.submodules:
                if isinstance(dense, blocks.ResidualDense):
                    name = f"{layer.name}/{dense.name}"
                    least = 1e-3 * (dense.max_abs.max() or 1)
                    units = np.maximum(dense.max_abs, least)
                    dense.equalize_channels((trained or {}).get(name, units))

    def _states(self) -> tuple[str, ...]:
        """Return the names of all hidden states, the embeddings' first."""
        count = len(self._encoder.layers) + 1
        return tuple(f"{HIDDEN_STATES}_{index}" for index in range(count))

    def _embed(self, x, first, real, length):
        """Return the embedding `[1, hidden]`, as the model's folder says."""
        is_cls = self._embedding.pooling == "cls"
        vector = first if is_cls else _mean_of_real(x, real, length)
        return _unit(vector) if self._embedding.normalize else vector

    def _call(self, token_ids, padding_mask, length, segment_ids=None):
        real = tf.cast(padding_mask, tf.float32)
        mask = tf.reshape((1.0 - real) * blocks.MASK, [1, 1, 1, length])
        added = self._encoder.mask(mask)
        x = self._encoder.embed(token_ids, segment_ids, real)
        *lower, last = self._encoder.layers
        states = [x]
        for layer in lower:
            x, _ = layer(x, added)
            states.append(x)
        is_short = _OF_FIRST_TOKEN.issuperset(self.outputs)
        if self._head is not None:
            is_short = is_short and not self._head.reads_mean
        rows = 1 if is_short else None
        x, parts = last(x, added, rows)
        made = dict(zip(ATTENTION_OUTPUTS, parts, strict=True))
        made |= dict(zip(self._states(), [*states, x], strict=True))
        made["sequence_output"] = x
        # A slice that drops an axis is one XNNPACK does not take.
        first = tf.reshape(x[:, :1], [1, self._hidden_dim])
        if self._head is not None:
            read = first
            if self._head.reads_mean:
                read = _mean_of_real(x, real, length)
            made |= self._head(self._encoder, read, x, mask)
        if "pooled_output" in self.outputs:
            made["pooled_output"] = self._encoder.pool(first)
        if "sentence_embedding" in self.outputs:
            made["sentence_embedding"] = self._embed(x, first, real, length)
        # Each output is a tensor of its own: LiteRT cannot give one twice.
        return {name: tf.identity(made[name], name) for name in self.outputs}


def _unit(vector):
    """Scale `[1, hidden]` to length 1; zeros stay zeros."""
    square = tf.reduce_sum(vector * vector, -1, keepdims=True)
    return vector * tf.math.rsqrt(tf.maximum(square, 1e-24))


def _encoder(backbone: keras.Model) -> Any:
    """Write the graph of a backbone."""
    family = families.of_backbone(backbone)
    if family is None or not family.mobile_graph:
        raise UserError(
            f"cannot export a {type(backbone).__name__}: expected a "
            f"{' or '.join(families.exportable())}"
        )
    return _ENCODERS[family.mobile_graph](backbone)


def _mean_of_real(x, real, length):
    """Average over real tokens: `[1, length, hidden]` to `[1, hidden]`."""
    count = tf.maximum(tf.reduce_sum(real, -1, keepdims=True), 1.0)
    return tf.reduce_sum(x * tf.reshape(real / count, [1, length, 1]), 1)
