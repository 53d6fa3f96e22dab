"""Read a row of numbers, one for each class: from a model, or from votes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfminilm.errors import UserError

# What rounding a probability to two decimals may take from it.
_ROUNDING = 0.005


def numbers(row: Mapping[str, Any], where: str) -> np.ndarray | None:
    """Return the numbers of a row, float64; None if all of it is blank.

    Args:
        row: as the file writes them, by their columns.
        where: what errors call the row's place.

    Raises:
        UserError: one is no finite number.
    """
    for name, written in row.items():
        if not isinstance(written, str):
            raise UserError(
                f"{where}: a list in column {name!r}, expected a number"
            )
    if not any(map(str.strip, row.values())):
        return None
    values = []
    for name, written in row.items():
        try:
            value = float(written)
        except ValueError:
            value = float("nan")
        if not np.isfinite(value):
            raise UserError(
                f"{where}: {written[:60]!r} in column {name!r} is no finite "
                "number; give each class one, or leave all of the row's blank"
            )
        values.append(value)
    return np.array(values)


def one_of_several(
    values: np.ndarray, are_logits: bool, where: str
) -> tuple[float, ...]:
    """Return the probabilities of classes of which one is true.

    Args:
        values: of each class, `[classes]`.
        are_logits: whether they stand before a softmax.
        where: what errors call the row's place.

    Raises:
        UserError: one is negative, or they do not sum to 1, though rounded
            ones may miss it by 0.005 each: they are scaled.
    """
    if are_logits:
        values = np.exp(values - values.max())
        return tuple((values / values.sum()).tolist())
    _require_range(values, where)
    total, room = values.sum(), _ROUNDING * len(values) + 1e-6
    if abs(total - 1) > room:
        raise UserError(
            f"{where}: the probabilities {_shown(values)} sum to {total:.4g}, "
            "expected 1; divide them by their sum, or say that they are "
            "logits: --soft_labels=logits"
        )
    return tuple((values / total).tolist())


def each_for_itself(
    values: np.ndarray, are_logits: bool, where: str
) -> tuple[float, ...]:
    """Return the probability of each of several labels.

    Args:
        values: of each label, `[labels]`; 1 and 0 for yes and no.
        are_logits: whether they stand before a sigmoid.
        where: what errors call the row's place.

    Raises:
        UserError: one is not between 0 and 1.
    """
    if are_logits:
        return tuple((1 / (1 + np.exp(-values.clip(-500, 500)))).tolist())
    _require_range(values, where)
    return tuple(values.tolist())


def _require_range(values: np.ndarray, where: str) -> None:
    if (values < 0).any() or (values > 1).any():
        raise UserError(
            f"{where}: the probabilities are {_shown(values)}, expected 0 to "
            "1; if they are logits, say so: --soft_labels=logits"
        )


def _shown(values: np.ndarray) -> str:
    text = ", ".join(f"{value:g}" for value in values)
    return text if len(text) <= 60 else text[:57] + "..."
