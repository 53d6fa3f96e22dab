"""Count an encoder's parameters, FLOPs and bytes as the papers do."""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tfminilm import families
from tfminilm.errors import UserError

if TYPE_CHECKING:
    import keras

PRECISIONS = ("float32", "float16", "int8")
_MOST_TOKENS = 1_000_000


@dataclasses.dataclass(frozen=True)
class Description:
    """Counts of one encoder.

    `embedding_parameters` counts the token embeddings only and
    `transformer_parameters` the transformer layers, as in the tables of the
    MiniLM paper. `other_parameters` counts all others (position and segment
    embeddings, their norm and projection, the pooler), so that the three add
    up to `parameters`. `pooler_parameters` is a part of them which most
    papers do not count. `flops` maps a length in tokens to the FLOPs of one
    sequence, `size_bytes` a precision to the bytes of the weights. `reading`
    names the variant of MobileBERT that is counted.
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
        """Return the description as JSON-able values, lengths as strings."""
        content = dataclasses.asdict(self)
        content["flops"] = {str(k): v for k, v in self.flops.items()}
        return content


def describe(
    backbone: "keras.Model", lengths: Sequence[int] = (32, 128)
) -> Description:
    """Count a KerasHub encoder's parameters, FLOPs and bytes.

    FLOPs are those of the encoder's matrix products for one sequence, two for
    each multiply-add: the dense layers, QK^T and AV, and the projection of
    factorised embeddings. Look-ups, softmax, norms, and the pooler (which
    reads one token) are not counted. So BERT-base has the papers' 22.35 B at
    length 128.

    `int8` counts one byte for each weight of a matrix; vectors (biases,
    norms) stay float32, as in dynamic-range quantisation.

    Args:
        backbone: a BERT, RoBERTa, XLM-R, DistilBERT, ALBERT or ELECTRA
            backbone of KerasHub, or a student of this package.
        lengths: tokens per sequence.

    Raises:
        UserError: `backbone` is no such encoder, or a length is not positive
            or beyond its position table.
    """
    # An unknown encoder of KerasHub is counted like BERT.
    family = families.of_backbone(backbone) or families.DEFAULT
    sizes = family.sizes(backbone)
    _check_lengths(backbone, lengths)
    total = backbone.count_params()
    embedding = backbone.token_embedding.count_params()
    transformer = sum(x.count_params() for x in _transformer(backbone))
    return Description(
        architecture=type(backbone).__name__,
        **sizes,
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
        flops={length: family.flops(backbone, length) for length in lengths},
        size_bytes={kind: _bytes(backbone, kind) for kind in PRECISIONS},
        reading=family.reading(backbone),
    )


def parse_lengths(lengths: Iterable[str | int]) -> tuple[int, ...]:
    """Parse the lengths of a command line.

    Raises:
        UserError: one is no whole number of 1 to 1,000,000.
    """
    try:
        parsed = sorted({int(length) for length in lengths})
    except ValueError:
        parsed = []
    if not parsed or parsed[0] < 1 or parsed[-1] > _MOST_TOKENS:
        raise UserError(
            f"lengths {', '.join(map(str, lengths))}: expected whole numbers "
            f"of tokens, 1 to {_MOST_TOKENS:,}, for example --lengths=32,128"
        )
    return tuple(parsed)


def _transformer(backbone: "keras.Model") -> list[Any]:
    """Return the transformer layers, each once (ALBERT nests them)."""
    layers: list[Any] = []
    for layer in getattr(backbone, "transformer_layers", ()):
        layers.extend(layer if isinstance(layer, (list, tuple)) else [layer])
    return layers


def _bytes(backbone: "keras.Model", precision: str) -> int:
    def width(weight: "keras.Variable") -> int:
        if precision == "int8":
            # The biases of Keras' attention have two axes: heads, features.
            vector = len(weight.shape) < 2 or weight.name == "bias"
            return 4 if vector else 1
        return {"float32": 4, "float16": 2}[precision]

    return sum(math.prod(w.shape) * width(w) for w in backbone.weights)


def _check_lengths(backbone: "keras.Model", lengths: Sequence[int]) -> None:
    most = getattr(backbone, "max_sequence_length", None)
    for length in lengths:
        if length < 1 or (most is not None and length > most):
            raise UserError(
                f"length {length} is out of range: {type(backbone).__name__} "
                f"has positions for 1 to {most or 'any number of'} tokens"
            )
