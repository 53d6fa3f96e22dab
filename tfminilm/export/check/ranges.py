"""Measure how large activations are, and which number format holds them.

Without layer normalisation nothing bounds the states between layers: those of
the published MobileBERT reach 2.5e7, and float16 ends at 65,504. int8 counts
in 127 steps up to the largest value of a tensor, and what is far below one
step is lost.
"""

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np

from tfminilm.errors import UserError
from tfminilm.layers.no_norm import NoNorm
from tfminilm.teachers.expose import encoder_calls, expose, num_indices
from tfminilm.typing import Tensor

_LARGEST = {"float16": float(np.finfo("float16").max)}
_STEPS = {"int8": 127}
_TENSORS = ("hidden_states", "queries", "keys", "values", "attention_scores")
_PROJECTIONS = ("query", "key", "value")  # What they write is in `_TENSORS`.
_DENSE = (keras.layers.Dense, keras.layers.EinsumDense)
_NORMS = (keras.layers.LayerNormalization, NoNorm)


@dataclasses.dataclass(frozen=True)
class Range:
    """The values of one tensor at real tokens.

    Attributes:
        tensor: name and layer, as `expose` gives them: "hidden_states/3"; or
            a layer, from 0, and what is inside it: "layer 3, feed-forward 0
            intermediate".
        largest: of the magnitudes; not finite if any value is not.
        typical: their root mean square.
    """

    tensor: str
    largest: float
    typical: float

    def fits(self, precision: str) -> bool:
        """Tell whether "float16", or "int8" with one scale, can hold it."""
        if not math.isfinite(self.largest):
            return False
        if precision in _LARGEST:
            return self.largest <= _LARGEST[precision]
        return self.largest <= self.typical * _STEPS[precision]


def activation_ranges(
    model: keras.Model,
    batches: Iterable[Mapping[str, Any]],
    inside: bool = True,
) -> list[Range]:
    """Measure the hidden states, the attention and the inside of each layer.

    Args:
        model: a KerasHub encoder, a student of this package, or a model with
            a head on one.
        batches: what it reads; a few are enough.
        inside: whether to measure also what dense layers make, in front of
            their activations, and what norms read (sums, mostly) and write.

    Returns:
        The tensors from the bottom to the top: a layer's input, its attention,
        what else is inside it.
    """
    indices = {name: range(num_indices(model, name)) for name in _TENSORS}
    view = expose(model, indices)
    calls = encoder_calls(model) if inside else []
    reads_more = [call.more for call in calls]
    beside = None
    if any(reads_more):
        beside = keras.Model(view.input, reads_more)
    largest: dict[str, float] = {}
    squares: dict[str, float] = {}
    counts: dict[str, int] = {}

    def add(key: str, values: np.ndarray) -> None:
        largest_here = float(np.abs(values).max(initial=0.0))
        largest[key] = float(np.maximum(largest.get(key, 0.0), largest_here))
        squares[key] = squares.get(key, 0.0) + float(np.sum(values**2))
        counts[key] = counts.get(key, 0) + values.size

    for batch in batches:
        inputs = {name: batch[name] for name in view.input}
        outputs = view(inputs)
        more = reads_more if beside is None else beside(inputs)
        mask = np.asarray(batch["padding_mask"])
        real = mask.astype(bool)
        for index in range(num_indices(model, "hidden_states")):
            for name in _TENSORS:
                key = f"{name}/{index}"
                if key in outputs:
                    values = _numbers(outputs[key])
                    add(key, _at_real_tokens(name, values, real))
            for call in calls[index : index + 1]:
                states = outputs[f"hidden_states/{index}"]
                tensors = {"padding_mask": mask, **more[index]}
                for part, tensor in _inside(
                    call.layer, states, tensors
                ).items():
                    add(f"layer {index}, {part}", _numbers(tensor)[real])
    return [
        Range(key, largest[key], math.sqrt(squares[key] / max(count, 1)))
        for key, count in counts.items()
    ]


def require_range(
    model: keras.Model, batches: Iterable[Mapping[str, Any]], precision: str
) -> None:
    """Refuse a model whose activations a number format cannot hold.

    Of int8 only states and attention are asked for: inside a layer a few large
    numbers are common, and do no harm that parity would not show.

    Args:
        model: as `activation_ranges` takes it.
        batches: what it reads.
        precision: "float16" or "int8".

    Raises:
        UserError: naming the lowest tensor that leaves the range, and how
            many more do.
    """
    ranges = activation_ranges(model, batches, inside=precision in _LARGEST)
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


def _inside(
    layer: keras.layers.Layer, states: Tensor, more: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return what the parts of an encoder layer compute, in that order.

    Args:
        layer: of the encoder.
        states: what it reads, `[batch, length, hidden_dim]`.
        more: what else it reads, by the names of its arguments.

    Returns:
        Tensors `[batch, length, ...]` by names such as "feed-forward 0
        intermediate"; the layer's own output is not among them.
    """
    seen: dict[str, Tensor] = {}

    def noting(
        name: str, function: Callable[[Tensor], Tensor], reads: str
    ) -> Callable[[Tensor], Tensor]:
        def noted(x: Tensor) -> Tensor:
            y = function(x)
            for key, tensor in ((reads, x), (name, y)):
                if all(tensor is not other for other in seen.values()):
                    seen.setdefault(key, tensor)
            return y

        return noted

    with contextlib.ExitStack() as stack:
        for name, part in _parts(layer):
            attributes = vars(part)
            if isinstance(part, _NORMS):
                stack.callback(attributes.pop, "call")
                attributes["call"] = noting(name, part.call, f"{name}'s input")
            else:
                stack.callback(attributes.update, activation=part.activation)
                attributes["activation"] = noting(name, part.activation, name)
        output = layer(states, **more, training=False)
    return {key: x for key, x in seen.items() if x is not output}


def _parts(
    layer: keras.layers.Layer, prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """Yield a layer's dense layers and norms, by names for people."""
    for part in layer._layers:
        name = f"{prefix}{part.name}"
        if isinstance(part, (*_DENSE, *_NORMS)):
            if part.name not in _PROJECTIONS:
                shown = name.replace("feedforward", "feed-forward")
                yield shown.replace("_", " "), part
        else:
            yield from _parts(part, f"{name} ")


def _numbers(tensor: Tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor).astype("float64")


def _at_real_tokens(
    name: str, values: np.ndarray, real: np.ndarray
) -> np.ndarray:
    """Select scores of real queries and keys, other tensors of real tokens."""
    if name == "hidden_states":
        return values[real]
    if name == "attention_scores":
        pairs = real[:, :, None] & real[:, None, :]
        return np.moveaxis(values, 1, -1)[pairs]
    return np.moveaxis(values, 1, 2)[real]
