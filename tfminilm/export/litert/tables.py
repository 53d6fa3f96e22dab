"""Write the table of tokens as integers, with a factor for each row.

EMBEDDING_LOOKUP has kernels for integers too, but TensorFlow Lite 2.16 and
older take one scale for the whole table. Where each row has its own they read
0, so that all texts get the same answer. They do not support 4 bits and float16
either. Every runtime is right about a GATHER of integers, a CAST of these rows,
and a product with their factors. A float16 file's table gets integers of 16
bits, which are as large and as exact: GATHER takes float16 only since LiteRT
1.3. Two numbers of 4 bits share a byte; float arithmetic splits them.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfminilm.export.litert import flatbuffer

# Versions that take integers of 16 bits.
_GATHER = 4
_CAST = 2
# Of 16 bits, and as far below 0.
_LARGEST = 32767


def by_factors(model: flatbuffer.Model) -> None:
    """Give every table that is not float32 a factor for each row.

    Args:
        model: the objects of a file, which are changed. Its tables of tokens
            are float32, integers with a scale per row, or float16 that are
            widened as a whole.
    """
    tables: dict[int, _Table] = {}
    for graph in model.subgraphs:
        for operator in list(graph.operators):
            if flatbuffer.operator_name(model, operator) == "EMBEDDING_LOOKUP":
                _replace(flatbuffer.Editor(model, graph), operator, tables)


@dataclasses.dataclass(frozen=True)
class _Table:
    """Describes how a table lies in the file, for all signatures.

    Attributes:
        shape: `[words, width]`, or half the width where a byte holds two
            numbers.
        kind: the type of its integers, in the schema's numbers.
        factors: the buffer of `[words, 1]` floats.
    """

    shape: tuple[int, int]
    kind: int
    factors: int


def _replace(
    edit: flatbuffer.Editor,
    lookup: flatbuffer.Operator,
    tables: dict[int, _Table],
) -> None:
    """Read the rows of one lookup by GATHER, CAST and MUL."""
    graph = edit.graph
    writers = {operator.outputs[0]: operator for operator in graph.operators}
    ids, widened = lookup.inputs
    widening = writers.get(widened)
    rows = widening.inputs[0] if widening else widened
    tensor = graph.tensors[rows]
    if tensor.type == _types().FLOAT32:
        return
    if tensor.buffer not in tables:
        tables[tensor.buffer] = _table(edit.read, tensor)
    table = tables[tensor.buffer]
    tensor.type, tensor.shape = table.kind, list(table.shape)
    tensor.quantization = None
    length, width = (int(x) for x in graph.tensors[lookup.outputs[0]].shape)
    numbers, factors = _looked_up(edit, table, rows, ids, length)
    # No delegate takes them: first, so that all that follows is one partition.
    first = _upstream(writers, edit.added)
    if table.shape[1] < width:
        numbers = _parted(edit, numbers, (length, width))
    edit.operator("MUL", [numbers, factors], lookup.outputs[0])
    place = graph.operators.index(lookup)
    graph.operators[place : place + 1] = edit.added
    if widening and not any(widened in x.inputs for x in graph.operators):
        graph.operators.remove(widening)
    graph.operators.sort(key=lambda operator: operator not in first)


def _looked_up(
    edit: flatbuffer.Editor, table: _Table, rows: int, ids: int, length: int
) -> tuple[int, int]:
    """Look up the rows of ids as floats, and their factors `[length, 1]`."""
    (words, columns), floats = table.shape, _types().FLOAT32
    gathered = edit.tensor(b"tokens/found", (length, columns), table.kind)
    numbers = edit.tensor(b"tokens/numbers", (length, columns), floats)
    factors = edit.tensor(b"tokens/all", (words, 1), floats, table.factors)
    factor = edit.tensor(b"tokens/factors", (length, 1), floats)
    edit.operator("GATHER", [rows, ids], gathered, _GATHER)
    types = {"inDataType": table.kind, "outDataType": floats}
    edit.operator("CAST", [gathered], numbers, _CAST, **types)
    edit.operator("GATHER", [factors, ids], factor, _GATHER)
    return numbers, factor


def _table(read: flatbuffer.Model, tensor: flatbuffer.Tensor) -> _Table:
    """Turn a tensor's buffer into integers, and add one of factors."""
    buffer, types = read.buffers[tensor.buffer], _types()
    numbers, factors = _numbers(tensor, bytes(buffer.data))
    buffer.data = np.ascontiguousarray(numbers).reshape(-1).view(np.uint8)
    kind = types.INT16 if numbers.itemsize == 2 else types.INT8
    place = flatbuffer.add_buffer(read, factors)
    return _Table((numbers.shape[0], numbers.shape[1]), kind, place)


def _numbers(
    tensor: flatbuffer.Tensor, content: bytes
) -> tuple[np.ndarray, np.ndarray]:
    """Return the integers in the file, and float32 factors, one a row."""
    shape, types = tuple(tensor.shape), _types()
    if tensor.type == types.FLOAT16:
        values = np.frombuffer(content, np.float16).astype(np.float32)
        values = values.reshape(shape)
        largest = np.abs(values).max(1, keepdims=True)
        factors = np.where(largest > 0, largest, 1) / np.float32(_LARGEST)
        return np.round(values / factors).astype(np.int16), factors
    factors = np.asarray(tensor.quantization.scale, np.float32)
    if tensor.type == types.INT8:
        return np.frombuffer(content, np.int8).reshape(shape), factors
    # The first of two neighbours lies in the lower half of a byte.
    pairs = np.frombuffer(content, np.uint8)
    numbers = np.stack([pairs & 15, pairs >> 4], -1).reshape(-1)
    numbers = numbers[: np.prod(shape)].reshape(shape).astype(np.int8)
    numbers -= 16 * (numbers > 7)
    if shape[1] % 2:
        return numbers, factors
    lower, upper = np.split(numbers, 2, axis=1)
    return 16 * upper + (lower + 8), factors


def _parted(edit: flatbuffer.Editor, x: int, shape: tuple[int, int]) -> int:
    """Split the two numbers that a byte holds: 16 upper + (lower + 8).

    Args:
        x: the bytes as floats, `[length, width / 2]`.
        shape: `[length, width]`.
    """
    length, width = shape
    floats = _types().FLOAT32

    def new(name: bytes, width: int = width // 2) -> int:
        return edit.tensor(b"tokens/" + name, (length, width), floats)

    share = edit.constant(b"tokens/share", 1 / 16)
    step = edit.constant(b"tokens/step", 16)
    shift = edit.constant(b"tokens/shift", 8)
    parts = edit.operator("MUL", [x, share], new(b"parts"))
    upper = edit.operator("FLOOR", [parts], new(b"upper"))
    above = edit.operator("MUL", [upper, step], new(b"above"))
    below = edit.operator("SUB", [x, above], new(b"below"))
    lower = edit.operator("SUB", [below, shift], new(b"lower"))
    return edit.operator(
        "CONCATENATION", [lower, upper], new(b"parted", width), axis=1
    )


def _types() -> Any:
    from ai_edge_litert import schema_py_generated as schema

    return schema.TensorType


def _upstream(
    writers: Mapping[int, flatbuffer.Operator],
    operators: list[flatbuffer.Operator],
) -> list[flatbuffer.Operator]:
    """Return operators, and all that they wait for."""
    upstream = list(operators)
    for waiting in upstream:
        upstream += [writers[i] for i in waiting.inputs if i in writers]
    return upstream
