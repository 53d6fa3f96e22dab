"""Rotary positions (arXiv 2104.09864), and attention within a window."""

import numpy as np
from keras import ops

from tfminilm.layers.attention import HIDDEN
from tfminilm.typing import Tensor


def angles(length: int, size: int, theta: float) -> np.ndarray:
    """Return by how much each pair of numbers is turned, in radians.

    Args:
        length: positions.
        size: numbers of a head, an even number.
        theta: the base: the slowest pair takes about 2 pi theta positions to
            come round.

    Returns:
        `[length, size / 2]` float32.
    """
    places = np.arange(length, dtype="float32")
    return places[:, None] * _speeds(size, theta)


def rotate(x: Tensor, theta: float) -> Tensor:
    """Turn queries or keys by their positions.

    Number i of a head and number i + size / 2 are a pair. The product of two
    that are turned depends on how far apart their tokens are, and no longer
    on where they stand.

    Args:
        x: `[batch, heads, length, size]`; it is computed in float32.
        theta: the base, as of `angles`.

    Returns:
        The same shape and dtype.
    """
    length, size = ops.shape(x)[2], x.shape[-1]
    places = ops.cast(ops.arange(length), "float32")
    turned = places[:, None] * ops.convert_to_tensor(_speeds(size, theta))
    cosine, sine = ops.cos(turned), ops.sin(turned)
    values = ops.cast(x, "float32")
    first, second = values[..., : size // 2], values[..., size // 2 :]
    pair = first * cosine - second * sine, second * cosine + first * sine
    return ops.cast(ops.concatenate(pair, axis=-1), x.dtype)


def window_bias(length: int | Tensor, window: int) -> Tensor:
    """Return the bias that, added to scores, hides keys that are far away.

    Args:
        length: positions.
        window: how far a key may be to either side.

    Returns:
        `[1, 1, length, length]` float32: 0 where both stand within `window`,
        elsewhere as `attention.key_bias`; rows are queries.
    """
    places = ops.cast(ops.arange(length), "float32")
    distances = ops.abs(places[:, None] - places[None, :])
    is_far = ops.cast(distances > window, "float32")
    return HIDDEN * is_far[None, None]


def _speeds(size: int, theta: float) -> np.ndarray:
    """Return the radians of one position, in float32 as others compute them."""
    share = np.arange(0, size, 2, dtype="float32") / np.float32(size)
    return np.float32(1) / np.float32(theta) ** share
