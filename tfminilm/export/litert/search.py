"""A precision for each layer, by the damage that is measured.

All layers start with 8 bits. Each alone is then rounded to 4 and the file's
outputs on some texts are compared with those of float32: what this costs,
divided by the bytes that it saves, is the order in which layers are lowered,
until the file is small enough, or as far as its outputs stay close enough.
Where the last one, such as the table of tokens, saved more than was needed,
those that suffer most have their 8 bits back.
"""

import bisect
import dataclasses
import functools
import pathlib
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfminilm.errors import UserError
from tfminilm.export.check import calibration
from tfminilm.export.litert import quantize
from tfminilm.export.litert.convert import convert
from tfminilm.export.litert.runner import LiteRTEncoder
from tfminilm.export.target import Target

# At multiples of so many bytes a file's weights begin.
_ALIGNED = 16

HIGH, LOW = "dynamic_wi8_afp32", "dynamic_wi4_afp32"


@dataclasses.dataclass(frozen=True)
class Found:
    """A plan, and what it does.

    Attributes:
        layers: the precision of each, as a target's `layers`.
        damage: of each layer alone in 4 bits, above that of 8 everywhere:
            mean squared error in units of the outputs' mean square.
        bytes: the file's size.
        drop: in points, see `drop`.
    """

    layers: dict[str, str]
    damage: dict[str, float]
    bytes: int
    drop: float


# A file's outputs by name, one array a text.
Outputs = Mapping[str, Sequence[np.ndarray]]


def search(
    model: bytes,
    rows: Sequence[Mapping[str, np.ndarray]],
    budget_bytes: float | None = None,
    max_drop: float = 0.0,
    show: Callable[[str, int, int], None] = lambda *_: None,
) -> Found:
    """Plans the precisions of a float32 file's layers.

    Args:
        model: the file's content.
        rows: the inputs `[n]` of each text, without padding.
        budget_bytes: how large the result may be.
        max_drop: without a budget: how many points the outputs may lose.
        show: is told what is done, how much of it, and out of how much.

    Raises:
        UserError: nothing can be that small or that exact, or there are no
            texts to measure on.
    """
    if not rows:
        raise UserError(
            "no texts to measure damage on, expected some of the model's task"
        )
    bench = _Bench(model, rows)
    known = quantize.layers(model)
    high = dict.fromkeys(known, HIGH)
    least = bench.measure(high).error
    damage = {}
    for index, name in enumerate(known):
        show("layers measured", index, len(known))
        error = bench.measure({**high, name: LOW}).error
        damage[name] = max(error - least, 0.0)
    show("layers measured", len(known), len(known))
    order = sorted(known, key=lambda x: damage[x] / known[x].parameters)

    @functools.cache
    def lowered(count: int) -> _Measured:
        return bench.measure({**high, **dict.fromkeys(order[:count], LOW)})

    if budget_bytes is not None:
        best = _smaller(lowered, len(order), budget_bytes)
        saved = {name: known[name].parameters / 2 + _ALIGNED for name in known}
        best = bench.measure(_raised(best, damage, saved, budget_bytes))
    else:
        best = _near_enough(lowered, len(order), max_drop)
    return Found(best.layers, damage, best.bytes, best.drop)


def fit(
    model: Any,
    tokenizer: Any,
    target: Target,
    texts: Sequence[calibration.Texts],
    **limits: Any,
) -> tuple[Target, Found]:
    """A target with a precision for each layer of a model.

    Args:
        model: an encoder, or one with a head.
        tokenizer: the model's.
        target: its lengths count, and its precision does not.
        texts: what damage is measured on.
        **limits: of `search`, and its `show`.
    """
    content = convert(model, "float32", target.lengths)
    _, encoded = calibration.encode(tokenizer, texts, max(target.lengths))
    rows = []
    for index, length in enumerate(encoded.lengths):
        row = encoded.padded(np.array([index]), length)
        rows.append({name: value[0] for name, value in row.items()})
    found = search(content, rows, **limits)
    return dataclasses.replace(
        target, precision=HIGH, layers=found.layers
    ), found


def _smaller(
    lowered: Callable[[int], "_Measured"], most: int, budget: float
) -> "_Measured":
    """The plan with fewest lowered layers whose file fits the budget."""
    place = bisect.bisect_left(
        range(most + 1), True, key=lambda n: lowered(n).bytes <= budget
    )
    if place > most:
        raise UserError(
            f"with 4 bits in every layer the file has "
            f"{lowered(most).bytes / 1e6:.1f} MB, more than the "
            f"{budget / 1e6:g} asked for: expected a larger budget, or a "
            "smaller model or vocabulary"
        )
    return lowered(place)


