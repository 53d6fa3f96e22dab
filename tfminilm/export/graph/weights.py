"""Read weights of Keras layers, or of a whole encoder, as plain arrays."""

import dataclasses

import keras
import numpy as np

from tfminilm.families.activations import activation_name
from tfminilm.layers.relative import buckets
from tfminilm.private.encoders import encoder_parts

# Those that a mobile graph can have.
ACTIVATIONS = ("relu", "gelu", "gelu_approximate")


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
    """One post-norm transformer layer; heads lie side by side in `units`.

    `activation` is that of the feed-forward block, by its name in
    `ACTIVATIONS`.
    """

    query: Dense
    key: Dense
    value: Dense
    output: Dense
    attention_norm: Norm
    intermediate: Dense
    feedforward: Dense
    feedforward_norm: Norm
    activation: str


@dataclasses.dataclass(frozen=True)
class Encoder:
    """A whole encoder.

    `tokens` is `[vocabulary_size, width]`, `positions`
    `[max_sequence_length, width]`, `segments` `[num_segments, width]`, or
    None, as the pooler, for a model that has none. `projection` leads from
    that width to the layers', where they differ. `position_bias` is
    `[heads, 2 * max_sequence_length - 1]`, what is added to the scores of
    keys from the farthest on the left to the farthest on the right.
    """

    num_heads: int
    tokens: np.ndarray
    positions: np.ndarray
    segments: np.ndarray | None
    embeddings_norm: Norm
    layers: tuple[EncoderLayer, ...]
    pooler: Dense | None
    projection: Dense | None
    position_bias: np.ndarray | None

    @property
    def width(self) -> int:
        """Width of the embeddings."""
        return self.tokens.shape[1]


def read_encoder(backbone: keras.Model) -> Encoder:
    """Read KerasHub's BERT, DistilBERT, RoBERTa, XLM-R or ELECTRA, or MPNet.

    It is read in float32.

    Raises:
        UserError: its activation is none of `ACTIVATIONS`.
    """
    segments = pooler = projection = None
    embeddings = backbone
    if hasattr(backbone, "segment_embedding"):
        segments = array(backbone.segment_embedding.embeddings)
    else:
        embeddings = backbone.embeddings
    if hasattr(backbone, "pooled_dense"):
        pooler = dense(backbone.pooled_dense, backbone.hidden_dim)
    if hasattr(backbone, "embeddings_projection"):
        projection = dense(
            backbone.embeddings_projection,
            embeddings.token_embedding.output_dim,
        )
    layers = backbone.transformer_layers
    return Encoder(
        num_heads=backbone.num_heads,
        tokens=array(embeddings.token_embedding.embeddings),
        positions=array(embeddings.position_embedding.position_embeddings),
        segments=segments,
        embeddings_norm=norm(backbone.embeddings_layer_norm),
        layers=tuple(
            encoder_layer(layer, backbone.hidden_dim) for layer in layers
        ),
        pooler=pooler,
        projection=projection,
        position_bias=_position_bias(backbone),
    )


def without_silent_heads(
    layer: EncoderLayer, num_heads: int
) -> tuple[EncoderLayer, int]:
    """Drop the heads that add nothing; return the layer and its head count.

    `tfminilm.compress.prune` zeroes their rows of the output kernel. Of a
    layer that has no other heads, one stays.
    """
    units = len(layer.output.kernel)
    sizes = np.abs(layer.output.kernel).reshape(num_heads, -1).max(1)
    heard = sizes > 0 if sizes.any() else np.arange(num_heads) == 0
    kept = np.repeat(heard, units // num_heads)

    def columns(dense: Dense) -> Dense:
        return Dense(dense.kernel[:, kept], dense.bias[kept])

    fewer = dataclasses.replace(
        layer,
        query=columns(layer.query),
        key=columns(layer.key),
        value=columns(layer.value),
        output=Dense(layer.output.kernel[kept], layer.output.bias),
    )
    return fewer, int(heard.sum())


def _position_bias(backbone: keras.Model) -> np.ndarray | None:
    if not hasattr(backbone, "position_bias"):
        return None
    farthest = backbone.max_sequence_length - 1
    index = buckets(np.arange(-farthest, farthest + 1))
    table = array(backbone.position_bias.embedding.embeddings)
    return table[keras.ops.convert_to_numpy(index)].T


def encoder_layer(layer: keras.layers.Layer, hidden_dim: int) -> EncoderLayer:
    """Read one of KerasHub's encoder layers."""
    parts = encoder_parts(layer)
    attention = parts.attention
    return EncoderLayer(
        query=dense(attention.query_dense, hidden_dim),
        key=dense(attention.key_dense, hidden_dim),
        value=dense(attention.value_dense, hidden_dim),
        output=dense(attention.output_dense, hidden_dim),
        attention_norm=norm(parts.attention_norm),
        intermediate=dense(parts.intermediate, hidden_dim),
        feedforward=dense(parts.output, layer.intermediate_dim),
        feedforward_norm=norm(parts.feedforward_norm),
        activation=activation_name(parts.intermediate.activation, ACTIVATIONS),
    )


def array(variable: keras.Variable) -> np.ndarray:
    """Return a variable's value in float32."""
    value = keras.ops.convert_to_numpy(keras.ops.cast(variable, "float32"))
    return np.asarray(value)


def dense(layer: keras.layers.Layer, inputs: int) -> Dense:
    """Read a `Dense` or `EinsumDense`, whose kernels may split the heads.

    No bias is one of zeros.
    """
    kernel = array(layer.kernel).reshape(inputs, -1)
    if layer.bias is None:
        return Dense(kernel, np.zeros(kernel.shape[1], "float32"))
    return Dense(kernel, array(layer.bias).reshape(-1))


def norm(layer: keras.layers.LayerNormalization) -> Norm:
    """Read a `LayerNormalization`; no shift is one of zeros."""
    scale = array(layer.gamma)
    is_plain = layer.beta is None
    shift = np.zeros_like(scale) if is_plain else array(layer.beta)
    return Norm(scale, shift, layer.epsilon)
