"""Which layer of a file goes wrong: its states compared with Keras' own."""

import pathlib
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from tfminilm import files
from tfminilm.export.mobile_graph import HIDDEN_STATES
from tfminilm.export.runner import LiteRTEncoder
from tfminilm.teachers.expose import expose, num_indices

# What float32 sums in another order leave of a layer.
_ROUNDING = 1e-5


def worst_layer(
    model: keras.Model,
    batch: dict[str, np.ndarray],
    convert: Callable[[Sequence[str]], bytes],
) -> str:
    """Says where most of the difference between file and Keras comes in.

    Args:
        model: an encoder, or one with a head.
        batch: one row `[1, length]` of what it reads.
        convert: writes the model with the given outputs in one signature of
            that length, in the precision that is in question.

    Returns:
        A clause for a message.
    """
    indices = range(num_indices(model, HIDDEN_STATES))
    view = expose(model, {HIDDEN_STATES: indices})
    wanted = view({name: batch[name] for name in view.input})
    row = {name: value[0] for name, value in batch.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "measuring.tflite")
        names = [f"{HIDDEN_STATES}_{index}" for index in indices]
        files.write_bytes(path, convert(names))
        got = LiteRTEncoder(path)(**row)
    real = int(row["padding_mask"].sum())
    errors = [
        _relative_error(
            got[f"{HIDDEN_STATES}_{index}"][0, :real],
            wanted[f"{HIDDEN_STATES}/{index}"][0, :real],
        )
        for index in indices
    ]
    grown = np.diff(errors, prepend=0.0)
    worst = int(grown.argmax())
    if grown[worst] <= _ROUNDING:
        return "its layers agree, what stands on them does not"
    place = f"layer {worst} of {len(errors) - 1}" if worst else "the embeddings"
    before = errors[worst - 1] if worst else 0.0
    return (
        f"the worst layer is {place}: its states differ by "
        f"{errors[worst]:.2g} of their size, by {before:.2g} in front of it"
    )


def _relative_error(got: np.ndarray, wanted: Any) -> float:
    values = keras.ops.convert_to_numpy(wanted).astype(np.float64)
    return float(np.linalg.norm(got - values) / np.linalg.norm(values))
