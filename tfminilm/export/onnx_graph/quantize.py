"""Make the int8 form of an ONNX graph: weights in a byte each.

Products compute in integers. Each row of their input, a token, is rounded
between its own least and largest value: no text depends on those beside it.
Each column of the weights has a scale of its own, as has each row of a table.
With x = middle + half * even, the product is half * (even W) + middle * (the
sums of W's columns), and `even`, from -1 to 1, is what is rounded. The nodes
are QuantizeLinear and DequantizeLinear around a MatMul, which onnxruntime
fuses; whatever does not, computes the same in float32.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import onnx

_FLOAT = 1
_STEPS = 127
# A smaller table costs less than the nodes that would unpack it.
_LEAST_VALUES = 16_384
# Of half a row's range, where all values are the same.
_LEAST_HALF = 1e-30
_ZERO = 128


def quantize(model: "onnx.ModelProto") -> "onnx.ModelProto":
    """Return the int8 form of a float32 model.

    Args:
        model: of opset 13 to 17. It is left as it is.

    Returns:
        A model of the same inputs and outputs, in which every product with a
        constant matrix is one of integers, and every large table is int8.
    """
    return _Pass(model).run()


def pack_matrix(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Round weights `[inputs, units]` to int8, with a scale a column.

    Processors without VNNI add two neighbouring products in 16 bits, and cut
    off what is larger. Weights are small enough that none ever is: with inputs
    of 8 bits, the magnitudes of two neighbours of one sign sum up to 128.

    Returns:
        The int8 values, and float32 scales `[units]`.
    """
    largest = np.abs(matrix).max(0)
    for part in (np.maximum(matrix, 0), np.maximum(-matrix, 0)):
        if len(part) > 1:
            pairs = (part[1:] + part[:-1]).max(0)
            largest = np.maximum(largest, pairs)
    return _rounded(matrix, largest, 0)


