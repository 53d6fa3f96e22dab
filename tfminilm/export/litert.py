"""LiteRT files: a mobile graph as float32, float16, or with int8 weights.

Precisions of integers carry ai-edge-quantizer's names. `dynamic_wi8_afp32`
stores weights as int8 with one scale per output channel (per row of the
embedding table) and rounds activations to int8 row by row at run time, in
front of each product. "float16" stores weights so; a processor widens them and
computes in float32, a phone's GPU computes in float16 throughout.
"""

import pathlib
import re
import tempfile
from collections.abc import Sequence

import keras

from tfminilm.errors import UserError
from tfminilm.export import mobile_graph, profile
from tfminilm.export.quiet import quiet
from tfminilm.export.target import PRECISIONS

_SIGNATURE = "encode_{}"


def convert(
    backbone: keras.Model,
    precision: str = "float32",
    lengths: Sequence[int] = (32, 128),
    outputs: Sequence[str] | None = None,
) -> bytes:
    """Writes a model as one LiteRT file.

    Args:
        backbone: an encoder, or a model with a task's head on one, as
            `mobile_graph.MobileGraph` takes it.
        precision: one of `PRECISIONS`.
        lengths: one signature `encode_LENGTH` each; they share the weights.
        outputs: see `mobile_graph.MobileGraph`.

    Returns:
        The file's content.

    Raises:
        UserError: an unknown precision or output, a length that the model
            has no positions for, or a graph that needs operators which the
            LiteRT runtime does not carry.
    """
    if precision not in PRECISIONS:
        raise UserError(
            f"unknown precision {precision!r}, expected "
            f"{' or '.join(PRECISIONS)}"
        )
    if not lengths:
        raise UserError("no lengths given, expected at least one")
    graph = mobile_graph.MobileGraph(backbone, outputs)
    signatures = {
        _SIGNATURE.format(length): graph.signature(length)
        for length in sorted(set(lengths))
    }
    model = _convert_float(graph, signatures, precision == "float16")
    if precision not in ("float32", "float16"):
        model = _quantize(model, precision)
    _require_builtins(model)
    return model


def signature_length(name: str) -> int | None:
    """The length in a signature's name, or None: not one of `convert`'s."""
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
        if is_half:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        return converter.convert()


def _quantize(model: bytes, precision: str) -> bytes:
    from ai_edge_quantizer import quantizer, recipe

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "float32.tflite")
        path.write_bytes(model)
        with quiet():
            worker = quantizer.Quantizer(str(path))
            worker.load_quantization_recipe(getattr(recipe, precision)())
            return bytes(worker.quantize().quantized_model)


def _require_builtins(model: bytes) -> None:
    foreign = profile.custom_operators(model)
    if foreign:
        raise UserError(
            f"the graph needs {', '.join(foreign)}, which a phone's LiteRT "
            "does not carry: expected builtin operators only"
        )
