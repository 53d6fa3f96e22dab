"""Models whose tensors are not those that a bundle's manifest names.

They take the place of the small model of several labels, and have its
signatures: another type or name of an input, one input more, or other answers.
"""

import dataclasses
import pathlib
import tempfile
from typing import Any

_LENGTHS = (16, 48)
_LABELS = 6


@dataclasses.dataclass(frozen=True)
class _Wrong:
    """Holds what is changed; the rest is as the manifest says."""

    ids: str = "int32"
    logits: str = "float32"
    mask: str = "padding_mask"
    more: tuple[str, ...] = ()


_MODELS = {
    "float_ids": _Wrong(ids="float32"),
    "long_ids": _Wrong(ids="int64"),
    "whole_logits": _Wrong(logits="int32"),
    "other_names": _Wrong(mask="mask"),
    "more_inputs": _Wrong(more=("positions",)),
    "other_answers": _Wrong(),
}


def write(folder: pathlib.Path) -> None:
    """Write `NAME.tflite` for each of them."""
    for name, wrong in _MODELS.items():
        (folder / f"{name}.tflite").write_bytes(_model(wrong))


def _model(wrong: _Wrong) -> bytes:
    import tensorflow as tf

    module = tf.Module()  # Of nothing but its functions.
    functions: dict[str, Any] = {}
    for length in _LENGTHS:
        names = ("segment_ids", wrong.mask, *wrong.more)
        specs = {
            name: tf.TensorSpec((1, length), tf.int32, name=name)
            for name in names
        }
        specs["token_ids"] = tf.TensorSpec(
            (1, length), wrong.ids, name="token_ids"
        )

        def logits(**inputs: Any) -> dict[str, Any]:
            sums = [
                tf.reduce_sum(tf.cast(value, tf.float32), axis=-1)
                for value in inputs.values()
            ]
            rows = tf.sigmoid(tf.add_n(sums))[:, None] / 2
            wide = tf.tile(rows, (1, _LABELS))
            return {"logits": tf.cast(wide, wrong.logits)}

        functions[f"encode_{length}"] = tf.function(
            logits
        ).get_concrete_function(**specs)
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=functions)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=list(functions)
        )
        return converter.convert()
