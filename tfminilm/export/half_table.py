"""The table of tokens in a float16 file: rows are looked up, then widened.

The converter widens the whole table first: it then lies in memory in float32,
once a signature, and the graph falls into two partitions. EMBEDDING_LOOKUP
takes no float16 in LiteRT 1, but GATHER does since 1.3. What widens the rows
is CAST, as a delegate that takes DEQUANTIZE expects a constant in float16.
"""

import copy
from collections.abc import Mapping
from typing import Any

from tfminilm.export import flatbuffer


def widen_rows_alone(model: bytes) -> bytes:
    """The same float16 file, whose table is read by GATHER and CAST."""
    from ai_edge_litert import schema_py_generated as schema

    read = flatbuffer.read(model)
    kinds = schema.BuiltinOperator
    gather, cast = (_add(read, kind) for kind in (kinds.GATHER, kinds.CAST))
    for graph in read.subgraphs:
        for lookup in list(graph.operators):
            if flatbuffer.operator_name(read, lookup) == "EMBEDDING_LOOKUP":
                _turn_round(graph, lookup, gather, cast)
    return flatbuffer.write(read)


def _turn_round(graph: Any, lookup: Any, gather: int, cast: int) -> None:
    """Makes a lookup in the widened table one whose rows are widened."""
    from ai_edge_litert import schema_py_generated as schema

    writers = {operator.outputs[0]: operator for operator in graph.operators}
    ids, table = lookup.inputs
    rows = copy.copy(graph.tensors[lookup.outputs[0]])
    rows.name = b"half/" + rows.name
    rows.type = schema.TensorType.FLOAT16
    graph.tensors.append(rows)
    between = [len(graph.tensors) - 1]
    widen = schema.OperatorT()
    widen.opcodeIndex = cast
    widen.inputs, widen.outputs = between, lookup.outputs
    widen.builtinOptionsType = schema.BuiltinOptions.CastOptions
    widen.builtinOptions = schema.CastOptionsT()
    widen.builtinOptions.inDataType = schema.TensorType.FLOAT16
    widen.builtinOptions.outDataType = schema.TensorType.FLOAT32
    lookup.opcodeIndex = gather
    lookup.inputs, lookup.outputs = [*writers[table].inputs, ids], between
    lookup.builtinOptionsType = schema.BuiltinOptions.GatherOptions
    lookup.builtinOptions = schema.GatherOptionsT()
    if not any(table in operator.inputs for operator in graph.operators):
        graph.operators.remove(writers.pop(table))
    graph.operators.insert(graph.operators.index(lookup) + 1, widen)
    # No delegate takes them: first, so that all that follows is one partition.
    needed = [widen, *_upstream(writers, lookup)]
    graph.operators.sort(key=lambda operator: operator not in needed)


def _upstream(writers: Mapping[int, Any], operator: Any) -> list[Any]:
    """An operator and all that it waits for."""
    found = [operator]
    for waiting in found:
        found += [writers[i] for i in waiting.inputs if i in writers]
    return found


def _add(read: Any, kind: int) -> int:
    """Adds a kind of operator to a file; returns its place."""
    from ai_edge_litert import schema_py_generated as schema

    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = kind
    code.version = 1
    read.operatorCodes.append(code)
    return len(read.operatorCodes) - 1
