"""ONNX, for onnxruntime on a server: any batch, any length."""

import pathlib
from typing import Any

import keras
import numpy as np

from tfminilm import files
from tfminilm.errors import UserError
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

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # Errors are raised.
        self._session = onnxruntime.InferenceSession(
            str(folder / FILE), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name, for int32 `[batch, length]` inputs by name.

        Raises:
            UserError: tf2onnx wrote what onnxruntime cannot run.
        """
        names = [value.name for value in self._session.get_inputs()]
        outputs = [value.name for value in self._session.get_outputs()]
        given = {name: batch[name] for name in names}
        try:
            found = self._session.run(outputs, given)
        except Exception as error:  # It raises kinds of its own.
            # So it is where biases are all 0: tf2onnx then joins reshapes
            # that do not belong together.
            reason = " ".join(str(error).split())[:200]
            raise UserError(
                f"onnxruntime cannot run this model as tf2onnx writes it: "
                f"{reason}; a student that was never trained is such a one"
            ) from error
        return dict(zip(outputs, found, strict=True))


def _name_dimensions(dimensions: Any) -> None:
    """Says what the sizes are that the file leaves open."""
    for dimension, name in zip(dimensions, ("batch", "length"), strict=False):
        if not dimension.dim_value:
            dimension.dim_param = name
