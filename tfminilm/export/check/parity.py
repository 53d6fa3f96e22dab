"""Compare what an exported file computes with Keras, on real texts, padded."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import keras
import numpy as np

from tfminilm.errors import UserError
from tfminilm.export.check import calibration
from tfminilm.export.check.compare import cosines
from tfminilm.export.manifest import OutputParity, Parity
from tfminilm.export.target import TEXT_TASKS, Target
from tfminilm.tasks.head_models import gives_several_labels
from tfminilm.tasks.similarity import pool, unit
from tfminilm.teachers.embedding import embedding_of
from tfminilm.typing import Tokenizer

_RUNTIMES = {
    "litert": "LiteRT",
    "onnx": "onnxruntime",
    "saved_model": "SavedModel",
    "hugging_face": "the Hugging Face folder",
    "sentence_transformers": "the folder of sentence-transformers",
    "transformers_js": "the folder of transformers.js",
    "onnx_int8": "onnxruntime in int8",
} | dict.fromkeys(TEXT_TASKS, "LiteRT")
_BATCH = 16
_SHOWN = 80
_CLASSES = "logits"
_PLACES = ("start_logits", "end_logits")
_TOKENS = "token_logits"


class Encoder(Protocol):
    """Run one text at a time, as a `LiteRTEncoder` does."""

    @property
    def lengths(self) -> Sequence[int]:
        """The lengths to which a text may be padded."""

    def __call__(
        self,
        token_ids: np.ndarray,
        segment_ids: np.ndarray,
        padding_mask: np.ndarray,
        length: int,
    ) -> Mapping[str, np.ndarray]:
        """Run int `[length]` inputs; return outputs of a batch of one."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """Compare one output on one text with Keras', on real tokens only.

    `maximum` and `mean` are in units of the output's root mean square where
    that is above 1: states that no norm bounds may be of any size. `cosine`
    is the lowest over the output's vectors; of a task's logits, which may be
    a single number near 0, it is that of all texts' logits in a row. `agrees`
    is the share of the answers that are the same: the class, the place where
    an answer starts or ends, or the tokens' tags; None for what is no answer.
    """

    output: str
    length: int
    sentence: str
    maximum: float
    mean: float
    cosine: float
    agrees: float | None = None

    def excess(self, target: Target) -> float:
        """Return the share of the target's tolerance; up to 1 is within."""
        parts = (
            self.maximum / target.max_difference,
            (1 - self.cosine) / (1 - target.min_cosine),
        )
        return float("inf") if np.isnan(parts).any() else max(parts)


def differences(
    encoder: Encoder,
    model: keras.Model,
    tokenizer: Tokenizer,
    texts: Sequence[calibration.Texts],
) -> list[Difference]:
    """Run texts through a file's signatures and through Keras.

    Args:
        encoder: runs the file, at each of its `lengths`.
        model: what it was made of: an encoder, or one with a head.
        tokenizer: the model's.
        texts: each runs alone, in every signature: padded to its length, or
            cut to it.

    Raises:
        UserError: no texts.
    """
    differences = []
    for length in encoder.lengths:
        rows = list(_compared(encoder, model, tokenizer, texts, length))
        cosine = {
            name: _cosine_of_all([row for row in rows if row.output == name])
            for name in {row.output for row in rows}
            if _is_answer(name)
        }
        differences += [
            row.difference(length, cosine.get(row.output)) for row in rows
        ]
    return differences


def require(differences: Sequence[Difference], target: Target) -> None:
    """Refuse a file that is not within the target's tolerance.

    Raises:
        UserError: names the worst output and the text it was seen on, or the
            output that gives too few of Keras' answers.
    """
    worst = worst_of(differences, target)
    runtime = _RUNTIMES[target.format]
    allowed = f"target {target.name or '-'} allows"
    if worst.excess(target) > 1:
        raise UserError(
            f"{runtime} and Keras disagree: {worst.output} at length "
            f"{worst.length} differs by {worst.maximum:.3g} (cosine "
            f"{worst.cosine:.5f}) on {_shown(worst)}; {allowed} "
            f"{target.max_difference:g} and a cosine of {target.min_cosine:g}"
        )
    answers = _answers(differences, worst.output)
    if answers and np.mean(answers) < target.min_agreement:
        raise UserError(
            f"{runtime} and Keras disagree: {worst.output} gives another "
            f"answer in {len(answers) - answers.count(1)} of "
            f"{len(answers)} cases, such "
            f"as {_shown(worst)}; {allowed} {1 - target.min_agreement:.0%}"
        )


def worst_of(differences: Sequence[Difference], target: Target) -> Difference:
    """Return the difference that `require` names.

    It is farthest beyond the target's tolerance; or, if all are within, the
    first other answer of an output that gives too few of Keras'.
    """
    worst = max(differences, key=lambda row: row.excess(target))
    if worst.excess(target) <= 1:
        for row in differences:
            if row.agrees in (None, 1):
                continue
            answers = _answers(differences, row.output)
            if np.mean(answers) < target.min_agreement:
                return row
    return worst


