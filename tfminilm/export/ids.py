"""Refuse ids that a model has no row for, before native code reads them."""

import contextlib
from collections.abc import Iterator, Mapping

import numpy as np

from tfminilm.errors import UserError, in_one_line

_MOST = {"token_ids": 2**31 - 1, "segment_ids": 1, "padding_mask": 1}


def require(batch: Mapping[str, np.ndarray]) -> None:
    """Refuse ids that no model has.

    Args:
        batch: `token_ids`, `segment_ids` and `padding_mask`, of any shape.

    Raises:
        UserError: one of them holds no whole number, or one out of its range.
    """
    for name, most in _MOST.items():
        values = np.asarray(batch.get(name, ()))
        if not values.size:
            continue
        if values.dtype.kind in "iu" and _has_bits(values, most):
            continue
        least, largest = values.min(), values.max()
        is_whole = values.dtype.kind in "biu" or not np.any(values % 1)
        if not (is_whole and least >= 0 and largest <= most):
            raise UserError(
                f"{name} has numbers from {least:g} to {largest:g}, expected "
                f"whole ones from 0 to {most}: read the texts with the "
                "model's own tokenizer"
            )


def _has_bits(values: np.ndarray, most: int) -> bool:
    """Tell whether whole numbers are 0 to `most`, which is 1, 3, 7 and so on.

    All bits of all numbers together are seen in one pass.
    """
    return 0 <= int(np.bitwise_or.reduce(values, axis=None)) <= most


@contextlib.contextmanager
def explained(batch: Mapping[str, np.ndarray], runtime: str) -> Iterator[None]:
    """Add to a runtime's error which token ids it was given.

    Args:
        batch: what it runs.
        runtime: its name.

    Raises:
        UserError: the runtime fails.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # Each runtime has kinds of its own.
        largest = int(np.max(batch["token_ids"], initial=0))
        raise UserError(
            f"{runtime} cannot run the model on token ids up to {largest}: "
            f"{in_one_line(error)}; read the texts with the model's own "
            "tokenizer, or export the model again"
        ) from error
