"""What an encoder costs: parameters, FLOPs and bytes, counted as papers do."""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any

import keras

from tfminilm.errors import UserError

PRECISIONS = ("float32", "float16", "int8")
_MOST_TOKENS = 1_000_000
# What attention reads in a layer with a bottleneck: two architectures are
# called MobileBERT, and their counts differ.
_READINGS = {
    "shared": (
        "released checkpoint: queries and keys share a bottleneck {inner} "
        "wide, values read the layer's input, {outer} wide"
    ),
    "block": (
        "paper's table: queries, keys and values read the layer's input, "
        "{outer} wide"
    ),
    "bottleneck": (
        "MobileBERT-tiny: queries, keys and values read the bottleneck, "
        "{inner} wide"
    ),
}


@dataclasses.dataclass(frozen=True)
class Description:
    """Counts of one encoder.

    `embedding_parameters` is the token table alone and
    `transformer_parameters` the transformer layers, as in the tables of the
    MiniLM paper. `other_parameters` is the rest (position and segment tables,
    the embeddings' norm and projection, the pooler), so that the three add up
    to `parameters`. `pooler_parameters` is a part of it which most papers do
    not count. `flops` maps a length in tokens to the FLOPs of one
    sequence, `size_bytes` a precision to the bytes of the weights. `reading`
    says which of the readings of MobileBERT is counted.
    """

    architecture: str
    num_layers: int
    hidden_dim: int
    num_heads: int
    intermediate_dim: int
    vocabulary_size: int
    parameters: int
    embedding_parameters: int
    transformer_parameters: int
    other_parameters: int
    pooler_parameters: int
    flops: dict[int, int]
    size_bytes: dict[str, int]
    reading: str = ""

    def as_json(self) -> dict[str, Any]:
        """The description as JSON can hold it (lengths become strings)."""
        content = dataclasses.asdict(self)
        content["flops"] = {str(k): v for k, v in self.flops.items()}
        return content


def describe(
    backbone: keras.Model, lengths: Sequence[int] = (32, 128)
) -> Description:
    """Counts a KerasHub encoder's parameters, FLOPs and bytes.

    A FLOP count is two per multiply-add of the encoder's matrix products at
    one sequence of that length: the dense layers, QK^T and AV, and the
    projection of factorised embeddings. Look-ups, softmax, norms, and the
    pooler (which sees one token) are left out, which reproduces the
    22.35 B of BERT-base at length 128.

    `int8` counts a byte per weight of a matrix; vectors (biases, norms) stay
    float32, as in dynamic-range quantisation.

    Args:
        backbone: a BERT, RoBERTa, XLM-R, DistilBERT, ALBERT or ELECTRA
            backbone of KerasHub, or a student of this package.
        lengths: tokens per sequence.

    Raises:
        UserError: `backbone` is no such encoder, or a length is not positive
            or beyond its position table.
    """
    if hasattr(backbone, "lstm_units"):
        return _describe_bilstm(backbone, lengths)
    _check_encoder(backbone)
    _check_lengths(backbone, lengths)
    total = backbone.count_params()
    embedding = backbone.token_embedding.count_params()
    transformer = sum(x.count_params() for x in _transformer(backbone))
    return Description(
        architecture=type(backbone).__name__,
        num_layers=backbone.num_layers,
        hidden_dim=backbone.hidden_dim,
        num_heads=backbone.num_heads,
        intermediate_dim=backbone.intermediate_dim,
        vocabulary_size=backbone.token_embedding.input_dim,
        parameters=total,
        embedding_parameters=embedding,
        transformer_parameters=transformer,
        other_parameters=total - embedding - transformer,
        pooler_parameters=sum(
            layer.count_params()
            for layer in backbone.layers
            if layer.name == "pooled_dense"
        ),
        flops={length: _flops(backbone, length) for length in lengths},
        size_bytes={kind: _bytes(backbone, kind) for kind in PRECISIONS},
        reading=_reading(backbone),
    )


def _reading(backbone: keras.Model) -> str:
    """Which MobileBERT it is; nothing of another model."""
    if not hasattr(backbone, "attention_input"):
        return ""
    return _READINGS[backbone.attention_input].format(
        inner=backbone.bottleneck_dim, outer=backbone.hidden_dim
    )


