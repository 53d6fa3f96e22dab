"""Write ONNX, for onnxruntime on a server: any batch, any length."""

import contextlib
import pathlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np

from tfminilm import files
from tfminilm.errors import UserError, in_one_line
from tfminilm.export import ids
from tfminilm.export.server.serving import ServingGraph
from tfminilm.quiet import quiet

if TYPE_CHECKING:
    import onnx
    import onnxruntime
    import tf2onnx

FILE = "model.onnx"
OPSET = 17


def write(model: keras.Model, folder: pathlib.Path) -> None:
    """Write `model.onnx`: inputs and outputs as `ServingGraph` has them."""
    files.write_bytes(folder / FILE, traced(model).SerializeToString())


def traced(model: keras.Model) -> "onnx.ModelProto":
    """Return what tf2onnx makes of a model's `ServingGraph`."""
    import tf2onnx

    function = ServingGraph(model).by_position()
    with quiet():
        proto, _ = tf2onnx.convert.from_function(
            function,
            function.input_signature,
            opset=OPSET,
            custom_op_handlers={"Erfc": (_write_erfc, [])},
        )
    for value in (*proto.graph.input, *proto.graph.output):
        _name_dimensions(value.type.tensor_type.shape.dim)
    return proto


class Runner:
    """Runs the file in onnxruntime, on the processor.

    Raises:
        UserError: tf2onnx wrote what onnxruntime cannot read.
    """

    def __init__(self, folder: pathlib.Path):
        self._session = open_session(folder / FILE)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return outputs for int32 `[batch, length]` inputs, all by name.

        Raises:
            UserError: an id has no row in the model's tables, or tf2onnx
                wrote what onnxruntime cannot run.
        """
        ids.require(batch)
        names = [value.name for value in self._session.get_inputs()]
        return run_session(self._session, {name: batch[name] for name in names})


def open_session(path: pathlib.Path) -> "onnxruntime.InferenceSession":
    """Open a file in onnxruntime, on the processor.

    Raises:
        UserError: onnxruntime cannot read it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # Errors are raised.
    with _explained():
        return onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )


def run_session(
    session: "onnxruntime.InferenceSession", inputs: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return all outputs by name.

    Raises:
        UserError: onnxruntime cannot run the file.
    """
    outputs = [value.name for value in session.get_outputs()]
    most = max(int(value.max()) for value in inputs.values())
    with _explained(f" on token ids up to {most}"):
        values = session.run(outputs, inputs)
    return dict(zip(outputs, values, strict=True))


@contextlib.contextmanager
def _explained(where: str = "") -> Iterator[None]:
    """Turn any error of onnxruntime into a `UserError`."""
    try:
        yield
    except Exception as error:  # It raises kinds of its own.
        # It happens where all biases are 0: tf2onnx then merges reshapes that
        # do not belong together.
        raise UserError(
            f"onnxruntime cannot run this model as tf2onnx writes it{where}: "
            f"{in_one_line(error)}; a student that was never trained is "
            "such a one"
        ) from error


def _write_erfc(
    graph: "tf2onnx.graph.Graph",
    node: "tf2onnx.graph.Node",
    name: str,
    _: object,
) -> None:
    """Write 1 - erf(x), a part of the exact GELU: ONNX has no erfc."""
    one = graph.make_const(f"{name}/one", np.array(1, np.float32))
    erf = graph.make_node("Erf", list(node.input))
    node.type = "Sub"
    graph.replace_inputs(node, [one.output[0], erf.output[0]])


def _name_dimensions(
    dimensions: "Sequence[onnx.TensorShapeProto.Dimension]",
) -> None:
    """Name the sizes that the file leaves open."""
    for dimension, name in zip(dimensions, ("batch", "length"), strict=False):
        if not dimension.dim_value:
            dimension.dim_param = name
