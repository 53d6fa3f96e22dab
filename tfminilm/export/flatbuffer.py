"""LiteRT files as Python objects, and back."""

import os
import pathlib
from typing import Any

import numpy as np


def read(model: bytes | str | os.PathLike) -> Any:
    """The objects of a file, given as its content or its path."""
    from ai_edge_litert.tools import flatbuffer_utils

    if not isinstance(model, bytes):
        model = pathlib.Path(model).read_bytes()
    found = flatbuffer_utils.read_model_from_bytearray(bytearray(model))
    for buffer in found.buffers:
        # Written back, an array is copied whole, and a bytearray byte by byte.
        if isinstance(buffer.data, bytearray):
            buffer.data = np.frombuffer(buffer.data, np.uint8)
    return found


def write(model: Any) -> bytes:
    """The content of a file that holds these objects."""
    from ai_edge_litert.tools import flatbuffer_utils

    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def share_scales(model: bytes) -> bytes:
    """The same file, in which equal scales are written once.

    Signatures share the weights of a layer, but each brings the scales of its
    own tensor, a table's one a row: 12 bytes a word and signature.
    """
    found = read(model)
    known: dict[Any, _Shared] = {}
    for graph in found.subgraphs:
        for tensor in graph.tensors:
            scales = tensor.quantization
            if scales is None or scales.scale is None:
                continue
            key = (
                np.asarray(scales.scale).tobytes(),
                np.asarray(scales.zeroPoint).tobytes(),
                scales.quantizedDimension,
            )
            tensor.quantization = known.setdefault(key, _Shared(scales))
    return write(found)


class _Shared:
    """An object that a file holds once, wherever it is referred to."""

    def __init__(self, content: Any):
        self._content = content
        self._places: dict[int, int] = {}

    def Pack(self, builder: Any) -> int:
        """Writes the object, the first time; returns its place."""
        if id(builder) not in self._places:
            self._places[id(builder)] = self._content.Pack(builder)
        return self._places[id(builder)]


def signatures(model: Any) -> dict[str, int]:
    """Names of a file's signatures, and the graphs they stand for."""
    return {
        signature.signatureKey.decode(): signature.subgraphIndex
        for signature in model.signatureDefs or []
    }


def operator_name(model: Any, operator: Any) -> str:
    """The name of an operator's kind, such as FULLY_CONNECTED."""
    from ai_edge_litert.tools import flatbuffer_utils

    return flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex) or "?"


def is_constant(model: Any, tensor: Any) -> bool:
    """Whether a tensor's values are in the file."""
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0
