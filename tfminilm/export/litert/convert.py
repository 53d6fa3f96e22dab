"""Convert a mobile graph into a LiteRT file: float32, float16 or integers.

"float16" stores weights so; a processor widens them and computes in float32, a
phone's GPU computes in float16 throughout. The others are those of
`quantize`.
"""

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np

from tfminilm.errors import UserError
from tfminilm.export.graph import mobile_graph
from tfminilm.export.litert import profile, quantize
from tfminilm.export.litert.trained_ranges import Range
from tfminilm.export.target import PRECISIONS, STATIC
from tfminilm.quiet import quiet

_SIGNATURE = "encode_{}"


def convert(
    backbone: keras.Model,
    precision: str = "float32",
    lengths: Sequence[int] = (32, 128),
    outputs: Sequence[str] | None = None,
    layers: Mapping[str, str] | None = None,
    batch: Callable[[int], Mapping[str, np.ndarray]] | None = None,
    ranges: Mapping[str, Range] | None = None,
) -> bytes:
    """Write a model as one LiteRT file.

    Args:
        backbone: an encoder, or a model with a task's head on one, as
            `mobile_graph.MobileGraph` takes it.
        precision: one of `PRECISIONS`.
        lengths: one signature `encode_LENGTH` each; they share the weights.
        outputs: see `mobile_graph.MobileGraph`.
        layers: precisions of single layers, see `quantize.plan`.
        batch: what `quantize.quantize` measures static scales on.
        ranges: the ranges that the model was trained with, in their place.

    Returns:
        The file's content.

    Raises:
        UserError: an unknown precision, output or layer, a length that the
            model has no positions for, no `batch` where one is needed, or a
            graph that needs operators which the LiteRT runtime does not
            carry.
    """
    if precision not in PRECISIONS:
        raise UserError(
            f"unknown precision {precision!r}, expected "
            f"{' or '.join(PRECISIONS)}"
        )
    if not lengths:
        raise UserError("no lengths given, expected at least one")
    graph = mobile_graph.MobileGraph(backbone, outputs)
    if batch is not None and STATIC in (precision, *(layers or {}).values()):
        units = {
            name: trained.units
            for name, trained in (ranges or {}).items()
            if trained.units is not None
        }
        graph.equalize_channels(batch(max(lengths)), units)
    signatures = {
        _SIGNATURE.format(length): graph.signature(length)
        for length in sorted(set(lengths))
    }
    model = _convert_float(graph, signatures, precision == "float16")
    _require_builtins(model)
    model = quantize.finished(model)
    if precision == "float16":
        return model
    quantizable = quantize.layers(model)
    if outputs is None:  # Other outputs may need less of the model.
        quantize.require_known(quantizable, layers or {})
    chosen = quantize.plan(quantizable, precision, layers or {})
    return quantize.quantize(model, chosen, batch, ranges)


def signature_length(name: str) -> int | None:
    """Return the length in a signature's name; None if it has none."""
    match = re.fullmatch(_SIGNATURE.format(r"(\d+)"), name)
    return int(match[1]) if match else None


def _convert_float(graph, signatures, is_half: bool) -> bytes:
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder, quiet():
        tf.saved_model.save(graph, folder, signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=list(signatures)
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        # `_require_builtins` refuses custom operators by their names.
        converter.allow_custom_ops = True
        if is_half:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        return converter.convert()


def _require_builtins(model: bytes) -> None:
    foreign = profile.custom_operators(model)
    if foreign:
        raise UserError(
            f"the graph needs {', '.join(foreign)}, which a phone's LiteRT "
            "does not carry: expected builtin operators only"
        )
