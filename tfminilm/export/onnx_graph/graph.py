"""Collect nodes and constants, and make an ONNX model of them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import onnx

OPSET = 17
# The oldest that has the operators of that version.
_IR_VERSION = 8
PRODUCER = "tfminilm"
# Of inputs and outputs, by how many there are.
DIMENSIONS = ("batch", "length")
# Sizes, and names of those that are open.
Shape: TypeAlias = Sequence[str | int | None]


class Graph:
    """An ONNX graph in the making; values are named by strings."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._scope: list[str] = []
        self._shapes: list[onnx.ValueInfoProto] = []

    def scope(self, name: str) -> "Graph":
        """Put a name in front of those of all nodes, in a `with` block."""
        self._scope.append(name)
        return self

    def __enter__(self) -> "Graph":
        return self

    def __exit__(self, *_: object) -> None:
        self._scope.pop()

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output, and return its name."""
        (output,) = self.add_all(operator, inputs, 1, **attributes)
        return output

    def add_all(
        self,
        operator: str,
        inputs: Sequence[str],
        num_outputs: int,
        **attributes: Any,
    ) -> tuple[str, ...]:
        """Add a node, and return the names of its outputs."""
        from onnx import helper

        name = self._name(f"{operator}_{len(self._nodes)}")
        outputs = tuple(f"{name}:{index}" for index in range(num_outputs))
        self._nodes.append(
            helper.make_node(operator, inputs, outputs, name, **attributes)
        )
        return outputs

    def constant(self, value: Any, name: str, dtype: Any = np.float32) -> str:
        """Add a constant, and return its name."""
        from onnx import numpy_helper

        name = self._name(name)
        array = np.ascontiguousarray(value, dtype).reshape(np.shape(value))
        assert name not in self._constants
        self._constants[name] = numpy_helper.from_array(array, name)
        return name

    def says_shape(self, value: str, width: int) -> str:
        """Say that a value is `[batch, length, width]`, and return it.

        Where the optimizer cannot see that shapes are the same, it does not
        fuse what stands there.
        """
        from onnx import TensorProto, helper

        shape: Shape = [*DIMENSIONS, width]
        self._shapes.append(
            helper.make_tensor_value_info(value, TensorProto.FLOAT, shape)
        )
        return value

    def number(self, value: float) -> str:
        """Add a float32 scalar, once."""
        return self._once(float(value), np.float32)

    def integers(self, *values: int) -> str:
        """Add a list of int64, once."""
        return self._once(values, np.int64)

    def index(self, value: int) -> str:
        """Add an int64 scalar, once."""
        return self._once(int(value), np.int64)

    def model(
        self,
        inputs: Sequence[str],
        outputs: Mapping[str, tuple[str, Shape]],
    ) -> "onnx.ModelProto":
        """Return the whole as a model.

        Args:
            inputs: names of int64 inputs, `[batch, length]`.
            outputs: by their names the value and the shape, of numbers and
                names, that each float32 output has.
        """
        from onnx import TensorProto, helper

        for name, (value, _) in outputs.items():
            self._nodes.append(
                helper.make_node("Identity", [value], [name], f"give_{name}")
            )
        graph = helper.make_graph(
            self._nodes,
            PRODUCER,
            [
                helper.make_tensor_value_info(
                    name, TensorProto.INT64, DIMENSIONS
                )
                for name in inputs
            ],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
                for name, (_, shape) in outputs.items()
            ],
            list(self._constants.values()),
            value_info=self._shapes,
        )
        return helper.make_model(
            graph,
            producer_name=PRODUCER,
            ir_version=_IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET)],
        )

    def _name(self, name: str) -> str:
        return "/".join([*self._scope, name])

    def _once(self, value: Any, dtype: Any) -> str:
        from onnx import numpy_helper

        name = f"{np.dtype(dtype).name}_{value}".replace(" ", "")
        if name not in self._constants:
            array = np.array(value, dtype)
            self._constants[name] = numpy_helper.from_array(array, name)
        return name