def _raised(
    small: "_Measured",
    damage: Mapping[str, float],
    saved: Mapping[str, float],
    budget: float,
) -> dict[str, str]:
    """The plan with 8 bits for what suffers most and still fits.

    Args:
        small: a plan below the budget.
        damage: of each layer's 4 bits.
        saved: the bytes that they save at most.
        budget: in bytes.
    """
    layers, room = dict(small.layers), budget - small.bytes
    low = [name for name, x in layers.items() if x == LOW and damage[name]]
    for name in sorted(low, key=damage.__getitem__, reverse=True):
        if saved[name] <= room:
            layers[name] = HIGH
            room -= saved[name]
    return layers


def _near_enough(
    lowered: Callable[[int], "_Measured"], most: int, allowed: float
) -> "_Measured":
    """A plan with as many lowered layers as lose no more than is allowed."""
    place = bisect.bisect_left(
        range(most + 1), True, key=lambda n: lowered(n).drop > allowed
    )
    if not place:
        raise UserError(
            f"with 8 bits in every layer {lowered(0).drop:.2f} points are "
            f"lost, more than the {allowed:g} allowed: expected more, or a "
            "target of float32 or weight_only_wi8_afp32"
        )
    return lowered(place - 1)


def drop(got: Outputs, wanted: Outputs) -> float:
    """How far outputs are from those wanted, in points of a hundred.

    Of logits, of classes or of places, it is the mean probability that went
    to other answers, which some texts tell more finely than how many answers
    changed; of single numbers one less their correlation; of vectors one less
    their mean cosine. Of several outputs it is the largest.
    """
    lost = []
    for name, rows in wanted.items():
        pairs = list(zip(got[name], rows, strict=True))
        if rows[0].size == 1:
            numbers = np.array(pairs, np.float64).reshape(-1, 2).T
            alike = _cosine(*(numbers - numbers.mean(1, keepdims=True)))
        elif name.endswith("logits"):
            alike = 1 - _mean(_moved(a, b) for a, b in pairs)
        else:
            alike = _mean(_cosine(a, b) for a, b in pairs)
        lost.append(100 * float(1 - alike))
    return max(lost)


def _moved(one: np.ndarray, two: np.ndarray) -> float:
    """The probability that two rows of logits place differently."""
    exponents = (np.exp(x.ravel() - x.max()) for x in (one, two))
    probs = [x / x.sum() for x in exponents]
    return float(np.abs(probs[0] - probs[1]).sum() / 2)


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _cosine(one: np.ndarray, two: np.ndarray) -> float:
    """The mean over vectors `[..., width]`."""
    norms = np.linalg.norm(one, axis=-1) * np.linalg.norm(two, axis=-1)
    return float(np.mean((one * two).sum(-1) / np.maximum(norms, 1e-30)))


def _error(got: Outputs, wanted: Outputs) -> float:
    """Mean squared error in units of the mean square; mean over outputs."""
    errors = []
    for name in wanted:
        one, two = (
            np.concatenate([row.ravel() for row in outputs[name]])
            for outputs in (got, wanted)
        )
        errors.append(np.mean((one - two) ** 2) / max(np.mean(two**2), 1e-30))
    return float(np.mean(errors))


@dataclasses.dataclass(frozen=True)
class _Measured:
    layers: dict[str, str]
    bytes: int
    error: float
    drop: float


class _Bench:
    """Rounds a file and compares what comes out with what came before."""

    def __init__(self, model: bytes, rows: Sequence[Mapping[str, np.ndarray]]):
        self._model = model
        self._rows = rows
        self._wanted = self._run(model)

    def measure(self, layers: dict[str, str]) -> _Measured:
        """What a plan costs, and what it saves."""
        rounded = quantize.quantize(self._model, layers)
        got = self._run(rounded)
        return _Measured(
            layers,
            len(rounded),
            _error(got, self._wanted),
            drop(got, self._wanted),
        )

    def _run(self, model: bytes) -> Outputs:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "model.tflite")
            path.write_bytes(model)
            encoder = LiteRTEncoder(path)
            results = [
                encoder(
                    row["token_ids"], row["segment_ids"], row["padding_mask"]
                )
                for row in self._rows
            ]
        names = results[0]
        return {name: [result[name] for result in results] for name in names}
