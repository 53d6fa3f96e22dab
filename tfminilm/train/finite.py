"""Refuse losses that are not finite, and say where to look."""

import math
import pathlib
from collections.abc import Callable, Mapping

import keras
import numpy as np

from tfminilm.errors import NotFiniteError


def require_finite(
    losses: Mapping[str, float],
    when: str,
    model: keras.Model,
    newest: Callable[[], pathlib.Path | None],
) -> None:
    """Raise `NotFiniteError`, naming the losses, unless all are finite.

    Args:
        losses: by name.
        when: says of which step, for the message.
        model: what is trained.
        newest: gives the newest checkpoint.
    """
    broken = [key for key, value in losses.items() if not math.isfinite(value)]
    if not broken:
        return
    terms = [key for key in broken if key != "loss"] or broken
    good = newest()
    raise NotFiniteError(
        f"the loss is not finite {when}: "
        + ", ".join(f"{key} is {losses[key]}" for key in terms)
        + f"; {_describe_weights(model)}"
        + (f"; the last good checkpoint is {good}" if good else "")
        + "; try a lower train.learning_rate or train.precision=float32 "
        "in a new --workdir"
    )


def _describe_weights(model: keras.Model) -> str:
    """Say where among the trained weights to look for what broke."""
    sizes = {
        weight.path: float(
            np.abs(keras.ops.convert_to_numpy(weight)).max(initial=0)
        )
        for weight in model.trainable_variables
    }
    broken = [path for path, x in sizes.items() if not math.isfinite(x)]
    if broken:
        return (
            f"{len(broken)} of {len(sizes)} weights are not finite, the "
            f"first is {broken[0]}"
        )
    path, size = max(sizes.items(), key=lambda item: item[1])
    return f"all weights are finite, the largest is {size:.3g} in {path}"
