"""Known answers: rows whose outputs tell a right runtime from a wrong one.

A bundle carries a few of its own file's answers, from the machine on which
they were compared with Keras. A runtime that reads the file wrongly, such as
one that takes a table's scales to be one, gives others.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from tfminilm.export.check import calibration, parity
from tfminilm.export.litert.runner import LiteRTEncoder

# What an app reads. The other outputs of an encoder are larger, and computed
# by the same operators.
OUTPUTS = ("logits", "start_logits", "end_logits", "sentence_embedding")

_ROWS = 3
_CANDIDATES = 32
_DIGITS = 6

# Of any file: what logits may differ by and still be the same to a person.
_LEAST_TOLERANCE = 0.01


def make(
    encoder: LiteRTEncoder,
    model: keras.Model,
    tokenizer: Any,
    texts: Sequence[calibration.Texts],
) -> dict[str, Any]:
    """The rows that differ most in what a file makes of them.

    Right runtimes differ too, where numbers are rounded: by about as much as
    the file does from Keras, so that twice that is allowed. It is at most a
    third of the distance between two answers: a runtime that ignores its
    input, and gives one answer to all, misses one of them by half of it.

    Args:
        encoder: runs the file, which was compared with Keras.
        model: what the file was made of.
        tokenizer: the model's.
        texts: the first of them are tried, cut to the shortest signature.

    Returns:
        `tolerance`, how far each number may be from the one here, and `rows`:
        `token_ids`, `segment_ids` where the file reads them, and `outputs` by
        name, flat.
    """
    rows = _rows(encoder, tokenizer, texts)
    answers = [_answer(encoder, row) for row in rows]
    errors = [
        np.abs(answer[name] - values).max()
        for row, answer in zip(rows, answers, strict=True)
        for name, values in _keras_answer(model, row).items()
        if name in answer
    ]
    chosen, spread = _farthest(answers)
    tolerance = max(min(2 * max(errors), spread / 3), _LEAST_TOLERANCE)
    return {
        "tolerance": round(float(tolerance), _DIGITS),
        "rows": [
            {**rows[index], "outputs": _rounded(answers[index])}
            for index in chosen
        ],
    }


def difference(encoder: LiteRTEncoder, probe: Mapping[str, Any]) -> float:
    """Measures how far the worst number is from the known one.

    Args:
        encoder: runs the file.
        probe: as `make` made it, or read from a manifest.

    Returns:
        0 or more; infinite for what is no number.

    Raises:
        LookupError, TypeError, ValueError: the probe is none of this file.
    """
    gaps = []
    for row in probe["rows"]:
        got = _answer(encoder, row)
        for name, values in row["outputs"].items():
            known = np.array(values, np.float64)
            if known.shape != got[name].shape:
                raise ValueError(f"the probe's {name} has {known.shape}")
            gaps.append(np.abs(got[name] - known).max())
    worst = float(np.max(gaps))
    return np.inf if np.isnan(worst) else worst


def _rows(
    encoder: LiteRTEncoder,
    tokenizer: Any,
    texts: Sequence[calibration.Texts],
) -> list[dict[str, Any]]:
    """Texts as rows; of a text that is alone, half is one as well."""
    length = encoder.lengths[0]
    _, encoded = calibration.encode(tokenizer, texts[:_CANDIDATES], length)
    known = encoder.runner(length).get_input_details()
    names = [name for name in ("token_ids", "segment_ids") if name in known]
    sizes = [(row, int(size)) for row, size in enumerate(encoded.lengths)]
    if len(sizes) == 1:
        sizes.append((0, (sizes[0][1] + 1) // 2))
    found = []
    for row, size in sizes:
        given = encoded.padded(np.array([row]), length)
        found.append({name: given[name][0, :size].tolist() for name in names})
    return found


def _answer(
    encoder: LiteRTEncoder, row: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Lists the numbers that an app reads of a row."""
    found = encoder(row["token_ids"], row.get("segment_ids"))
    return {name: found[name].ravel() for name in OUTPUTS if name in found}


def _keras_answer(
    model: keras.Model, row: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """All that Keras makes of a row, flat."""
    batch = {name: np.array([ids], np.int32) for name, ids in row.items()}
    batch["padding_mask"] = np.ones_like(batch["token_ids"])
    found = parity.keras_outputs(model, batch)
    return {name: values.ravel() for name, values in found.items()}


def _farthest(
    answers: Sequence[Mapping[str, np.ndarray]],
) -> tuple[list[int], float]:
    """The places of `_ROWS` answers, each far from all before it.

    Returns:
        The places, and how far the first two are apart.
    """
    points = []
    for answer in answers:
        # Of places in a text, those that all rows have.
        sizes = [min(len(a[name]) for a in answers) for name in answer]
        cut = zip(answer.values(), sizes, strict=True)
        points.append(np.concatenate([values[:size] for values, size in cut]))
    gaps = np.abs(np.array(points)[:, None] - np.array(points)).max(-1)
    chosen = [int(gaps.max(1).argmax())]
    while len(chosen) < min(_ROWS, len(points)):
        nearest = gaps[chosen].min(0)
        nearest[chosen] = -1  # Equal ones are told apart by their places.
        chosen.append(int(nearest.argmax()))
    return chosen, float(gaps.max())


def _rounded(outputs: Mapping[str, np.ndarray]) -> dict[str, list[float]]:
    return {
        name: [round(float(value), _DIGITS) for value in values]
        for name, values in outputs.items()
    }
