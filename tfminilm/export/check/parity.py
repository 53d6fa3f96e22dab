"""Is what runs on the phone what Keras computed? On real texts, padded."""

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from tfminilm.errors import UserError
from tfminilm.export.check import calibration
from tfminilm.export.litert.runner import LiteRTEncoder
from tfminilm.export.target import Target

_RUNTIMES = {
    "litert": "LiteRT",
    "onnx": "onnxruntime",
    "saved_model": "SavedModel",
    "hugging_face": "the Hugging Face folder",
}
_BATCH = 16
_SHOWN = 80
_CLASSES = "logits"
_PLACES = ("start_logits", "end_logits")


@dataclasses.dataclass(frozen=True)
class Difference:
    """How one output on one text differs from Keras', real tokens only.

    `maximum` and `mean` are in units of the output's root mean square where
    that is above 1: states that no norm bounds may be of any size. `cosine`
    is the lowest over the output's vectors; of a task's logits, which may be
    a single number near 0, it is that of all texts' logits in a row. `agrees`
    says whether the answer is the same: the class, or the place where an
    answer starts or ends; None for what is no answer.
    """

    output: str
    length: int
    sentence: str
    maximum: float
    mean: float
    cosine: float
    agrees: bool | None = None

    def excess(self, target: Target) -> float:
        """How far beyond the target's tolerance; up to 1 is within."""
        parts = (
            self.maximum / target.max_difference,
            (1 - self.cosine) / (1 - target.min_cosine),
        )
        return float("inf") if np.isnan(parts).any() else max(parts)


def differences(
    path: Any,
    model: keras.Model,
    tokenizer: Any,
    texts: Sequence[calibration.Texts],
) -> list[Difference]:
    """Runs texts through a file's signatures and through Keras.

    Args:
        path: a file of `litert.convert`, or what runs another one as a
            `LiteRTEncoder` would, at its `lengths`.
        model: what it was made of: an encoder, or one with a head.
        tokenizer: the model's.
        texts: each runs alone, in every signature: padded to its length, or
            cut to it.

    Raises:
        UserError: no texts.
    """
    is_path = isinstance(path, str | os.PathLike)
    encoder = LiteRTEncoder(path) if is_path else path
    found = []
    for length in encoder.lengths:
        rows = list(_compared(encoder, model, tokenizer, texts, length))
        cosines = {
            name: _cosine_of_all([row for row in rows if row.output == name])
            for name in {row.output for row in rows}
            if _is_answer(name)
        }
        found += [
            row.difference(length, cosines.get(row.output)) for row in rows
        ]
    return found


def require(found: Sequence[Difference], target: Target) -> None:
    """Refuses a file that is not within the target's tolerance.

    Raises:
        UserError: names the worst output and the text it was seen on, or the
            output that gives too few of Keras' answers.
    """
    worst = worst_of(found, target)
    runtime = _RUNTIMES[target.format]
    allowed = f"target {target.name or '-'} allows"
    if worst.excess(target) > 1:
        raise UserError(
            f"{runtime} and Keras disagree: {worst.output} at length "
            f"{worst.length} differs by {worst.maximum:.3g} (cosine "
            f"{worst.cosine:.5f}) on {_shown(worst)}; {allowed} "
            f"{target.max_difference:g} and a cosine of {target.min_cosine:g}"
        )
    answers = _answers(found, worst.output)
    if answers and np.mean(answers) < target.min_agreement:
        raise UserError(
            f"{runtime} and Keras disagree: {worst.output} gives another "
            f"answer in {answers.count(False)} of {len(answers)} cases, such "
            f"as {_shown(worst)}; {allowed} {1 - target.min_agreement:.0%}"
        )


def worst_of(found: Sequence[Difference], target: Target) -> Difference:
    """The one that `require` names.

    It is farthest beyond the target's tolerance; or, if all are within, the
    first other answer of an output that gives too few of Keras'.
    """
    worst = max(found, key=lambda difference: difference.excess(target))
    if worst.excess(target) <= 1:
        for row in found:
            if row.agrees is not False:
                continue
            if np.mean(_answers(found, row.output)) < target.min_agreement:
                return row
    return worst


def batch_of(
    difference: Difference,
    tokenizer: Any,
    texts: Sequence[calibration.Texts],
) -> dict[str, np.ndarray]:
    """The row `[1, length]` on which a difference was seen."""
    shown, encoded = calibration.encode(tokenizer, texts, difference.length)
    row = np.array([shown.index(difference.sentence)])
    return encoded.padded(row, difference.length)


