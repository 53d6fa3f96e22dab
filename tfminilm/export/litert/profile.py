"""Measure a LiteRT file: its operators, their time, and its memory.

The Python runtime has no profiler. The number of delegate partitions is read
from the interpreter's own list of nodes; an operator's time is measured by
cutting the operator out into a file of its own, with the same weights and
shapes, so that small ones carry the cost of a call (some microseconds). A
DEQUANTIZE that widens a constant runs once, when the file is opened, or first
run: it stays with the operator that reads it, and has no time of its own.
"""

import collections
import copy
import dataclasses
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfminilm.errors import UserError
from tfminilm.export.litert import flatbuffer
from tfminilm.export.litert.runner import open_interpreter
from tfminilm.private.runtimes import operator_names

PRODUCTS = ("FULLY_CONNECTED", "BATCH_MATMUL")


@dataclasses.dataclass(frozen=True)
class OperatorTime:
    """All uses of one operator in a signature, in milliseconds a run."""

    operator: str
    count: int
    milliseconds: float


def operators(
    model: bytes | str | os.PathLike,
) -> dict[str, collections.Counter[str]]:
    """Count how often each signature of a file uses each operator."""
    read = flatbuffer.read(model)
    return {
        name: collections.Counter(
            flatbuffer.operator_name(read, operator)
            for operator in read.subgraphs[index].operators
        )
        for name, index in flatbuffer.signatures(read).items()
    }


def custom_operators(model: bytes | str | os.PathLike) -> list[str]:
    """List the operators that the plain LiteRT runtime does not carry.

    TensorFlow's own ("Flex") operators are among them.
    """
    codes = flatbuffer.read(model).operatorCodes
    return sorted(code.customCode.decode() for code in codes if code.customCode)


def partitions(path: str | os.PathLike) -> dict[str, int]:
    """Count the delegate partitions that XNNPACK takes of each signature.

    Raises:
        UserError: no LiteRT file.
    """
    open_interpreter(path)
    read = flatbuffer.read(path)
    counts = {}
    for name, index in flatbuffer.signatures(read).items():
        # The interpreter lists the nodes of its first graph only.
        interpreter = _interpreter(_with_graph(read, read.subgraphs[index]))
        counts[name] = operator_names(interpreter).count("DELEGATE")
    return counts


def operator_times(
    path: str | os.PathLike,
    signature: str,
    num_threads: int = 1,
    repeats: int = 30,
) -> list[OperatorTime]:
    """Time every operator of a signature alone, the costliest kind first.

    Raises:
        UserError: no LiteRT file, or it has no such signature.
    """
    open_interpreter(path)
    read = flatbuffer.read(path)
    signatures = flatbuffer.signatures(read)
    if signature not in signatures:
        raise UserError(
            f"{path} has no signature {signature!r}, expected one of "
            f"{', '.join(signatures)}"
        )
    graph = read.subgraphs[signatures[signature]]
    widened = _widened(read, graph)
    same = collections.defaultdict(list)
    for operator in graph.operators:
        if operator.outputs[0] not in widened:
            same[_kind(read, graph, operator, widened)].append(operator)
    count: collections.Counter[str] = collections.Counter()
    total: dict[str, float] = collections.defaultdict(float)
    for alike in same.values():
        name = flatbuffer.operator_name(read, alike[0])
        piece = _cut_out(read, graph, alike[0], widened)
        taken = _time_alone(piece, num_threads, repeats)
        count[name] += len(alike)
        total[name] += taken * len(alike)
    return [
        OperatorTime(name, count[name], total[name])
        for name in sorted(total, key=total.__getitem__, reverse=True)
    ]


def outside_products(times: Sequence[OperatorTime]) -> float:
    """Return the share of all time outside of matrix products."""
    total = sum(row.milliseconds for row in times)
    rest = (row.milliseconds for row in times if row.operator not in PRODUCTS)
    return sum(rest) / total