def _describe_bilstm(
    backbone: keras.Model, lengths: Sequence[int]
) -> Description:
    """One layer of two directions; the ReLU layer runs once a sequence.

    An LSTM has four gates, each of which reads a word vector and a state.
    """
    _check_lengths(backbone, lengths)
    total = backbone.count_params()
    embedding = backbone.token_embedding.count_params()
    units, width = backbone.lstm_units, backbone.embedding_dim
    gates = 2 * 4 * units * (width + units)
    features = 2 * units * (4 if backbone.pairs else 1) * backbone.hidden_dim
    return Description(
        architecture=type(backbone).__name__,
        num_layers=1,
        hidden_dim=backbone.hidden_dim,
        num_heads=0,
        intermediate_dim=units,
        vocabulary_size=backbone.vocabulary_size,
        parameters=total,
        embedding_parameters=embedding,
        transformer_parameters=0,
        other_parameters=total - embedding,
        pooler_parameters=0,
        flops={n: 2 * (n * gates + features) for n in lengths},
        size_bytes={kind: _bytes(backbone, kind) for kind in PRECISIONS},
    )


def parse_lengths(lengths: Iterable[str | int]) -> tuple[int, ...]:
    """Reads lengths as a command line gives them.

    Raises:
        UserError: one is no whole number of 1 to 1,000,000.
    """
    try:
        found = sorted({int(length) for length in lengths})
    except ValueError:
        found = []
    if not found or found[0] < 1 or found[-1] > _MOST_TOKENS:
        raise UserError(
            f"lengths {', '.join(map(str, lengths))}: expected whole numbers "
            f"of tokens, 1 to {_MOST_TOKENS:,}, for example --lengths=32,128"
        )
    return tuple(found)


def _transformer(backbone: keras.Model) -> list[Any]:
    """The transformer layers, each once (ALBERT nests them in groups)."""
    layers: list[Any] = []
    for layer in backbone.transformer_layers:
        layers.extend(layer if isinstance(layer, (list, tuple)) else [layer])
    return layers


def _flops(backbone: keras.Model, length: int) -> int:
    if hasattr(backbone, "bottleneck_dim"):
        return _bottleneck_flops(backbone, length)
    hidden = backbone.hidden_dim
    dense = 4 * hidden * hidden + 2 * hidden * backbone.intermediate_dim
    attention = 2 * length * hidden
    # An ALBERT layer runs its inner layers one after the other.
    runs = backbone.num_layers * getattr(backbone, "num_inner_repetitions", 1)
    projection = 0
    if getattr(backbone, "embeddings_projection", None) is not None:
        projection = backbone.token_embedding.output_dim * hidden
    return 2 * length * (runs * (dense + attention) + projection)


def _bottleneck_flops(backbone: keras.Model, length: int) -> int:
    attention = 2 * length * backbone.bottleneck_dim * backbone.num_layers
    dense = sum(
        math.prod(weight.shape)
        for layer in (
            backbone.embeddings_projection,
            *backbone.transformer_layers,
        )
        for weight in layer.weights
        if weight.name == "kernel"
    )
    return 2 * length * (dense + attention)


def _bytes(backbone: keras.Model, precision: str) -> int:
    def width(weight: keras.Variable) -> int:
        if precision == "int8":
            # The biases of Keras' attention have two axes: heads, features.
            vector = len(weight.shape) < 2 or weight.name == "bias"
            return 4 if vector else 1
        return {"float32": 4, "float16": 2}[precision]

    return sum(math.prod(w.shape) * width(w) for w in backbone.weights)


def _check_encoder(backbone: keras.Model) -> None:
    needed = (
        "transformer_layers",
        "token_embedding",
        "num_layers",
        "num_heads",
        "hidden_dim",
        "intermediate_dim",
    )
    missing = [name for name in needed if not hasattr(backbone, name)]
    if missing:
        raise UserError(
            f"{type(backbone).__name__} cannot be described: it has no "
            f"{missing[0]}; expected a BERT, RoBERTa, XLM-R, DistilBERT, "
            "ALBERT or ELECTRA backbone of KerasHub"
        )


def _check_lengths(backbone: keras.Model, lengths: Sequence[int]) -> None:
    most = getattr(backbone, "max_sequence_length", None)
    for length in lengths:
        if length < 1 or (most is not None and length > most):
            raise UserError(
                f"length {length} is out of range: {type(backbone).__name__} "
                f"has positions for 1 to {most or 'any number of'} tokens"
            )