def pack_table(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Round a table `[rows, width]` to int8, with a scale a row.

    Returns:
        The int8 values, and float32 scales `[rows, 1]`.
    """
    values, scales = _rounded(table, np.abs(table).max(1), 1)
    return values, scales[:, None]


def _rounded(
    matrix: np.ndarray, largest: np.ndarray, axis: int
) -> tuple[np.ndarray, np.ndarray]:
    scales = np.where(largest > 0, largest / _STEPS, 1).astype(np.float32)
    values = np.rint(matrix / np.expand_dims(scales, axis))
    return np.clip(values, -_STEPS, _STEPS).astype(np.int8), scales


class _Rows(NamedTuple):
    """The names of a rounded input, and of its rows' halves and middles."""

    rounded: str
    half: str
    middle: str


class _Pass:
    """Goes through a model's nodes once and writes new ones."""

    def __init__(self, model: "onnx.ModelProto"):
        import onnx

        self._model = onnx.ModelProto()
        self._model.CopyFrom(model)
        graph = self._model.graph
        self._constants = {x.name: x for x in graph.initializer}
        self._nodes: list[onnx.NodeProto] = []
        # By the name of an input.
        self._inputs: dict[str, _Rows] = {}
        # By the name of a matrix or table: rounded, and its scales.
        self._packed: dict[str, tuple[str, str]] = {}
        self._step = self._constant("input_step", np.float32(1 / _STEPS))
        self._zero = self._constant("input_zero", np.uint8(_ZERO))
        self._least = self._constant("least_half", np.float32(_LEAST_HALF))
        self._half = self._constant("one_half", np.float32(0.5))

    def run(self) -> "onnx.ModelProto":
        graph = self._model.graph
        for node in list(graph.node):
            if self._is_product(node):
                self._multiply(node)
            elif self._is_look_up(node):
                self._look_up(node)
            else:
                self._nodes.append(node)
        used = {name for node in self._nodes for name in node.input}
        kept = [x for x in self._constants.values() if x.name in used]
        del graph.node[:], graph.initializer[:]
        graph.node.extend(self._nodes)
        graph.initializer.extend(kept)
        return self._model

    def _is_product(self, node: "onnx.NodeProto") -> bool:
        is_plain = node.op_type == "MatMul" or _is_plain_gemm(node)
        if not is_plain or not self._is_matrix(node.input[1]):
            return False
        if any(x.name == "transB" and x.i for x in node.attribute):
            node.input[1] = self._transposed(node.input[1])
        return True

    def _transposed(self, name: str) -> str:
        from onnx import numpy_helper

        matrix = numpy_helper.to_array(self._constants[name])
        return self._constant(f"{name}_transposed", matrix.T.copy())

    def _is_look_up(self, node: "onnx.NodeProto") -> bool:
        """Tell whether a node takes rows of a large table."""
        if node.op_type == "Gather":
            takes_rows = all(x.i == 0 for x in node.attribute)
        elif node.op_type == "Slice":
            takes_rows = len(node.input) == 3
        else:
            return False
        if not takes_rows or not self._is_matrix(node.input[0]):
            return False
        return np.prod(self._constants[node.input[0]].dims) >= _LEAST_VALUES

    def _is_matrix(self, name: str) -> bool:
        constant = self._constants.get(name)
        if constant is None or constant.data_type != _FLOAT:
            return False
        return len(constant.dims) == 2

    def _multiply(self, node: "onnx.NodeProto") -> None:
        left, right, *bias = node.input
        name = node.name or node.output[0]
        rows = self._round(left)
        weights, scales = self._pack(right, pack_matrix)
        zeros, sums = self._columns(right)
        inputs = self._add(
            "DequantizeLinear",
            (rows.rounded, self._step, self._zero),
            f"{name}_inputs",
        )
        matrix = self._add(
            "DequantizeLinear",
            (weights, scales, zeros),
            f"{name}_weights",
            axis=1,
        )
        result = self._add("MatMul", (inputs, matrix), f"{name}_product")
        result = self._add("Mul", (result, rows.half), f"{name}_scaled")
        moved = self._add("Mul", (rows.middle, sums), f"{name}_moved")
        result = self._add("Add", (result, moved), f"{name}_whole")
        if bias:
            result = self._add("Add", (result, bias[0]), f"{name}_biased")
        self._nodes[-1].output[0] = node.output[0]

    def _round(self, name: str) -> "_Rows":
        """Round rows as they come; once for all products that read them."""
        if name not in self._inputs:
            most = self._add("ReduceMax", (name,), f"{name}_max", axes=[-1])
            least = self._add("ReduceMin", (name,), f"{name}_min", axes=[-1])
            range_ = self._add("Sub", (most, least), f"{name}_range")
            half = self._add("Mul", (range_, self._half), f"{name}_half")
            half = self._add("Max", (half, self._least), f"{name}_divisor")
            total = self._add("Add", (most, least), f"{name}_ends")
            middle = self._add("Mul", (total, self._half), f"{name}_middle")
            centred = self._add("Sub", (name, middle), f"{name}_centred")
            even = self._add("Div", (centred, half), f"{name}_even")
            rounded = self._add(
                "QuantizeLinear",
                (even, self._step, self._zero),
                f"{name}_rounded",
            )
            self._inputs[name] = _Rows(rounded, half, middle)
        return self._inputs[name]

    def _columns(self, name: str) -> tuple[str, str]:
        """Add zero points for the columns of a matrix, and their sums.

        The sums are of the rounded matrix: with the exact ones, what rounding
        its values cost would count with `middle` as well, which is far from
        most values where one is far from all others.
        """
        from onnx import numpy_helper

        values, scales = (
            numpy_helper.to_array(self._constants[x])
            for x in self._packed[name]
        )
        zeros = np.zeros(len(scales), np.int8)
        sums = (values.sum(0, dtype=np.int64) * scales).astype(np.float32)
        return (
            self._constant(f"{name}_zeros", zeros),
            self._constant(f"{name}_sums", sums),
        )

    def _look_up(self, node: "onnx.NodeProto") -> None:
        """Take the same rows of the rounded table and of its scales."""
        name = node.name or node.output[0]
        parts = []
        for array in self._pack(node.input[0], pack_table):
            part = type(node)()
            part.CopyFrom(node)
            part.name = f"{name}_{array}"
            part.input[0], part.output[0] = array, f"{part.name}:0"
            self._nodes.append(part)
            parts.append(part.output[0])
        values = self._add("Cast", (parts[0],), f"{name}_cast", to=_FLOAT)
        self._add("Mul", (values, parts[1]), f"{name}_scaled")
        self._nodes[-1].output[0] = node.output[0]

    def _pack(
        self,
        name: str,
        pack: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    ) -> tuple[str, str]:
        """Add what a constant is rounded to, and its scales."""
        from onnx import numpy_helper

        if name not in self._packed:
            matrix = numpy_helper.to_array(self._constants[name])
            values, scales = pack(matrix)
            self._packed[name] = (
                self._constant(f"{name}_int8", values),
                self._constant(f"{name}_scales", scales),
            )
        return self._packed[name]

    def _constant(self, name: str, value: np.ndarray | np.generic) -> str:
        from onnx import numpy_helper

        self._constants[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def _add(
        self,
        operator: str,
        inputs: tuple[str, ...],
        name: str,
        **attributes: Any,
    ) -> str:
        from onnx import helper

        output = f"{name}:0"
        self._nodes.append(
            helper.make_node(operator, inputs, [output], name, **attributes)
        )
        return output


def _is_plain_gemm(node: "onnx.NodeProto") -> bool:
    """Tell whether a node is x W + b, or with W's transpose."""
    if node.op_type != "Gemm":
        return False
    values = {x.name: x for x in node.attribute}
    has_scale = "alpha" in values and values["alpha"].f != 1
    if len(node.input) > 2:
        has_scale |= "beta" in values and values["beta"].f != 1
    return not has_scale and not ("transA" in values and values["transA"].i)
