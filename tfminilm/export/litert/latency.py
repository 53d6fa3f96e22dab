"""Measure how long LiteRT files take, side by side."""

import dataclasses
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from tfminilm.errors import UserError
from tfminilm.export.litert.runner import LiteRTEncoder

# Runs of one file in a row, before it is another's turn: enough to find its
# weights in the cache, as when an app runs a model again and again.
_BLOCK = 10

WARMUP = 3

Key = TypeVar("Key")


@dataclasses.dataclass(frozen=True)
class Latency:
    """Milliseconds of `repeats` runs: median, 95th percentile, fastest."""

    median: float
    p95: float
    fastest: float
    repeats: int


def measure_latency(
    path: str | os.PathLike,
    lengths: Sequence[int] | None = None,
    num_threads: int = 1,
    repeats: int = 100,
) -> dict[int, Latency]:
    """Time one file, see `measure_latencies`."""
    return measure_latencies([path], lengths, num_threads, repeats)[str(path)]


def measure_latencies(
    paths: Sequence[str | os.PathLike],
    lengths: Sequence[int] | None = None,
    num_threads: int = 1,
    repeats: int = 100,
    clock: Callable[[], float] = time.perf_counter,
    warmup: int = WARMUP,
) -> dict[str, dict[int, Latency]]:
    """Time files in turns, so that a busy machine slows all alike.

    Args:
        paths: `.tflite` encoders.
        lengths: sentences of these many tokens, all real, in the signature
            of that very length; by default all that the files have.
        num_threads: threads of the interpreter.
        repeats: timed runs of each.
        clock: seconds; `time.process_time` leaves other programs out.
        warmup: untimed runs of each that come first.

    Returns:
        By path and length. A run is what an app waits for: inputs in,
        inference, outputs out.

    Raises:
        UserError: no LiteRT encoder, or one without such a signature.
    """
    encoders = {str(path): LiteRTEncoder(path, num_threads) for path in paths}
    calls = {
        (path, length): _call(encoder, length, path)
        for path, encoder in encoders.items()
        for length in (lengths or encoder.lengths)
    }
    measured = interleave(calls, repeats, clock, warmup)
    return {
        path: {
            length: latency
            for (owner, length), latency in measured.items()
            if owner == path
        }
        for path in encoders
    }


def interleave(
    calls: Mapping[Key, Callable[[], object]],
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
    warmup: int = WARMUP,
) -> dict[Key, Latency]:
    """Time functions in turns, some runs in a row each, after a warm-up.

    Raises:
        UserError: fewer than one repeat.
    """
    if repeats < 1:
        raise UserError(f"repeats is {repeats}, expected 1 or more")
    times: dict[Key, list[float]] = {key: [] for key in calls}
    for call in calls.values():
        for _ in range(warmup):
            call()
    for start in range(0, repeats, _BLOCK):
        for key, call in calls.items():
            call()
            for _ in range(min(_BLOCK, repeats - start)):
                begin = clock()
                call()
                times[key].append(1e3 * (clock() - begin))
    return {
        key: Latency(
            median=float(np.median(taken)),
            p95=float(np.percentile(taken, 95)),
            fastest=min(taken),
            repeats=repeats,
        )
        for key, taken in times.items()
    }


def _call(
    encoder: LiteRTEncoder, length: int, path: str
) -> Callable[[], object]:
    if length not in encoder.lengths:
        raise UserError(
            f"{path} has no signature of length {length}, expected one of "
            f"{', '.join(map(str, encoder.lengths))}"
        )
    runner = encoder.runner(length)
    fill = {"token_ids": 1, "segment_ids": 0, "padding_mask": 1}
    inputs = {
        name: np.full(detail["shape"], fill[name], detail["dtype"])
        for name, detail in runner.get_input_details().items()
    }
    return lambda: runner(**inputs)
