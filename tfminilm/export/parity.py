"""Is what runs on the phone what Keras computed? On sentences, padded."""

import dataclasses
import os
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from tfminilm.errors import UserError
from tfminilm.export.runner import LiteRTEncoder
from tfminilm.export.target import Target

_BATCH = 16


@dataclasses.dataclass(frozen=True)
class Difference:
    """How one output on one sentence differs from Keras', real tokens only.

    `maximum` and `mean` are in units of the output's root mean square where
    that is above 1: states that no norm bounds may be of any size. `cosine` is
    the lowest over the output's vectors.
    """

    output: str
    length: int
    sentence: str
    maximum: float
    mean: float
    cosine: float

    def excess(self, target: Target) -> float:
        """How far beyond the target's tolerance; up to 1 is within."""
        parts = (
            self.maximum / target.max_difference,
            (1 - self.cosine) / (1 - target.min_cosine),
        )
        return float("inf") if np.isnan(parts).any() else max(parts)


def differences(
    path: str | os.PathLike,
    backbone: keras.Model,
    tokenizer: Any,
    sentences: Sequence[str],
) -> list[Difference]:
    """Runs sentences through a file's signatures and through Keras.

    Each sentence runs alone, and the first two as a pair of segments, in
    every signature: padded to its length, or cut to it.

    Raises:
        UserError: no sentences.
    """
    if not sentences:
        raise UserError("no sentences to check parity on, expected one or more")
    encoder = LiteRTEncoder(path)
    found = []
    for length in encoder.lengths:
        examples = list(_examples(tokenizer, sentences, length))
        for start in range(0, len(examples), _BATCH):
            part = examples[start : start + _BATCH]
            wanted = _keras_outputs(backbone, [row for _, row in part])
            for index, (sentence, row) in enumerate(part):
                got = encoder(**row, length=length)
                real = int(row["padding_mask"].sum())
                found += [
                    _difference(
                        name, length, sentence, got[name], value[index], real
                    )
                    for name, value in wanted.items()
                    if name in got
                ]
    return found


def batch(
    tokenizer: Any, sentences: Sequence[str], length: int
) -> dict[str, np.ndarray]:
    """The sentences that `differences` runs, as one batch for Keras."""
    rows = [row for _, row in _examples(tokenizer, sentences, length)]
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def require(found: Sequence[Difference], target: Target) -> None:
    """Refuses a file that is not within the target's tolerance.

    Raises:
        UserError: names the worst output and the sentence it was seen on.
    """
    worst = max(found, key=lambda difference: difference.excess(target))
    if worst.excess(target) > 1:
        shown = worst.sentence
        if len(shown) > 80:
            shown = shown[:77] + "..."
        raise UserError(
            f"LiteRT and Keras disagree: {worst.output} at length "
            f"{worst.length} differs by {worst.maximum:.3g} (cosine "
            f"{worst.cosine:.5f}) on {shown!r}; target {target.name or '-'} "
            f"allows {target.max_difference:g} and a cosine of "
            f"{target.min_cosine:g}; nothing was written"
        )


def summary(found: Sequence[Difference]) -> dict[str, dict[str, Any]]:
    """Per output: the largest and mean difference, the lowest cosine."""
    names = dict.fromkeys(difference.output for difference in found)
    rows = {name: [d for d in found if d.output == name] for name in names}
    return {
        name: {
            "max_difference": max(d.maximum for d in row),
            "mean_difference": float(np.mean([d.mean for d in row])),
            "min_cosine": min(d.cosine for d in row),
            "worst_sentence": max(row, key=lambda d: d.maximum).sentence,
        }
        for name, row in rows.items()
    }


def _examples(
    tokenizer: Any, sentences: Sequence[str], length: int
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Sentences, and rows `[length]` of ids, segments and mask for each."""
    texts = [(sentence,) for sentence in sentences]
    pair = [tuple(sentences[:2])] if len(sentences) > 1 else []
    for parts in [*texts, *pair]:
        ids, segments = [tokenizer.cls_token_id], [0]
        for segment, part in enumerate(parts):
            # A pair keeps room for its second part.
            room = length - 1 if segment else (length - 1) // len(parts)
            room = max(room - len(ids), 0)
            words = [int(token) for token in tokenizer(part)][:room]
            ids += [*words, tokenizer.sep_token_id]
            segments += [segment] * (len(words) + 1)
        row = {
            name: np.zeros(length, np.int32)
            for name in ("token_ids", "segment_ids", "padding_mask")
        }
        row["token_ids"][:] = tokenizer.pad_token_id
        count = min(len(ids), length)
        row["token_ids"][:count] = ids[:count]
        row["segment_ids"][:count] = segments[:count]
        row["padding_mask"][:count] = 1
        yield " [SEP] ".join(parts), row


def _keras_outputs(
    backbone: Any, rows: Sequence[dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """The backbone's own outputs, and the mean over each row's real tokens."""
    batch = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    wanted = {spec.name for spec in backbone.inputs}
    outputs = backbone(
        {name: value for name, value in batch.items() if name in wanted},
        training=False,
    )
    outputs = {
        name: keras.ops.convert_to_numpy(keras.ops.cast(value, "float32"))
        for name, value in outputs.items()
    }
    mask = batch["padding_mask"][:, :, None]
    total = (outputs["sequence_output"] * mask).sum(1)
    return {**outputs, "sentence_embedding": total / mask.sum(1)}


def _difference(
    name: str,
    length: int,
    sentence: str,
    got: np.ndarray,
    wanted: np.ndarray,
    real: int,
) -> Difference:
    got = got[0].astype(np.float64)
    if name == "sequence_output":
        got, wanted = got[:real], wanted[:real]
    scale = max(1.0, float(np.sqrt(np.mean(np.square(wanted, dtype=float)))))
    gap = np.abs(got - wanted) / scale
    norms = np.linalg.norm(got, axis=-1) * np.linalg.norm(wanted, axis=-1)
    cosine = (got * wanted).sum(-1) / np.maximum(norms, 1e-30)
    return Difference(
        output=name,
        length=length,
        sentence=sentence,
        maximum=float(gap.max()),
        mean=float(gap.mean()),
        cosine=float(cosine.min()),
    )
