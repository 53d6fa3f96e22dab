"""Quantisation-aware training: the student learns with rounded numbers.

"Quantization and Training of Neural Networks" (arXiv 1712.05877): of each
product of the encoder layers, the kernel is rounded to 8 bits with one scale a
column, and what is read and written with one scale each; gradients pass the
rounding as if it were not there. The quantizers are those of
tensorflow-model-optimization, and what is rounded is what a static int8 file
rounds: a dense layer's outputs with their bias, in front of its activation.

What a feed-forward block writes is counted in units of what each channel
reached in the beginning, as in the file: one that reaches a hundred times
further than the others would leave them two or three steps. A range is the
whole one of a few batches, as in the file, and stays as it was, where the paper
has a moving average: what a mean cuts off says most, and a range that grows
with every outlier of a long run makes all steps coarser. The file takes over
those of what is written: `RANGES`, beside the student, is what `tfminilm
export` reads.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from tfminilm.compress.optimization import import_tfmot
from tfminilm.private import graphs
from tfminilm.private.layers import become
from tfminilm.teachers.expose import encoder_calls
from tfminilm.typing import Tensor

# A file in the student's folder.
RANGES = "ranges.json"

_BITS = 8
# KerasHub's layers whose outputs are counted in units of their channels.
_EVEN = "feedforward_output_dense"
# A channel's least unit, of the largest one's; where all are zero, of 1.
_LEAST = 1e-3


class FakeQuantization:
    """Makes the dense layers of a student's encoder compute as int8 would.

    The layers stay what they are, with their variables; the ranges of what they
    read and write are kept here. In between the student can be trained and
    evaluated as any other, in TensorFlow.

    Args:
        student: an encoder, or one with a head; what was traced of it before
            computes as it did.
        batches: inputs of it, on which ranges are measured: as many texts as
            an export measures them on.
    """

    def __init__(
        self, student: keras.Model, batches: Iterable[Mapping[str, Any]]
    ):
        self._layers: list[Any] = []
        self._named: dict[str, Any] = {}
        for index, call in enumerate(encoder_calls(student)):
            for layer in graphs.inner_layers(call.layer, include_self=False):
                if type(layer) in _CLASSES:
                    self._layers.append(layer)
                    self._named[f"layer_{index}/{layer.name}"] = layer
        for layer in self._layers:
            layer._rounding = _Rounding(layer)
            become(layer, _CLASSES[type(layer)])
        batches = list(batches)
        for measures in ("units", "ranges", ""):
            for layer in self._layers:
                layer._rounding.measures = measures
            for batch in batches if measures else ():
                student({n: batch[n] for n in student.input}, training=False)

    @property
    def variables(self) -> list[keras.Variable]:
        """The ranges, which a checkpoint has to hold beside the student."""
        return [v for x in self._layers for v in x._rounding.variables]

    def ranges(self) -> dict[str, dict[str, list[float]]]:
        """The ranges by layer, for `RANGES`.

        Returns:
            The lowest and the highest number of "outputs", and the "units"
            that they are counted in, if in any, by names such as
            "layer_0/query", of KerasHub's layers.
        """
        return {
            name: layer._rounding.ranges()
            for name, layer in self._named.items()
        }

    def remove(self) -> None:
        """Leaves plain layers, whose kernels are on the grid of integers."""
        for layer in self._layers:
            kernel = ops.convert_to_numpy(layer.kernel)
            become(layer, _PLAIN[type(layer)])
            del layer._rounding
            layer.kernel.assign(kernel)


class _Rounding:
    """How one dense layer rounds; its quantizers take it for a layer."""

    def __init__(self, layer: keras.layers.Layer):
        known = import_tfmot().quantization.keras.quantizers
        self.variables: list[keras.Variable] = []
        self.measures = ""
        self._width = int(np.prod(layer.bias.shape))
        self._units = None
        if layer.name == _EVEN:
            self._units = keras.Variable(
                np.zeros(self._width, "float32"), trainable=False, name="units"
            )
            self.variables.append(self._units)
        # Symmetric and narrow, as LiteRT wants kernels: -127 to 127.
        self._of_kernel = known.LastValueQuantizer(
            num_bits=_BITS, per_axis=True, symmetric=True, narrow_range=True
        )
        self._of_states = known.AllValuesQuantizer(
            num_bits=_BITS, per_axis=False, symmetric=False, narrow_range=False
        )
        shape = (None, self._width)
        self._kernel = self._of_kernel.build(shape, "kernel", self)
        self._ranges = {
            name: self._of_states.build(None, name, self)
            for name in ("inputs", "outputs")
        }

    def add_weight(
        self,
        name: str,
        initializer: Any,
        trainable: bool,
        shape: int | None = None,
    ) -> Any:
        """A variable of a quantizer."""
        sizes = () if shape is None else (shape,)
        variable = keras.Variable(
            np.zeros(sizes, "float32"), trainable=trainable, name=name
        )
        self.variables.append(variable)
        return variable.value

    def ranges(self) -> dict[str, list[float]]:
        """What `FakeQuantization.ranges` has of a layer."""
        bounds = self._ranges["outputs"]
        low, high = float(bounds["min_var"]), float(bounds["max_var"])
        found = {"outputs": [low, high]}
        if self._units is not None:
            found["units"] = ops.convert_to_numpy(self._units).tolist()
        return found

    def kernel(self, kernel: Tensor) -> Any:
        """The kernel with each column on the grid of its own scale."""
        flat = ops.reshape(ops.cast(kernel, "float32"), (-1, self._width))
        # Always the scale of these very weights.
        rounded = self._of_kernel(flat, training=True, weights=self._kernel)
        return ops.cast(ops.reshape(rounded, kernel.shape), kernel.dtype)

    def states(self, name: str, x: Tensor) -> Any:
        """ "inputs" or "outputs" on a grid of 256 numbers from their range."""
        if name == "inputs" or self._units is None:
            return self._rounded(name, x)
        if self.measures == "units":
            axes = tuple(range(len(x.shape) - 1))
            reach = ops.cast(ops.max(ops.abs(x), axes), "float32")
            reach = ops.maximum(self._units, reach)
            largest = ops.max(reach)
            least = _LEAST * ops.where(largest > 0, largest, 1.0)
            self._units.assign(ops.maximum(reach, least))
            return x
        units = ops.cast(self._units, x.dtype)
        return self._rounded(name, x / units) * units

    def _rounded(self, name: str, x: Tensor) -> Any:
        if self.measures == "units":
            return x
        rounded = self._of_states(
            ops.cast(x, "float32"),
            training=self.measures == "ranges",
            weights=self._ranges[name],
        )
        return ops.cast(rounded, x.dtype)


class _Rounded:
    """What a dense layer is in the meantime."""

    _rounding: _Rounding

    @property
    def kernel(self) -> Any:
        return self._rounding.kernel(super().kernel)  # type: ignore[misc]

    def prepared(self, x: Tensor) -> Any:
        """Inputs as the product takes them."""
        return self._rounding.states("inputs", x)

    def written(self, x: Tensor) -> Any:
        """A product that is on the outputs' grid as soon as it has its bias."""
        bias = self.bias  # type: ignore[attr-defined]
        return self._rounding.states("outputs", x + bias) - bias

    def call(self, inputs: Tensor, training: bool | None = None) -> Any:
        x = self._multiply(self.prepared(inputs))  # type: ignore[attr-defined]
        x = self.written(x) + self.bias  # type: ignore[attr-defined]
        return self.activation(x)  # type: ignore[attr-defined]


class _RoundedDense(_Rounded, keras.layers.Dense):
    def _multiply(self, x: Tensor) -> Any:
        return ops.matmul(x, self.kernel)


class _RoundedEinsumDense(_Rounded, keras.layers.EinsumDense):
    def _multiply(self, x: Tensor) -> Any:
        return ops.einsum(self.equation, x, self.kernel)


_CLASSES: dict[type, type] = {
    keras.layers.Dense: _RoundedDense,
    keras.layers.EinsumDense: _RoundedEinsumDense,
}
_PLAIN = {rounded: plain for plain, rounded in _CLASSES.items()}
