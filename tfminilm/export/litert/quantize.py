"""Integers in place of a LiteRT file's floats, written by litert-quantizer.

Precisions carry its names. What is rounded are the matrices of dense layers
and the table of tokens, each with one scale per output channel (per row of
the table), and each, if wanted, in a precision of its own:

- `dynamic_wi8_afp32`, `dynamic_wi4_afp32`: integers of 8 or 4 bits. What is
  multiplied with them is rounded to int8, row by row, as the file runs, and
  the products compute in integers.
- `weight_only_wi8_afp32`: the same weights, but the products compute in
  float32: nearest to the original, and no faster than it.
- `static_wi8_ai8`: int8, and what dense layers read and write is rounded by
  one scale a tensor, measured beforehand on sentences, or that of the ranges
  that the model was trained with; what feed-forward blocks write is counted
  in units of its channels (`blocks.ResidualDense`). All else stays float32:
  XNNPACK has no int8 GELU and no int8 product of two activations (a file with
  them is slower than float32), and norms, softmax and residuals, or a mask of
  -6e4 in front of them, would not survive 255 steps.
"""

import dataclasses
import fnmatch
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tfminilm.errors import UserError
from tfminilm.export.litert import flatbuffer, runtimes, tables
from tfminilm.export.litert.trained_ranges import Range
from tfminilm.export.target import STATIC
from tfminilm.quiet import quiet

if TYPE_CHECKING:
    from litert_quantizer.recipe_manager import RecipeManager

_TABLE = "EMBEDDING_LOOKUP"
_MATRICES = (_TABLE, "FULLY_CONNECTED")


@dataclasses.dataclass(frozen=True)
class Layer:
    """A matrix: how many numbers it has, and the operators that read it.

    `uses` holds an operator's kind and the name of its output, once for each
    signature; `rows` is the number of a dense layer's outputs, or of words.
    """

    parameters: int
    uses: tuple[tuple[str, str], ...]
    rows: int = 0


def layers(model: bytes) -> dict[str, Layer]:
    """Return a float32 file's layers by name, such as "layer_0/query"."""
    layers: dict[str, Layer] = {}
    for kind, matrix, written in _products(model):
        name = _layer(matrix)
        uses = layers[name].uses if name in layers else ()
        size = int(np.prod(matrix.shape))
        use = kind, written.name.decode()
        layers[name] = Layer(size, (*uses, use), int(matrix.shape[0]))
    return layers


def _products(
    model: bytes,
) -> Iterator[tuple[str, flatbuffer.Tensor, flatbuffer.Tensor]]:
    """Yield the kind, matrix and output of each operator that has a matrix."""
    read = flatbuffer.read(model)
    for graph in read.subgraphs:
        for operator in graph.operators:
            kind = flatbuffer.operator_name(read, operator)
            if kind in _MATRICES:
                places = operator.inputs[1], operator.outputs[0]
                yield kind, *(graph.tensors[place] for place in places)


def _layer(matrix: flatbuffer.Tensor) -> str:
    """Return a layer's name: that of its matrix without the last part."""
    return matrix.name.decode().rpartition("/")[0]


def plan(
    layers: Mapping[str, Layer],
    precision: str,
    exceptions: Mapping[str, str],
) -> dict[str, str]:
    """Choose the precision of each layer.

    Args:
        layers: of the file.
        precision: of all that `exceptions` does not name.
        exceptions: precisions by a layer's name, or a pattern such as
            "layer_5/*" or "*/feedforward"; its name, or the longest pattern,
            counts.
    """
    chosen = dict.fromkeys(layers, precision)
    for pattern in sorted(exceptions, key=lambda x: (x in layers, len(x))):
        names = fnmatch.filter(layers, pattern)
        chosen |= dict.fromkeys(names, exceptions[pattern])
    return chosen


def require_known(layers: Mapping[str, Layer], patterns: Iterable[str]) -> None:
    """Refuse names and patterns that no layer has.

    Raises:
        UserError: there is such a one.
    """
    for pattern in patterns:
        if not fnmatch.filter(layers, pattern):
            raise UserError(
                f"no layer is named {pattern!r}, expected one of "
                f"{', '.join(layers)}, or a pattern such as 'layer_0/*'"
            )