def report(
    found: Sequence[Difference], target: Target, sentences: int
) -> dict[str, Any]:
    """What a manifest says of parity: what is allowed, and what was found."""
    return {
        "sentences": sentences,
        "max_difference_allowed": target.max_difference,
        "min_cosine_allowed": target.min_cosine,
        "min_agreement_allowed": target.min_agreement,
        "outputs": summary(found),
    }


def summary(found: Sequence[Difference]) -> dict[str, dict[str, Any]]:
    """Per output: largest and mean difference, lowest cosine, agreement."""
    return {
        name: {
            "max_difference": max(d.maximum for d in row),
            "mean_difference": float(np.mean([d.mean for d in row])),
            "min_cosine": min(d.cosine for d in row),
            "agreement": None
            if row[0].agrees is None
            else float(np.mean([d.agrees for d in row])),
            "worst_sentence": max(row, key=lambda d: d.maximum).sentence,
        }
        for name, row in _by_output(found).items()
    }


@dataclasses.dataclass(frozen=True)
class _Pair:
    """One output of both on one text: `[..., width]` in float64."""

    output: str
    sentence: str
    got: np.ndarray
    wanted: np.ndarray

    def difference(self, length: int, cosine: float | None) -> Difference:
        got, wanted = self.got, self.wanted
        scale = max(1.0, float(np.sqrt(np.mean(np.square(wanted)))))
        gap = np.abs(got - wanted) / scale
        agrees = None
        if _is_answer(self.output) and wanted.size > 1:
            agrees = bool(got.argmax() == wanted.argmax())
        return Difference(
            output=self.output,
            length=length,
            sentence=self.sentence,
            maximum=float(gap.max()),
            mean=float(gap.mean()),
            cosine=float(_cosines(got, wanted).min())
            if cosine is None
            else cosine,
            agrees=agrees,
        )


def _compared(
    encoder: LiteRTEncoder,
    model: Any,
    tokenizer: Any,
    texts: Sequence[calibration.Texts],
    length: int,
) -> Iterable[_Pair]:
    """What both make of each text, cut to its real tokens."""
    shown, encoded = calibration.encode(tokenizer, texts, length)
    for start in range(0, len(encoded), _BATCH):
        numbers = np.arange(start, min(start + _BATCH, len(encoded)))
        batch = encoded.padded(numbers, length)
        wanted = keras_outputs(model, batch)
        for index, number in enumerate(numbers):
            row = {name: value[index] for name, value in batch.items()}
            got = encoder(**row, length=length)
            real = int(encoded.lengths[number])
            for name, values in wanted.items():
                if name in got:
                    yield _Pair(
                        name,
                        shown[number],
                        _real(name, got[name][0], real),
                        _real(name, values[index], real),
                    )


def keras_outputs(
    model: Any, batch: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The model's own outputs, and the mean over each row's real tokens."""
    outputs = model({name: batch[name] for name in model.input}, training=False)
    if not isinstance(outputs, dict):
        is_task = hasattr(model, "backbone")
        outputs = {_CLASSES if is_task else "sequence_output": outputs}
    outputs = {
        name: keras.ops.convert_to_numpy(keras.ops.cast(value, "float32"))
        for name, value in outputs.items()
    }
    states = outputs.get("sequence_output")
    if states is None:
        return outputs
    mask = batch["padding_mask"][:, :, None]
    mean = (states * mask).sum(1) / mask.sum(1)
    return {**outputs, "sentence_embedding": mean}


def _real(name: str, values: np.ndarray, real: int) -> np.ndarray:
    """Without the rows or places of padding."""
    if name == "sequence_output" or name in _PLACES:
        values = values[:real]
    return values.astype(np.float64)


def _answers(found: Sequence[Difference], output: str) -> list[bool]:
    """Which of an output's answers are Keras'; none of what is no answer."""
    rows = (row for row in found if row.output == output)
    return [row.agrees for row in rows if row.agrees is not None]


def _is_answer(name: str) -> bool:
    return name == _CLASSES or name in _PLACES


def _cosine_of_all(rows: Sequence[_Pair]) -> float:
    got = np.concatenate([row.got for row in rows])
    return float(_cosines(got, np.concatenate([row.wanted for row in rows])))


def _cosines(got: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(got, axis=-1) * np.linalg.norm(wanted, axis=-1)
    return (got * wanted).sum(-1) / np.maximum(norms, 1e-30)


def _by_output(found: Sequence[Difference]) -> dict[str, list[Difference]]:
    names = dict.fromkeys(difference.output for difference in found)
    return {name: [d for d in found if d.output == name] for name in names}


def _shown(difference: Difference) -> str:
    text = difference.sentence
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")
