"""Read the ranges of a student of quantisation-aware training.

`compress.quantization_aware` leaves them beside the student, by KerasHub's
names; here they get those of the mobile graph's layers.
"""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

import keras
import numpy as np

from tfminilm import json_files
from tfminilm.compress.fake_quantization import RANGES
from tfminilm.errors import UserError

_SHAPE = {str: {"outputs": [float], "units?": ([float], None)}}
_REMEDY = "remove it to have ranges measured"


@dataclasses.dataclass(frozen=True)
class Range:
    """The lowest and the highest number that a layer writes.

    With `units` `[channels]`, each channel is divided by its unit first.
    """

    low: float
    high: float
    units: np.ndarray | None = None


_NAMES = {
    "query": "query",
    "key": "key",
    "value": "value",
    "attention_output": "attention_output",
    "feedforward_intermediate_dense": "intermediate",
    "feedforward_output_dense": "feedforward",
}


def load(folder: str | os.PathLike, model: keras.Model) -> dict[str, Range]:
    """Read the ranges beside a model, as `quantize` takes them.

    Args:
        folder: a student's.
        model: the student, whose queries are scaled in the mobile graph.

    Returns:
        Ranges by names such as "layer_0/query"; empty if there are none.

    Raises:
        UserError: the file is damaged.
    """
    path = pathlib.Path(folder, RANGES)
    if not path.is_file():
        return {}
    backbone = getattr(model, "backbone", model)
    width = getattr(backbone, "bottleneck_dim", backbone.hidden_dim)
    scale = (width // backbone.num_heads) ** -0.5
    ranges: dict[str, Range] = {}
    try:
        content = json_files.read(path, _SHAPE, _REMEDY)
        for name, bounds in content.items():
            layer, _, part = name.rpartition("/")
            if part not in _NAMES:  # MobileBERT's, measured anew.
                continue
            low, high = _bounds(bounds["outputs"])
            if part == "query":
                low, high = low * scale, high * scale
            units = bounds.get("units")
            if units is not None:
                units = _units(units, backbone.hidden_dim)
            ranges[f"{layer}/{_NAMES[part]}"] = Range(low, high, units)
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}): {_REMEDY}") from error
    return ranges


def _bounds(bounds: Sequence[float]) -> tuple[float, float]:
    low, high = map(float, bounds)
    if not -float("inf") < low <= 0 <= high < float("inf"):
        raise ValueError(f"{low} to {high} is no range around 0")
    return low, high


def _units(values: Sequence[float], count: int) -> np.ndarray:
    units = np.array(values, "float32")
    if units.shape != (count,) or not (np.isfinite(units) & (units > 0)).all():
        raise ValueError(f"units are not {count} positive numbers")
    return units
