"""ONNX, for onnxruntime on a server: any batch, any length."""

import pathlib
from typing import Any

import keras
import numpy as np

from tfminilm import files
from tfminilm.export.quiet import quiet
from tfminilm.export.serving import ServingGraph

FILE = "model.onnx"
OPSET = 17


def write(model: keras.Model, folder: pathlib.Path) -> None:
    """Writes `model.onnx`: inputs and outputs as `ServingGraph` has them."""
    import tf2onnx

    function = ServingGraph(model).function
    with quiet():
        proto, _ = tf2onnx.convert.from_function(
            function, function.input_signature, opset=OPSET
        )
    for value in (*proto.graph.input, *proto.graph.output):
        _name_dimensions(value.type.tensor_type.shape.dim)
    files.write_bytes(folder / FILE, proto.SerializeToString())


class Runner:
    """Runs the file in onnxruntime, on the processor."""

    def __init__(self, folder: pathlib.Path):
        import onnxruntime

        self._session = onnxruntime.InferenceSession(
            str(folder / FILE), providers=["CPUExecutionProvider"]
        )

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name, for int32 `[batch, length]` inputs by name."""
        names = [value.name for value in self._session.get_inputs()]
        outputs = [value.name for value in self._session.get_outputs()]
        given = {name: batch[name] for name in names}
        return dict(
            zip(outputs, self._session.run(outputs, given), strict=True)
        )


def _name_dimensions(dimensions: Any) -> None:
    """Says what the sizes are that the file leaves open."""
    for dimension, name in zip(dimensions, ("batch", "length"), strict=False):
        if not dimension.dim_value:
            dimension.dim_param = name
