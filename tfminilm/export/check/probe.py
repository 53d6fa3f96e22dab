"""Known answers: rows whose outputs tell a right runtime from a wrong one.

A bundle carries a few of its own file's answers, from the machine on which
they were compared with Keras. A runtime that reads the file wrongly, such as
one that takes a table's scales to be one, gives others.
"""

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from tfminilm.export.check import calibration, parity
from tfminilm.export.check.compare import max_difference
from tfminilm.export.litert.runner import LiteRTEncoder
from tfminilm.export.manifest import ALL_OUTPUTS, Probe, ProbeRow
from tfminilm.typing import Tokenizer

_INPUTS: tuple[str, ...] = ("token_ids", "segment_ids")
_ROWS = 3
_CANDIDATES = 32
_DIGITS = 6

# Of any file: what logits may differ by and still be the same to a person.
_LEAST_TOLERANCE = 0.01


def make(
    encoder: LiteRTEncoder,
    model: keras.Model,
    tokenizer: Tokenizer,
    texts: Sequence[calibration.Texts],
) -> Probe:
    """Choose the rows whose outputs differ most from each other.

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
        How far each number of a right runtime may be from the one here, and
        the rows, with segments where the file reads them.
    """
    rows = _rows(encoder, tokenizer, texts)
    answers = [_answer(encoder, row) for row in rows]
    error = max(
        _difference(answer, _keras_answer(model, row, list(answer)))
        for row, answer in zip(rows, answers, strict=True)
    )
    chosen, spread = _farthest(answers)
    tolerance = max(min(2 * error, spread / 3), _LEAST_TOLERANCE)
    return Probe(
        tolerance=round(float(tolerance), _DIGITS),
        rows=tuple(
            ProbeRow(**rows[index], outputs=_rounded(answers[index]))
            for index in chosen
        ),
    )


def difference(encoder: LiteRTEncoder, probe: Probe) -> float:
    """Measure how far the worst number is from the known one.

    Args:
        encoder: runs the file.
        probe: as `make` made it, or read from a manifest.

    Returns:
        0 or more; infinite for what is no number.

    Raises:
        LookupError, ValueError: the probe is none of this file.
    """
    return max(
        _difference(
            _answer(encoder, _inputs(row)),
            {name: np.array(values) for name, values in row.outputs.items()},
        )
        for row in probe.rows
    )


def _difference(
    got: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]
) -> float:
    """Return the largest difference of any of the expected outputs."""
    for name, values in expected.items():
        if values.shape != got[name].shape:
            raise ValueError(f"the probe's {name} has {values.shape}")
    return max(
        max_difference(got[name], values) for name, values in expected.items()
    )


def _inputs(row: ProbeRow) -> dict[str, tuple[int, ...]]:
    """Return what a file reads of a row, by name."""
    inputs = {"token_ids": row.token_ids}
    if row.segment_ids is not None:
        inputs["segment_ids"] = row.segment_ids
    return inputs


def _rows(
    encoder: LiteRTEncoder,
    tokenizer: Tokenizer,
    texts: Sequence[calibration.Texts],
) -> list[dict[str, tuple[int, ...]]]:
    """Turn texts into rows; half of a single text makes the second row."""
    length = encoder.lengths[0]
    _, encoded = calibration.encode(tokenizer, texts[:_CANDIDATES], length)
    read = encoder.runner(length).get_input_details()
    names = [name for name in _INPUTS if name in read]
    sizes = [(row, int(size)) for row, size in enumerate(encoded.lengths)]
    if len(sizes) == 1:
        sizes.append((0, (sizes[0][1] + 1) // 2))
    rows = []
    for row, size in sizes:
        batch = encoded.padded(np.array([row]), length)
        rows.append(
            {name: tuple(batch[name][0, :size].tolist()) for name in names}
        )
    return rows


def _answer(
    encoder: LiteRTEncoder, row: Mapping[str, Sequence[int]]
) -> dict[str, np.ndarray]:
    """Return the outputs that an app reads of a row, flat.

    The other outputs of an encoder are larger, and computed by the same
    operators.
    """
    outputs = encoder(row["token_ids"], row.get("segment_ids"))
    return {
        name: outputs[name].ravel() for name in ALL_OUTPUTS if name in outputs
    }


def _keras_answer(
    model: keras.Model, row: Mapping[str, Sequence[int]], names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Return the named outputs that Keras computes of a row, flat."""
    batch = {name: np.array([ids], np.int32) for name, ids in row.items()}
    batch["padding_mask"] = np.ones_like(batch["token_ids"])
    outputs = parity.keras_outputs(model, batch)
    return {name: outputs[name].ravel() for name in names}


def _farthest(
    answers: Sequence[Mapping[str, np.ndarray]],
) -> tuple[list[int], float]:
    """Choose `_ROWS` answers, each far from all chosen before it.

    Returns:
        Their places in `answers`, and how far the first two are apart.
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


def _rounded(
    outputs: Mapping[str, np.ndarray],
) -> dict[str, tuple[float, ...]]:
    return {
        name: tuple(round(float(value), _DIGITS) for value in values)
        for name, values in outputs.items()
    }
