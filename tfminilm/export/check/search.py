"""Search for a precision of each layer, by the damage that is measured.

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

import keras
import numpy as np

from tfminilm.errors import UserError
from tfminilm.export.check import calibration
from tfminilm.export.check.compare import cosines, relative_error
from tfminilm.export.litert import quantize
from tfminilm.export.litert.convert import convert
from tfminilm.export.litert.runner import LiteRTEncoder
from tfminilm.export.target import Target
from tfminilm.typing import Tokenizer

# At multiples of so many bytes a file's weights begin.
_ALIGNED = 16

HIGH, LOW = "dynamic_wi8_afp32", "dynamic_wi4_afp32"


@dataclasses.dataclass(frozen=True)
class SearchResult:
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
) -> SearchResult:
    """Plan the precisions of a float32 file's layers.

    Args:
        model: the file's content.
        rows: the inputs `[n]` of each text, without padding.
        budget_bytes: how large the result may be.
        max_drop: without a budget: how many points the outputs may lose.
        show: is called with a description, how much is done, and of how much.

    Raises:
        UserError: nothing can be that small or that exact, or there are no
            texts to measure on.
    """
    if not rows:
        raise UserError(
            "no texts to measure damage on, expected some of the model's task"
        )
    bench = _Bench(model, rows)
    layers = quantize.layers(model)
    high = dict.fromkeys(layers, HIGH)
    least = bench.measure(high).error
    damage = {}
    for index, name in enumerate(layers):
        show("layers measured", index, len(layers))
        error = bench.measure({**high, name: LOW}).error
        damage[name] = max(error - least, 0.0)
    show("layers measured", len(layers), len(layers))
    order = sorted(layers, key=lambda x: damage[x] / layers[x].parameters)

    @functools.cache
    def lowered(count: int) -> _Measured:
        return bench.measure({**high, **dict.fromkeys(order[:count], LOW)})

    if budget_bytes is not None:
        best = _smaller(lowered, len(order), budget_bytes)
        saved = {
            name: layer.parameters / 2 + _ALIGNED
            for name, layer in layers.items()
        }
        best = bench.measure(_raised(best, damage, saved, budget_bytes))
    else:
        best = _near_enough(lowered, len(order), max_drop)
    return SearchResult(best.layers, damage, best.bytes, best.drop)


def fit(
    model: keras.Model,
    tokenizer: Tokenizer,
    target: Target,
    texts: Sequence[calibration.Texts],
    budget_bytes: float | None = None,
    max_drop: float = 0.0,
    show: Callable[[str, int, int], None] = lambda *_: None,
) -> tuple[Target, SearchResult]:
    """Return a target with a precision for each layer of a model.

    Args:
        model: an encoder, or one with a head.
        tokenizer: the model's.
        target: its lengths count, and its precision does not.
        texts: what damage is measured on.
        budget_bytes: as `search` takes it.
        max_drop: as `search` takes it.
        show: as `search` takes it.
    """
    content = convert(model, "float32", target.lengths)
    _, encoded = calibration.encode(tokenizer, texts, max(target.lengths))
    rows = []
    for index, length in enumerate(encoded.lengths):
        row = encoded.padded(np.array([index]), length)
        rows.append({name: value[0] for name, value in row.items()})
    result = search(content, rows, budget_bytes, max_drop, show)
    target = dataclasses.replace(target, precision=HIGH, layers=result.layers)
    return target, result


def _smaller(
    lowered: Callable[[int], "_Measured"], most: int, budget: float
) -> "_Measured":
    """Return the plan with fewest lowered layers that fits the budget."""
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
    """Return a plan that gives 8 bits back to what suffers most and fits.

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
    """Return the plan with most lowered layers that loses what is allowed."""
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


def drop(got: Outputs, expected: Outputs) -> float:
    """Return how far outputs are from the expected ones, in points of 100.

    For logits of classes or places it is the mean probability that moved to
    other answers: a few texts show this more finely than the number of
    answers that changed. For single numbers it is 1 - correlation, for
    vectors 1 - mean cosine. Of several outputs the largest counts.
    """
    lost = []
    for name, rows in expected.items():
        pairs = list(zip(got[name], rows, strict=True))
        if rows[0].size == 1:
            numbers = np.array(pairs, np.float64).reshape(-1, 2).T
            alike = float(cosines(*(numbers - numbers.mean(1, keepdims=True))))
        elif name.endswith("logits"):
            alike = 1 - _mean(_moved(a, b) for a, b in pairs)
        else:
            alike = _mean(float(cosines(a, b).mean()) for a, b in pairs)
        lost.append(100 * float(1 - alike))
    return max(lost)


def _moved(one: np.ndarray, two: np.ndarray) -> float:
    """Return the probability that two rows of logits place differently."""
    exponents = (np.exp(x.ravel() - x.max()) for x in (one, two))
    probs = [x / x.sum() for x in exponents]
    return float(np.abs(probs[0] - probs[1]).sum() / 2)


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _error(got: Outputs, expected: Outputs) -> float:
    """Return the mean squared error in units of the mean square."""
    return _mean(
        relative_error(_flat(got[name]), _flat(expected[name])) ** 2
        for name in expected
    )


def _flat(rows: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([row.ravel() for row in rows])


@dataclasses.dataclass(frozen=True)
class _Measured:
    layers: dict[str, str]
    bytes: int
    error: float
    drop: float


class _Bench:
    """Rounds a file's layers, and compares its outputs with those before."""

    def __init__(self, model: bytes, rows: Sequence[Mapping[str, np.ndarray]]):
        self._model = model
        self._rows = rows
        self._expected = self._run(model)

    def measure(self, layers: dict[str, str]) -> _Measured:
        """Measure what a plan costs, and what it saves."""
        rounded = quantize.quantize(self._model, layers)
        got = self._run(rounded)
        return _Measured(
            layers,
            len(rounded),
            _error(got, self._expected),
            drop(got, self._expected),
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
