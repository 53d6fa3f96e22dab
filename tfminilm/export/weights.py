"""An encoder's weights as plain arrays, free of the family they come from.

One reader per encoder family fills the same frozen classes; the mobile graph
knows only these.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tfminilm.errors import UserError


@dataclasses.dataclass(frozen=True)
class Dense:
    """`x @ kernel + bias`: kernel `[inputs, units]`, bias `[units]`."""

    kernel: np.ndarray
    bias: np.ndarray


@dataclasses.dataclass(frozen=True)
class Norm:
    """Layer normalisation: scale and shift `[hidden_dim]`."""

    scale: np.ndarray
    shift: np.ndarray
    epsilon: float


@dataclasses.dataclass(frozen=True)
class EncoderLayer:
    """One post-norm transformer layer; heads lie side by side in `units`."""

    query: Dense
    key: Dense
    value: Dense
    output: Dense
    attention_norm: Norm
    intermediate: Dense
    feedforward: Dense
    feedforward_norm: Norm


@dataclasses.dataclass(frozen=True)
class Encoder:
    """A whole encoder.

    `tokens` is `[vocabulary_size, hidden_dim]`, `positions`
    `[max_sequence_length, hidden_dim]`, `segments`
    `[num_segments, hidden_dim]`. `approximate_gelu` says which of the two
    GELUs the feed-forward blocks use.
    """

    num_heads: int
    approximate_gelu: bool
    tokens: np.ndarray
    positions: np.ndarray
    segments: np.ndarray
    embeddings_norm: Norm
    layers: tuple[EncoderLayer, ...]
    pooler: Dense

    @property
    def hidden_dim(self) -> int:
        """Width of the hidden states."""
        return self.tokens.shape[1]

    @property
    def max_sequence_length(self) -> int:
        """Longest input that has position rows."""
        return self.positions.shape[0]


def read_encoder(backbone: keras.Model) -> Encoder:
    """The weights of a KerasHub backbone, in float32.

    Raises:
        UserError: the model's family has no reader here.
    """
    for name, reader in _READERS.items():
        if any(cls.__name__ == name for cls in type(backbone).__mro__):
            return reader(backbone)
    raise UserError(
        f"cannot export a {type(backbone).__name__}: expected a KerasHub "
        f"{' or '.join(_READERS)}"
    )


def _read_bert(backbone: Any) -> Encoder:
    layers = backbone.transformer_layers
    return Encoder(
        num_heads=backbone.num_heads,
        approximate_gelu=_is_approximate_gelu(
            layers[0]._feedforward_intermediate_dense.activation
        ),
        tokens=_array(backbone.token_embedding.embeddings),
        positions=_array(backbone.position_embedding.position_embeddings),
        segments=_array(backbone.segment_embedding.embeddings),
        embeddings_norm=_norm(backbone.embeddings_layer_norm),
        layers=tuple(_layer(layer, backbone.hidden_dim) for layer in layers),
        pooler=_dense(backbone.pooled_dense, backbone.hidden_dim),
    )


def _layer(layer: Any, hidden_dim: int) -> EncoderLayer:
    attention = layer._self_attention_layer
    return EncoderLayer(
        query=_dense(attention._query_dense, hidden_dim),
        key=_dense(attention._key_dense, hidden_dim),
        value=_dense(attention._value_dense, hidden_dim),
        output=_dense(attention._output_dense, hidden_dim),
        attention_norm=_norm(layer._self_attention_layer_norm),
        intermediate=_dense(layer._feedforward_intermediate_dense, hidden_dim),
        feedforward=_dense(
            layer._feedforward_output_dense, layer.intermediate_dim
        ),
        feedforward_norm=_norm(layer._feedforward_layer_norm),
    )


def _array(variable: Any) -> np.ndarray:
    value = keras.ops.convert_to_numpy(keras.ops.cast(variable, "float32"))
    return np.asarray(value)


def _dense(layer: Any, inputs: int) -> Dense:
    """Reads a `Dense` or `EinsumDense`, whose kernels may split the heads."""
    kernel = _array(layer.kernel).reshape(inputs, -1)
    return Dense(kernel, _array(layer.bias).reshape(-1))


def _norm(layer: Any) -> Norm:
    return Norm(_array(layer.gamma), _array(layer.beta), layer.epsilon)


def _is_approximate_gelu(activation: Callable) -> bool:
    """Which GELU a function is, judged by what it computes."""
    probe = keras.ops.linspace(-3.0, 3.0, 13)
    given = keras.ops.convert_to_numpy(activation(probe))
    for approximate in (True, False):
        gelu = keras.activations.gelu(probe, approximate=approximate)
        if np.allclose(given, keras.ops.convert_to_numpy(gelu), atol=1e-6):
            return approximate
    raise UserError(
        f"cannot export the activation {activation!r}: expected GELU"
    )


_READERS: dict[str, Callable[[Any], Encoder]] = {"BertBackbone": _read_bert}