def batch_of(
    difference: Difference,
    tokenizer: Tokenizer,
    texts: Sequence[calibration.Texts],
) -> dict[str, np.ndarray]:
    """Return the row `[1, length]` on which a difference was seen."""
    shown, encoded = calibration.encode(tokenizer, texts, difference.length)
    row = np.array([shown.index(difference.sentence)])
    return encoded.padded(row, difference.length)


def report(
    differences: Sequence[Difference], target: Target, sentences: int
) -> Parity:
    """Return what a manifest says: what is allowed, and what was found."""
    return Parity(
        sentences=sentences,
        max_difference_allowed=target.max_difference,
        min_cosine_allowed=target.min_cosine,
        min_agreement_allowed=target.min_agreement,
        outputs=summary(differences),
    )


def summary(differences: Sequence[Difference]) -> dict[str, OutputParity]:
    """Sum up each output: differences, lowest cosine, agreement."""
    return {
        name: OutputParity(
            max_difference=max(row.maximum for row in rows),
            mean_difference=float(np.mean([row.mean for row in rows])),
            min_cosine=min(row.cosine for row in rows),
            agreement=None
            if rows[0].agrees is None
            else float(np.mean([row.agrees for row in rows])),
            worst_sentence=max(rows, key=lambda row: row.maximum).sentence,
        )
        for name, rows in _by_output(differences).items()
    }


@dataclasses.dataclass(frozen=True)
class _Pair:
    """One output on one text, the file's and Keras', `[..., width]` float64."""

    output: str
    sentence: str
    got: np.ndarray
    expected: np.ndarray
    are_labels: bool = False

    def difference(self, length: int, cosine: float | None) -> Difference:
        got, expected = self.got, self.expected
        scale = max(1.0, float(np.sqrt(np.mean(np.square(expected)))))
        gap = np.abs(got - expected) / scale
        agrees = None
        if self.are_labels:
            agrees = float(((got >= 0.5) == (expected >= 0.5)).all())
        elif _is_answer(self.output) and expected.size > 1:
            same = got.argmax(axis=-1) == expected.argmax(axis=-1)
            agrees = float(np.mean(same))
        return Difference(
            output=self.output,
            length=length,
            sentence=self.sentence,
            maximum=float(gap.max()),
            mean=float(gap.mean()),
            cosine=float(cosines(got, expected).min())
            if cosine is None
            else cosine,
            agrees=agrees,
        )


def _compared(
    encoder: Encoder,
    model: keras.Model,
    tokenizer: Tokenizer,
    texts: Sequence[calibration.Texts],
    length: int,
) -> Iterable[_Pair]:
    """Yield the outputs of both for each text, cut to its real tokens."""
    shown, encoded = calibration.encode(tokenizer, texts, length)
    is_task = hasattr(model, "num_classes")
    are_labels = is_task and gives_several_labels(model)
    for start in range(0, len(encoded), _BATCH):
        numbers = np.arange(start, min(start + _BATCH, len(encoded)))
        batch = encoded.padded(numbers, length)
        expected = keras_outputs(model, batch)
        for index, number in enumerate(numbers):
            row = {name: value[index] for name, value in batch.items()}
            got = encoder(**row, length=length)
            real = int(encoded.lengths[number])
            for name, values in expected.items():
                if name in got:
                    yield _Pair(
                        name,
                        shown[number],
                        _real(name, got[name][0], real),
                        _real(name, values[index], real),
                        are_labels,
                    )


def keras_outputs(
    model: keras.Model, batch: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return the model's outputs, and each row's sentence embedding."""
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
    embedding = embedding_of(model)
    vectors = pool(states, batch["padding_mask"], embedding.pooling)
    if embedding.normalize:
        vectors = unit(vectors)
    return {**outputs, "sentence_embedding": vectors}


def _real(name: str, values: np.ndarray, real: int) -> np.ndarray:
    """Leave out the rows or places of padding."""
    if name in ("sequence_output", _TOKENS, *_PLACES):
        values = values[:real]
    return values.astype(np.float64)


def _answers(differences: Sequence[Difference], output: str) -> list[float]:
    """List for an output's answers the share of them that are Keras'."""
    rows = (row for row in differences if row.output == output)
    return [row.agrees for row in rows if row.agrees is not None]


def _is_answer(name: str) -> bool:
    return name in (_CLASSES, _TOKENS, *_PLACES)


def _cosine_of_all(rows: Sequence[_Pair]) -> float:
    got = np.concatenate([row.got.ravel() for row in rows])
    expected = np.concatenate([row.expected.ravel() for row in rows])
    return float(cosines(got, expected))


def _by_output(
    differences: Sequence[Difference],
) -> dict[str, list[Difference]]:
    rows: dict[str, list[Difference]] = {}
    for row in differences:
        rows.setdefault(row.output, []).append(row)
    return rows


def _shown(difference: Difference) -> str:
    text = difference.sentence
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")
