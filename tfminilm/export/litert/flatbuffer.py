"""LiteRT files as Python objects, and back."""

import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tfminilm.errors import UserError

if TYPE_CHECKING:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

# The objects of a file, by the classes that the schema's compiler made.
Model: TypeAlias = "schema.ModelT"
Graph: TypeAlias = "schema.SubGraphT"
Operator: TypeAlias = "schema.OperatorT"
Tensor: TypeAlias = "schema.TensorT"


def read(model: bytes | str | os.PathLike) -> Model:
    """Return the objects of a file, given as its content or its path.

    Raises:
        UserError: it is damaged.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    if not isinstance(model, bytes):
        model = pathlib.Path(model).read_bytes()
    try:
        objects = flatbuffer_utils.read_model_from_bytearray(bytearray(model))
    except Exception as error:  # Any kind: offsets may lead anywhere.
        raise UserError(
            "a LiteRT file is damaged: its parts cannot be read; export the "
            "model again"
        ) from error
    for buffer in objects.buffers:
        # Written back, an array is copied whole, and a bytearray byte by byte.
        if isinstance(buffer.data, bytearray):
            buffer.data = np.frombuffer(buffer.data, np.uint8)
    return objects


def write(model: Model) -> bytes:
    """Return the content of a file that holds these objects."""
    from ai_edge_litert.tools import flatbuffer_utils

    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def share_scales(model: Model) -> None:
    """Let a file hold equal scales once.

    Signatures share the weights of a layer, but each brings the scales of its
    own tensor: 12 bytes an output and signature.
    """
    shared: dict[tuple, _Shared] = {}
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            scales = tensor.quantization
            if scales is None or scales.scale is None:
                continue
            key = (
                np.asarray(scales.scale).tobytes(),
                np.asarray(scales.zeroPoint).tobytes(),
                scales.quantizedDimension,
            )
            tensor.quantization = shared.setdefault(key, _Shared(scales))


class _Shared:
    """An object that a file holds once, wherever it is referred to."""

    def __init__(self, content: "schema.QuantizationParametersT"):
        self._content = content
        self._places: dict[int, int] = {}

    def Pack(self, builder: "flatbuffers.Builder") -> int:
        """Write the object, the first time; returns its place."""
        if id(builder) not in self._places:
            self._places[id(builder)] = self._content.Pack(builder)
        return self._places[id(builder)]


def signatures(model: Model) -> dict[str, int]:
    """Return the index of the graph of each signature, by name."""
    return {
        signature.signatureKey.decode(): signature.subgraphIndex
        for signature in model.signatureDefs or []
    }


def operator_name(model: Model, operator: Operator) -> str:
    """Return the name of an operator's kind, such as FULLY_CONNECTED."""
    from ai_edge_litert.tools import flatbuffer_utils

    return flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex) or "?"


def is_constant(model: Model, tensor: Tensor) -> bool:
    """Tell whether a tensor's values are in the file."""
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


class Editor:
    """Add tensors and operators to one graph of a file.

    Attributes:
        read: the file's objects.
        graph: one of its graphs.
        added: the new operators, which are not in the graph's list yet.
    """

    def __init__(self, read: Model, graph: Graph):
        self.read = read
        self.graph = graph
        self.added: list[Operator] = []

    def tensor(
        self, name: bytes, shape: Sequence[int], kind: int, buffer: int = 0
    ) -> int:
        """Add a tensor, with the values of a buffer; returns its place."""
        from ai_edge_litert import schema_py_generated as schema

        tensor = schema.TensorT()
        tensor.name, tensor.type, tensor.buffer = name, kind, buffer
        tensor.shape = list(shape)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def constant(self, name: bytes, value: float) -> int:
        """Add a number, float32 `[1]`; returns its place."""
        buffer = add_buffer(self.read, np.array([value], np.float32))
        return self.tensor(name, [1], 0, buffer)

    def operator(
        self,
        kind: str,
        inputs: Sequence[int],
        output: int,
        version: int = 1,
        **options: int,
    ) -> int:
        """Add an operator, such as GATHER; returns the place it writes.

        Args:
            kind: its name in the schema.
            inputs: the places of tensors that it reads.
            output: that of the one that it writes.
            version: of the operator.
            **options: by their names in the schema.
        """
        from ai_edge_litert import schema_py_generated as schema

        operator = schema.OperatorT()
        operator.opcodeIndex = _code(self.read, kind, version)
        operator.inputs, operator.outputs = list(inputs), [output]
        name = f"{kind.title()}Options"
        if hasattr(schema, f"{name}T"):
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, name)
            operator.builtinOptions = getattr(schema, f"{name}T")()
            for option, value in options.items():
                setattr(operator.builtinOptions, option, value)
        self.added.append(operator)
        return output


def add_buffer(model: Model, values: np.ndarray) -> int:
    """Add values to a file; returns their buffer's place."""
    from ai_edge_litert import schema_py_generated as schema

    buffer = schema.BufferT()
    buffer.data = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def _code(model: Model, kind: str, version: int) -> int:
    """Return the place of an operator's kind and version; add it if new."""
    from ai_edge_litert import schema_py_generated as schema

    number = getattr(schema.BuiltinOperator, kind)
    for place, code in enumerate(model.operatorCodes):
        if (code.builtinCode, code.version) == (number, version):
            return place
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = number
    code.version = version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