def quantize(
    model: bytes,
    chosen: Mapping[str, str],
    batch: Callable[[int], Mapping[str, np.ndarray]] | None = None,
    ranges: Mapping[str, Range] | None = None,
) -> bytes:
    """Round a float32 file's layers.

    Args:
        model: the content of a float32 file.
        chosen: the precision of each layer, as `plan` makes it.
        batch: gives the inputs `[sentences, length]` of a length, on which
            `static_wi8_ai8` measures its scales.
        ranges: those that are known from training, by layer.

    Returns:
        The content of the rounded file.

    Raises:
        UserError: there is nothing to measure scales on.
    """
    from litert_quantizer import calibrator, quantizer
    from litert_quantizer.utils import qsv_utils

    if set(chosen.values()) <= {"float32"}:
        return model
    rules = _recipe(layers(model), chosen)
    worker = quantizer.Quantizer(model, rules.get_quantization_recipe())
    scales = None
    with quiet(), warnings.catch_warnings():
        # Keeping all tensors is for debugging, says LiteRT, and measures them.
        warnings.filterwarnings("ignore", ".*experimental_preserve_all")
        if worker.need_calibration:
            # The default, a mean of the sentences' ranges, cuts off the few
            # numbers that say most.
            measuring = calibrator.Calibrator(
                model, num_threads=1, qsv_update_func=qsv_utils.min_max_update
            )
            measuring.calibrate(_samples(model, batch), rules)
            scales = measuring.get_model_qsvs()
            _narrow(scales, model, ranges or {})
        # For a row of zeros 4 bits' scale is 0 / 0 at first, and 0 then.
        with np.errstate(invalid="ignore"):
            rounded = worker.quantize(
                scales, enable_progress_bar=False, enable_progress_report=False
            )
    return finished(bytes(rounded.quantized_model))


def finished(model: bytes) -> bytes:
    """Return the file as old runtimes compute rightly or refuse it."""
    read = flatbuffer.read(model)
    tables.by_factors(read)
    runtimes.stamp(read)
    flatbuffer.share_scales(read)
    return flatbuffer.write(read)


def _narrow(
    scales: dict[str, Any], model: bytes, ranges: Mapping[str, Range]
) -> None:
    """Replace measured ranges by those of the training.

    What layers read is measured always: the converter takes the shift of a
    norm out of it, into their biases.
    """
    for _, matrix, written in _products(model):
        trained = ranges.get(_layer(matrix))
        measured = scales.get(written.name.decode())
        if trained is not None and measured:
            measured["min"] = np.full_like(measured["min"], trained.low)
            measured["max"] = np.full_like(measured["max"], trained.high)


def _recipe(
    layers: Mapping[str, Layer], chosen: Mapping[str, str]
) -> "RecipeManager":
    """Make the quantiser's rules: one an operator."""
    from litert_quantizer import recipe_manager

    rules = recipe_manager.RecipeManager()
    for name, precision in chosen.items():
        # A single scale of 4 bits is refused by LiteRT before 1.3.
        if layers[name].rows == 1:
            precision = precision.replace("wi4", "wi8")
        for kind, output in layers[name].uses:
            _add(rules, precision, kind, f"^{re.escape(output)};$")
    return rules


def _add(rules: "RecipeManager", precision: str, kind: str, place: str) -> None:
    """Add the rule of one operator."""
    from litert_quantizer.algorithm_manager import AlgorithmName

    if precision == "float32":
        return
    if precision == STATIC and kind != _TABLE:
        rules.add_static_config(place, kind, 8, 8)
        return
    if precision.startswith("weight_only") and kind != _TABLE:
        rules.add_weight_only_config(place, kind, 8)
        return
    # A table's rows are widened as they are looked up, whatever the products
    # compute in.
    if "wi4" in precision:
        # 15 steps are too few for the largest number to set them: this finds
        # how far to clip so that the mean squared error is least.
        rules.add_dynamic_config(
            place, kind, 4, algorithm_key=AlgorithmName.OCTAV
        )
    else:
        rules.add_dynamic_config(place, kind, 8)


def _samples(
    model: bytes, batch: Callable[[int], Mapping[str, np.ndarray]] | None
) -> dict[str, list[dict[str, np.ndarray]]]:
    """Return what the quantiser reads: rows `[1, length]` by signature."""
    if batch is None:
        raise UserError(
            f"{STATIC} measures its scales on sentences and was given none: "
            "expected some of the model's own task"
        )
    read = flatbuffer.read(model)
    samples = {}
    for signature in read.signatureDefs:
        graph = read.subgraphs[signature.subgraphIndex]
        inputs = batch(int(graph.tensors[graph.inputs[0]].shape[-1]))
        names = [tensor.name.decode() for tensor in signature.inputs]
        samples[signature.signatureKey.decode()] = [
            {name: inputs[name][row : row + 1] for name in names}
            for row in range(len(inputs["token_ids"]))
        ]
    return samples
