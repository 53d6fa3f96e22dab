"""Check what runs any batch and any length: two rows at a time."""

from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np

from tfminilm.errors import UserError
from tfminilm.export.check import calibration, gate
from tfminilm.export.manifest import Parity
from tfminilm.export.target import Target
from tfminilm.typing import Tokenizer


def require_parity(
    run: gate.Runner,
    model: keras.Model,
    tokenizer: Tokenizer,
    texts: Sequence[calibration.Texts],
    target: Target,
    export_states: Callable[[keras.Model, int], gate.Runner],
    hint: str = "",
) -> Parity:
    """Call `gate.require_parity`, and add a hint to what it refuses.

    Args:
        run: runs what was written.
        model: what it was made of.
        tokenizer: the model's.
        texts: what both read.
        target: tolerance and lengths.
        export_states: as `gate.require_parity` takes it.
        hint: the end of a message.
    """
    encoder = InPairs(run, target.lengths)
    try:
        return gate.require_parity(
            encoder, model, tokenizer, texts, target, export_states
        )
    except UserError as error:
        raise UserError(f"{error}{hint}") from error


class InPairs:
    """Takes one row, as a `LiteRTEncoder` does, at any length.

    It runs in a batch with the row before it, so that neither may depend on
    the other; the first of a length runs alone.
    """

    def __init__(self, run: gate.Runner, lengths: Sequence[int]):
        self._run = run
        self._before: dict[int, Mapping[str, np.ndarray]] = {}
        self.lengths = lengths

    def __call__(
        self,
        token_ids: np.ndarray,
        segment_ids: np.ndarray,
        padding_mask: np.ndarray,
        length: int,
    ) -> dict[str, np.ndarray]:
        row = {
            "token_ids": token_ids,
            "segment_ids": segment_ids,
            "padding_mask": padding_mask,
        }
        rows: list[Mapping[str, np.ndarray]] = [row]
        if length in self._before:
            rows.append(self._before[length])
        self._before[length] = row
        batch = {name: np.stack([one[name] for one in rows]) for name in row}
        return {name: value[:1] for name, value in self._run(batch).items()}
