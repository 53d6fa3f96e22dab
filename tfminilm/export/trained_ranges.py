"""The ranges of a student that was rounded while it learned.

`compress.quantization_aware` leaves them beside the student, by KerasHub's
names; here they get those of the mobile graph's layers.
"""

import json
import os
import pathlib
from typing import Any

from tfminilm.compress.fake_quantization import RANGES
from tfminilm.errors import UserError

# The lowest and the highest number of "inputs" and "outputs", by layer.
Ranges = dict[str, dict[str, tuple[float, float]]]

_NAMES = {
    "query": "query",
    "key": "key",
    "value": "value",
    "attention_output": "attention_output",
    "feedforward_intermediate_dense": "intermediate",
    "feedforward_output_dense": "feedforward",
}


def load(folder: str | os.PathLike, model: Any) -> Ranges:
    """What the folder of a model has of ranges, as `quantize` takes them.

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
    scale = (backbone.hidden_dim // backbone.num_heads) ** -0.5
    found: Ranges = {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        for name, bounds in content.items():
            layer, _, part = name.rpartition("/")
            ranges = {key: _range(bounds[key]) for key in ("inputs", "outputs")}
            if part == "query":
                low, high = ranges["outputs"]
                ranges["outputs"] = low * scale, high * scale
            found[f"{layer}/{_NAMES[part]}"] = ranges
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path}: damaged ({error}): remove it to have ranges measured"
        ) from error
    return found


def _range(bounds: Any) -> tuple[float, float]:
    low, high = map(float, bounds)
    if not -float("inf") < low <= 0 <= high < float("inf"):
        raise ValueError(f"{low} to {high} is no range around 0")
    return low, high
