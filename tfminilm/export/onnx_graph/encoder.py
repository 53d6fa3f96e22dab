"""Write post-norm encoders in the patterns that onnxruntime fuses.

They are those of PyTorch's exporter: products with a bias of their own, a
score divided by the root of the head's width, GELU by its error function.
"""

import numpy as np

from tfminilm.export.graph import weights
from tfminilm.export.onnx_graph.graph import Graph

IDS, MASK, SEGMENTS = "input_ids", "attention_mask", "token_type_ids"
# Added to the scores of padded keys: exp() of it is 0.
HIDDEN = -1e9
_OPERATORS = {
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "softmax": "Softmax",
    "tanh": "Tanh",
}


def encode(graph: Graph, encoder: weights.Encoder) -> list[str]:
    """Add an encoder that reads `IDS`, `MASK` and, if it has, `SEGMENTS`.

    Returns:
        The names of the states `[batch, length, hidden_dim]`: the embeddings,
        and what each layer writes.
    """
    x = _embed(graph, encoder)
    states = [x]
    mask = _mask(graph, encoder.position_bias)
    for index, layer in enumerate(encoder.layers):
        num_heads = encoder.num_heads
        if encoder.position_bias is None:
            layer, num_heads = weights.without_silent_heads(layer, num_heads)
        with graph.scope(f"layer_{index}"):
            x = _layer(graph, layer, num_heads, x, mask)
        states.append(x)
    return states


def dense(graph: Graph, layer: weights.Dense, x: str, name: str) -> str:
    """Add x W + b."""
    with graph.scope(name):
        product = graph.add("MatMul", x, graph.constant(layer.kernel, "kernel"))
        return graph.add("Add", product, graph.constant(layer.bias, "bias"))


def normalise(graph: Graph, norm: weights.Norm, x: str, name: str) -> str:
    """Add a layer normalisation."""
    with graph.scope(name):
        scale = graph.constant(norm.scale, "scale")
        shift = graph.constant(norm.shift, "shift")
        normed = graph.add(
            "LayerNormalization", x, scale, shift, axis=-1, epsilon=norm.epsilon
        )
    return normed


def activate(graph: Graph, name: str, x: str) -> str:
    """Add an activation, by the names of Keras or `weights.ACTIVATIONS`.

    Raises:
        KeyError: it is another.
    """
    if name == "linear":
        return x
    if name == "gelu":
        return _gelu(graph, x)
    if name == "gelu_approximate":
        return _gelu_approximate(graph, x)
    return graph.add(_OPERATORS[name], x)


def _gelu(graph: Graph, x: str) -> str:
    """Add x / 2 * (1 + erf(x / sqrt(2)))."""
    share = graph.add("Erf", graph.add("Div", x, graph.number(2**0.5)))
    share = graph.add("Add", share, graph.number(1))
    return graph.add("Mul", graph.add("Mul", x, share), graph.number(0.5))


def _gelu_approximate(graph: Graph, x: str) -> str:
    """Add x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x ** 3)))."""
    cube = graph.add("Pow", x, graph.number(3))
    inner = graph.add("Mul", cube, graph.number(0.044715))
    inner = graph.add("Add", x, inner)
    inner = graph.add("Mul", inner, graph.number((2 / np.pi) ** 0.5))
    share = graph.add("Add", graph.add("Tanh", inner), graph.number(1))
    return graph.add("Mul", graph.add("Mul", x, graph.number(0.5)), share)


def _embed(graph: Graph, encoder: weights.Encoder) -> str:
    with graph.scope("embeddings"):
        tokens = graph.constant(encoder.tokens, "tokens")
        x = graph.add("Gather", tokens, IDS)
        shape = graph.add("Shape", IDS)
        between = graph.integers(1), graph.integers(2)
        length = graph.add("Slice", shape, *between)
        rows = graph.add(
            "Slice",
            graph.constant(encoder.positions, "positions"),
            graph.integers(0),
            length,
        )
        if encoder.segments is not None:
            segments = graph.constant(encoder.segments, "segments")
            x = graph.add("Add", x, graph.add("Gather", segments, SEGMENTS))
        x = graph.says_shape(graph.add("Add", x, rows), encoder.width)
        x = normalise(graph, encoder.embeddings_norm, x, "norm")
        if encoder.projection is None:
            return x
        return dense(graph, encoder.projection, x, "projection")


def _mask(graph: Graph, position_bias: np.ndarray | None) -> str:
    """Add `[batch, 1 or heads, 1 or length, length]`, to be added to scores."""
    with graph.scope("mask"):
        mask = graph.add("Unsqueeze", MASK, graph.integers(1))
        mask = graph.add("Unsqueeze", mask, graph.integers(2))
        mask = graph.add("Cast", mask, to=1)
        mask = graph.add("Sub", graph.number(1), mask)
        mask = graph.add("Mul", mask, graph.number(HIDDEN))
        if position_bias is None:
            return mask
        # Of [2 * longest - 1, heads], the rows of all distances.
        table = graph.constant(position_bias.T, "position_bias")
        shape = graph.add("Shape", MASK)
        length = graph.add("Gather", shape, graph.index(1))
        places = graph.add("Range", graph.index(0), length, graph.index(1))
        keys = graph.add("Unsqueeze", places, graph.integers(0))
        queries = graph.add("Unsqueeze", places, graph.integers(1))
        distances = graph.add("Sub", keys, queries)
        here = graph.index(position_bias.shape[1] // 2)
        rows = graph.add("Add", distances, here)
        bias = graph.add("Gather", table, rows)
        bias = graph.add("Transpose", bias, perm=[2, 0, 1])
        return graph.add("Add", bias, mask)


def _layer(
    graph: Graph, layer: weights.EncoderLayer, num_heads: int, x: str, mask: str
) -> str:
    mixed = _attend(graph, layer, num_heads, x, mask)
    written = dense(graph, layer.output, mixed, "attention_output")
    total = graph.add("Add", written, x)
    x = normalise(graph, layer.attention_norm, total, "attention_norm")
    inner = dense(graph, layer.intermediate, x, "intermediate")
    inner = activate(graph, layer.activation, inner)
    written = dense(graph, layer.feedforward, inner, "feedforward")
    total = graph.add("Add", written, x)
    return normalise(graph, layer.feedforward_norm, total, "feedforward_norm")


def _attend(
    graph: Graph, layer: weights.EncoderLayer, num_heads: int, x: str, mask: str
) -> str:
    """Add attention; return the heads' results side by side."""
    units = layer.query.kernel.shape[1]
    size = units // num_heads
    apart = graph.integers(0, 0, num_heads, size)

    def heads(projection: weights.Dense, name: str, order: list[int]) -> str:
        values = dense(graph, projection, x, name)
        values = graph.add("Reshape", values, apart)
        return graph.add("Transpose", values, perm=order)

    queries = heads(layer.query, "query", [0, 2, 1, 3])
    keys = heads(layer.key, "key", [0, 2, 3, 1])
    values = heads(layer.value, "value", [0, 2, 1, 3])
    scores = graph.add("MatMul", queries, keys)
    scores = graph.add("Div", scores, graph.number(size**0.5))
    scores = graph.add("Add", scores, mask)
    mixed = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), values)
    mixed = graph.add("Transpose", mixed, perm=[0, 2, 1, 3])
    return graph.add("Reshape", mixed, graph.integers(0, 0, units))
