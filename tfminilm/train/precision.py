"""Find the precision that is fastest on this machine."""

import statistics
import time

import keras
import numpy as np

_REPEATS = 7


def resolve_precision(precision: str) -> str:
    """Turn "auto" into a Keras dtype policy; anything else stays.

    bfloat16 is twice as fast as float32 on one processor and half as fast on
    the next, so "auto" times one matrix product of an encoder in both.
    """
    if precision != "auto":
        return precision
    times = {dtype: _seconds(dtype) for dtype in ("float32", "bfloat16")}
    gain = times["float32"] / times["bfloat16"]
    # The casts and the passes between the products cost something as well.
    return "mixed_bfloat16" if gain > 1.2 else "float32"


def _seconds(dtype: str) -> float:
    """Measure the median seconds of `[2048, 384] x [384, 1536]`."""
    rng = np.random.default_rng(0)
    left, right = (
        keras.ops.cast(rng.standard_normal(shape).astype("float32"), dtype)
        for shape in ((2048, 384), (384, 1536))
    )
    times = []
    for _ in range(_REPEATS + 1):
        start = time.perf_counter()
        product = keras.ops.matmul(left, right)
        keras.ops.convert_to_numpy(keras.ops.cast(product[0, 0], "float32"))
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])
