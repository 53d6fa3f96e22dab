"""Refuse a file that does not compute what Keras does, by its worst layer."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import keras
import numpy as np

from tfminilm.errors import UserError
from tfminilm.export.check import calibration, parity, worst_layer
from tfminilm.export.manifest import Parity
from tfminilm.export.target import Target
from tfminilm.typing import Tokenizer

# Runs a batch; returns outputs by name.
Runner: TypeAlias = Callable[[dict[str, np.ndarray]], Mapping[str, np.ndarray]]


def require_parity(
    encoder: parity.Encoder,
    model: keras.Model,
    tokenizer: Tokenizer,
    texts: Sequence[calibration.Texts],
    target: Target,
    export_states: Callable[[keras.Model, int], Runner],
) -> Parity:
    """Refuse what was written unless it is within the target's tolerance.

    Args:
        encoder: runs what was written.
        model: what it was made of: an encoder, or one with a head.
        tokenizer: the model's.
        texts: what both read.
        target: the tolerance.
        export_states: writes a model of all hidden states in the same format,
            for a length, and returns what runs it; called for a refusal.

    Returns:
        What the manifest says of parity.

    Raises:
        UserError: it is not; the message names the worst output, text and
            layer.
    """
    differences = parity.differences(encoder, model, tokenizer, texts)
    try:
        parity.require(differences, target)
    except UserError as error:
        worst = parity.worst_of(differences, target)
        states = worst_layer.hidden_states(model)
        where = worst_layer.worst_layer(
            states,
            parity.batch_of(worst, tokenizer, texts),
            export_states(states, worst.length),
        )
        raise UserError(f"{error}; {where}; nothing was written") from error
    return parity.report(differences, target, len(texts))
