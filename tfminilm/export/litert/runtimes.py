"""Find the oldest runtimes that compute a file rightly.

It is the products of float32 with integers that older ones get wrong, some in
silence. `tests/runtimes` runs files of every precision on all runtimes.
"""

import dataclasses
import os
from collections.abc import Iterator, Mapping

import numpy as np

from tfminilm.export.litert import flatbuffer

TFLITE = "tensorflow-lite"
LITERT = "ai-edge-litert"


@dataclasses.dataclass(frozen=True, order=True)
class _Needs:
    """Describes what an operator asks of a runtime.

    Attributes:
        version: of FULLY_CONNECTED; a runtime that does not know it refuses
            the file.
        core: the version of TensorFlow whose TensorFlow Lite is right, for
            the file's own `min_runtime_version`.
        tflite: the oldest `tensorflow-lite` for Android that is; None if the
            last one on Maven Central, 2.16.1, is not.
        litert: the oldest `ai-edge-litert`.
    """

    version: int
    core: str
    tflite: str | None
    litert: str


_FLOAT = _Needs(1, "2.14.0", "2.14.0", "1.0.1")
# 2.14 knows versions up to 10, and computes this with scales of 0.
_INT8 = _Needs(11, "2.16.1", "2.16.1", "1.0.1")
# 2.16.1 knows versions up to 11. LiteRT 1.0.1 knows this one and is wrong.
_INT4 = _Needs(13, "2.19.1", None, "1.1.2")


def stamp(model: flatbuffer.Model) -> None:
    """Write into a file what it needs; converter and quantiser do not.

    Products of float32 with integers get a version that runtimes which
    compute them wrongly refuse. They round their inputs between their
    smallest and their largest number, as all newer runtimes do whatever the
    file says; told to round evenly around 0, TensorFlow Lite 2.16.1 loses the
    scales on arm64.

    Args:
        model: the objects of a file, which are changed.
    """
    most = _FLOAT
    for operator, needs in _products(model):
        most = max(most, needs)
        code = model.operatorCodes[operator.opcodeIndex]
        code.version = max(code.version, needs.version)
        operator.builtinOptions.asymmetricQuantizeInputs = needs != _FLOAT
    for entry in model.metadata or []:
        if entry.name == b"min_runtime_version":
            # 16 bytes, as the converter writes it.
            content = most.core.encode().ljust(16, b"\0")
            model.buffers[entry.buffer].data = np.frombuffer(content, np.uint8)


def oldest(model: bytes | str | os.PathLike) -> dict[str, str | None]:
    """Return the oldest right version of each library; None if none is."""
    products = _products(flatbuffer.read(model))
    most = max((needs for _, needs in products), default=_FLOAT)
    return {TFLITE: most.tflite, LITERT: most.litert}


def needed(runtimes: Mapping[str, str | None]) -> str:
    """Put versions in words: "ai-edge-litert 1.1.2 or newer"."""
    return " or ".join(
        f"{library} {version} or newer"
        for library, version in runtimes.items()
        if version is not None
    )


def _products(
    model: flatbuffer.Model,
) -> Iterator[tuple[flatbuffer.Operator, _Needs]]:
    """Yield the dense layers of all signatures, and what each needs."""
    from ai_edge_litert import schema_py_generated as schema

    types = schema.TensorType
    integers = {types.INT8: _INT8, types.INT4: _INT4}
    for graph in model.subgraphs:
        for operator in graph.operators:
            if flatbuffer.operator_name(model, operator) != "FULLY_CONNECTED":
                continue
            x, matrix = (graph.tensors[i].type for i in operator.inputs[:2])
            is_float = x == types.FLOAT32
            yield operator, integers.get(matrix, _FLOAT) if is_float else _FLOAT
