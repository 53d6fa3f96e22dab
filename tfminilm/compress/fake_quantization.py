"""Quantisation-aware training: the student learns with rounded numbers.

"Quantization and Training of Neural Networks" (arXiv 1712.05877): the kernel of
each dense layer of the encoder is rounded to 8 bits with one scale for each
column, its inputs and its outputs with one scale each. Gradients ignore the
rounding. The quantizers are those of tensorflow-model-optimization, and they
round what a static int8 file rounds: a dense layer's outputs with their bias,
before its activation.

The outputs of a feed-forward block are equalised before they are rounded, as in
the file: each channel is divided by its largest absolute value at the start.
Else a channel a hundred times larger than the others would leave them two or
three of the 256 steps. A range is the minimum and maximum of a few batches, as
in the file, and stays fixed. The paper has a moving average instead, but a mean
cuts off the largest values, which matter most, and a range that grows with
every outlier of a long run makes all steps coarser. `tfminilm export` takes
the outputs' ranges over from the file `RANGES` beside the student.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from tfminilm.compress.optimization import import_tfmot
from tfminilm.errors import UserError
from tfminilm.private import graphs
from tfminilm.private.layers import become
from tfminilm.teachers.expose import encoder_calls
from tfminilm.typing import Tensor

# A file in the student's folder.
RANGES = "ranges.json"

_BITS = 8
# The name of KerasHub's layers whose output channels are equalised.
_EQUALIZED = "feedforward_output_dense"
# The least unit of a channel, as a share of the largest channel's unit.
_LEAST_UNIT = 1e-3


class FakeQuantization:
    """Makes the dense layers of a student's encoder compute as int8 would.

    The layers and their variables stay the same objects; the ranges of their
    inputs and outputs are kept here. Until `remove` the student can be trained
    and evaluated like any other, in TensorFlow.

    Args:
        student: an encoder, or one with a head. Functions that were traced
            from it before keep computing without rounding.
        batches: its inputs, on which the ranges are measured: as many texts
            as an export measures them on.
    """

    def __init__(
        self, student: keras.Model, batches: Iterable[Mapping[str, Any]]
    ):
        self._layers: list[Any] = []
        self._named: dict[str, Any] = {}
        for index, call in enumerate(encoder_calls(student)):
            for layer in graphs.inner_layers(call.layer, include_self=False):
                if type(layer) in _CLASSES:
                    _require_bias(layer, student)
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
        """Return the ranges by layer, for `RANGES`.

        Returns:
            By names of KerasHub's layers, such as "layer_0/query": the lowest
            and the highest number of "outputs" and, if they are equalised,
            the "units" by which the channels are divided.
        """
        return {
            name: layer._rounding.ranges()
            for name, layer in self._named.items()
        }

    def remove(self) -> None:
        """Restore plain layers, whose kernels then hold the rounded values."""
        for layer in self._layers:
            kernel = ops.convert_to_numpy(layer.kernel)
            become(layer, _PLAIN[type(layer)])
            del layer._rounding
            layer.kernel.assign(kernel)


def _require_bias(layer: keras.layers.Layer, student: keras.Model) -> None:
    """Refuse a gated layer, whose outputs a file for phones has in parts."""
    if layer.bias is None:
        raise UserError(
            f"cannot train {student.name} with rounded numbers: its layer "
            f"{layer.name} has no bias; expected a student whose layers have "
            "one, as a BERT, or compress without quantization_aware: a target "
            "rounds it as well"
        )


class _Rounding:
    """The rounding of one dense layer; quantizers treat it as a Keras layer."""

    def __init__(self, layer: keras.layers.Layer):
        quantizers = import_tfmot().quantization.keras.quantizers
        self.variables: list[keras.Variable] = []
        self.measures = ""
        self._width = int(np.prod(layer.bias.shape))
        self._units = None
        if layer.name == _EQUALIZED:
            self._units = keras.Variable(
                np.zeros(self._width, "float32"), trainable=False, name="units"
            )
            self.variables.append(self._units)
        # Symmetric and narrow, as LiteRT requires of kernels: -127 to 127.
        self._of_kernel = quantizers.LastValueQuantizer(
            num_bits=_BITS, per_axis=True, symmetric=True, narrow_range=True
        )
        self._of_states = quantizers.AllValuesQuantizer(
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
        initializer: object,
        trainable: bool,
        shape: int | None = None,
    ) -> Any:
        """Create a variable for a quantizer."""
        sizes = () if shape is None else (shape,)
        variable = keras.Variable(
            np.zeros(sizes, "float32"), trainable=trainable, name=name
        )
        self.variables.append(variable)
        return variable.value

    def ranges(self) -> dict[str, list[float]]:
        """Return the ranges of the layer, as in `FakeQuantization.ranges`."""
        bounds = self._ranges["outputs"]
        low, high = float(bounds["min_var"]), float(bounds["max_var"])
        ranges = {"outputs": [low, high]}
        if self._units is not None:
            ranges["units"] = ops.convert_to_numpy(self._units).tolist()
        return ranges

    def kernel(self, kernel: Tensor) -> Any:
        """Round each column of the kernel to the grid of its own scale."""
        flat = ops.reshape(ops.cast(kernel, "float32"), (-1, self._width))
        # `training=True` takes the scale from the current weights.
        rounded = self._of_kernel(flat, training=True, weights=self._kernel)
        return ops.cast(ops.reshape(rounded, kernel.shape), kernel.dtype)

    def states(self, name: str, x: Tensor) -> Any:
        """Round "inputs" or "outputs" to 256 numbers within their range."""
        if name == "inputs" or self._units is None:
            return self._rounded(name, x)
        if self.measures == "units":
            axes = tuple(range(len(x.shape) - 1))
            max_abs = ops.cast(ops.max(ops.abs(x), axes), "float32")
            max_abs = ops.maximum(self._units, max_abs)
            largest = ops.max(max_abs)
            least = _LEAST_UNIT * ops.where(largest > 0, largest, 1.0)
            self._units.assign(ops.maximum(max_abs, least))
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
    """A mixin for dense layers that round until `remove` is called."""

    _rounding: _Rounding

    @property
    def kernel(self) -> Any:
        return self._rounding.kernel(super().kernel)  # type: ignore[misc]

    def prepared(self, x: Tensor) -> Any:
        """Round the inputs for the product."""
        return self._rounding.states("inputs", x)

    def written(self, x: Tensor) -> Any:
        """Round a product such that adding the bias gives rounded outputs."""
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
