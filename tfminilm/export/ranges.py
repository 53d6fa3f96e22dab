"""How large a model's activations are, and what number format holds them.

Without layer normalisation nothing bounds the states between layers: those of
the published MobileBERT reach 2.5e7, and float16 ends at 65,504. int8 counts
in 127 steps up to the largest value of a tensor, and what is far below one
step is lost.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np

from tfminilm.errors import UserError
from tfminilm.teachers.expose import expose, num_indices

_LARGEST = {"float16": float(np.finfo("float16").max)}
_STEPS = {"int8": 127}
_TENSORS = ("hidden_states", "queries", "keys", "values", "attention_scores")


@dataclasses.dataclass(frozen=True)
class Range:
    """The values of one tensor at real tokens.

    Attributes:
        tensor: name and layer, as `expose` gives them: "hidden_states/3".
        largest: of the magnitudes; not finite if any value is not.
        typical: their root mean square.
    """

    tensor: str
    largest: float
    typical: float

    def fits(self, precision: str) -> bool:
        """Whether "float16", or "int8" with one scale, can hold the tensor."""
        if not math.isfinite(self.largest):
            return False
        if precision in _LARGEST:
            return self.largest <= _LARGEST[precision]
        return self.largest <= self.typical * _STEPS[precision]


def activation_ranges(
    model: keras.Model, batches: Iterable[Mapping[str, Any]]
) -> list[Range]:
    """Measures hidden states and attention of every layer.

    Args:
        model: a KerasHub encoder, a student of this package, or a model with
            a head on one.
        batches: what it reads; a few are enough.

    Returns:
        The tensors from the bottom to the top, a layer's input first.
    """
    indices = {name: range(num_indices(model, name)) for name in _TENSORS}
    view = expose(model, indices)
    largest = dict.fromkeys(view.output, 0.0)
    squares = dict.fromkeys(view.output, 0.0)
    counts = dict.fromkeys(view.output, 0)
    for batch in batches:
        outputs = view({name: batch[name] for name in view.input})
        real = np.asarray(batch["padding_mask"]).astype(bool)
        for key, value in outputs.items():
            values = _at_real_tokens(keras.ops.convert_to_numpy(value), real)
            found = float(np.abs(values).max(initial=0.0))
            largest[key] = float(np.maximum(largest[key], found))
            squares[key] += float(np.sum(values**2))
            counts[key] += values.size
    return [
        Range(key, largest[key], math.sqrt(squares[key] / max(counts[key], 1)))
        for key in sorted(largest, key=_place)
    ]


def require_range(
    model: keras.Model, batches: Iterable[Mapping[str, Any]], precision: str
) -> None:
    """Refuses a model whose activations a number format cannot hold.

    Args:
        model: as `activation_ranges` takes it.
        batches: what it reads.
        precision: "float16" or "int8".

    Raises:
        UserError: naming the lowest tensor that leaves the range, and how
            many more do.
    """
    ranges = activation_ranges(model, batches)
    outside = [x for x in ranges if not x.fits(precision)]
    if not outside:
        return
    first = outside[0]
    limit = (
        f"ends at {_LARGEST[precision]:,.0f}"
        if precision in _LARGEST
        else f"has {_STEPS[precision]} steps"
    )
    raise UserError(
        f"{model.name} does not fit {precision}, which {limit}: "
        f"{first.tensor} reaches {first.largest:.3g}, its typical value is "
        f"{first.typical:.3g} ({len(outside)} of {len(ranges)} tensors leave "
        "the range); use float32, or layer normalisation"
    )


def _at_real_tokens(values: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Scores where query and key are real, other tensors where tokens are."""
    values = values.astype("float64")
    if values.ndim == 3:
        return values[real]
    if values.shape[2:] == (real.shape[1],) * 2:
        pairs = real[:, :, None] & real[:, None, :]
        return np.moveaxis(values, 1, -1)[pairs]
    return np.moveaxis(values, 1, 2)[real]


def _place(key: str) -> tuple[int, int]:
    name, index = key.split("/")
    return int(index), _TENSORS.index(name)