def peak_memory(path: str | os.PathLike, num_threads: int = 1) -> int | None:
    """Measure the bytes that a process needs more to open and run a file.

    Every signature runs once. Pages of the file that were read count, as
    they do on a phone. None where the system does not tell (not Linux).
    """
    open_interpreter(path)
    done = subprocess.run(
        [sys.executable, "-m", __spec__.name, str(path), str(num_threads)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise UserError(
            f"{path} is damaged: the process that ran it ended with "
            f"{done.returncode}; export the model again"
        )
    return int(done.stdout.split()[-1]) or None


def _widened(
    read: flatbuffer.Model, graph: flatbuffer.Graph
) -> dict[int, flatbuffer.Operator]:
    """Return the operators that widen a constant, by their outputs."""
    return {
        operator.outputs[0]: operator
        for operator in graph.operators
        if flatbuffer.operator_name(read, operator) == "DEQUANTIZE"
        and flatbuffer.is_constant(read, graph.tensors[operator.inputs[0]])
    }


def _kind(
    read: flatbuffer.Model,
    graph: flatbuffer.Graph,
    operator: flatbuffer.Operator,
    widened: Mapping[int, flatbuffer.Operator],
) -> tuple:
    """Return a key: operators of equal keys do the same work."""
    inputs = [index for index in operator.inputs if index >= 0]
    tensors = [graph.tensors[index] for index in inputs]
    shapes = [(tuple(np.ravel(t.shape)), t.type) for t in tensors]
    constant = [
        index in widened or flatbuffer.is_constant(read, tensor)
        for index, tensor in zip(inputs, tensors, strict=True)
    ]
    options = operator.builtinOptions
    chosen = tuple(sorted(map(str, vars(options).items()))) if options else ()
    return operator.opcodeIndex, tuple(shapes), tuple(constant), chosen


def _with_graph(
    read: flatbuffer.Model, graph: flatbuffer.Graph
) -> flatbuffer.Model:
    """Return the model with one graph and no signatures."""
    alone = copy.copy(read)
    alone.subgraphs = [graph]
    alone.signatureDefs = []
    alone.metadata = []
    return alone


def _cut_out(
    read: flatbuffer.Model,
    graph: flatbuffer.Graph,
    operator: flatbuffer.Operator,
    widened: Mapping[int, flatbuffer.Operator],
) -> flatbuffer.Model:
    """Return a model of one operator; its other inputs become the model's.

    What is `widened` is no input: its operator is cut out as well.
    """
    piece = copy.copy(graph)
    alone = _with_graph(read, piece)
    inputs = dict.fromkeys(operator.inputs)
    taken = [widened[index] for index in inputs if index in widened]
    taken.append(operator)
    used = [index for one in taken for index in (*one.inputs, *one.outputs)]
    tensors_used = [index for index in dict.fromkeys(used) if index >= 0]
    place = {index: i for i, index in enumerate(tensors_used)}
    piece.tensors = [copy.copy(graph.tensors[index]) for index in tensors_used]
    alone.buffers = [copy.copy(read.buffers[0])]
    for tensor in piece.tensors:
        alone.buffers.append(read.buffers[tensor.buffer])
        tensor.buffer = len(alone.buffers) - 1
    piece.operators = [_moved(one, place) for one in taken]
    piece.inputs = [
        place[index]
        for index in inputs
        if index >= 0
        and index not in widened
        and not flatbuffer.is_constant(read, graph.tensors[index])
    ]
    piece.outputs = piece.operators[-1].outputs
    return alone


def _moved(
    operator: flatbuffer.Operator, place: Mapping[int, int]
) -> flatbuffer.Operator:
    """Return the operator on tensors in other places; -1 is none."""
    moved = copy.copy(operator)
    moved.inputs = [place.get(index, -1) for index in operator.inputs]
    moved.outputs = [place[index] for index in operator.outputs]
    return moved


def _interpreter(model: flatbuffer.Model, num_threads: int = 1) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    content = flatbuffer.write(model)
    interpreter = Interpreter(model_content=content, num_threads=num_threads)
    interpreter.allocate_tensors()
    return interpreter


def _time_alone(
    model: flatbuffer.Model, num_threads: int, repeats: int
) -> float:
    """Return the median milliseconds of a model of one operator.

    On one thread it is the processor's time: other programs would lengthen
    long operators and leave short ones, so that the shares were wrong.
    """
    clock = time.process_time if num_threads == 1 else time.perf_counter
    interpreter = _interpreter(model, num_threads)
    random = np.random.default_rng(0)
    for detail in interpreter.get_input_details():
        # Below 1: as an integer this is index 0, which every table has.
        value = random.random(detail["shape"]).astype(detail["dtype"])
        interpreter.set_tensor(detail["index"], value)
    times = []
    for _ in range(repeats + 2):
        begin = clock()
        interpreter.invoke()
        times.append(1e3 * (clock() - begin))
    return float(np.median(times[2:]))


def _memory(field: str) -> int:
    """Return a field of this process' status in bytes; 0 if unknown."""
    try:
        status = pathlib.Path("/proc/self/status").read_text()
    except OSError:
        return 0
    line = next(line for line in status.splitlines() if field in line)
    return int(line.split()[1]) * 1024


def _print_peak_memory(path: str, num_threads: str) -> None:
    import ai_edge_litert.interpreter  # noqa: F401  (not the file's doing)

    before = _memory("VmRSS")
    interpreter = open_interpreter(path, int(num_threads))
    for name in interpreter.get_signature_list():
        runner = interpreter.get_signature_runner(name)
        runner(
            **{
                key: np.ones(detail["shape"], detail["dtype"])
                for key, detail in runner.get_input_details().items()
            }
        )
    print(max(_memory("VmHWM") - before, 0))


if __name__ == "__main__":
    _print_peak_memory(*sys.argv[1:])
