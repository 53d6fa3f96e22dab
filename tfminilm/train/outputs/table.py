"""Read a teacher's outputs that were computed elsewhere from a table.

Each row has the text, or the two texts, and the teacher's numbers: in one
column with a list of them, or in several columns. Rows are found by their
texts, so they may be in any order, and may be more than are needed.
"""

import dataclasses
import json
import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfminilm.errors import UserError
from tfminilm.tasks.encoded import Encoded, Outputs
from tfminilm.tasks.kinds import label_rows
from tfminilm.tasks.readers import columns
from tfminilm.teachers.recorded import EMBEDDING

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
# The least probability that has a logit.
_LEAST = 1e-12


@dataclasses.dataclass(frozen=True)
class Layout:
    """Say what the columns of a table hold.

    Attributes:
        texts: the names of the one or two columns of text.
        numbers: the names of the columns of numbers: one with a list of them,
            or one for each.
        output: what the numbers are called in a batch.
        labels: the classes in the order of the numbers; none of scores and
            embeddings.
        order: where each of the student's classes is among them.
        several: whether a text may have several of the classes.
        are_logits: whether numbers of classes are logits; otherwise they are
            probabilities.
    """

    texts: tuple[str, ...]
    numbers: tuple[str, ...]
    output: str
    labels: tuple[str, ...] = ()
    order: tuple[int, ...] = ()
    several: bool = False
    are_logits: bool = False


@dataclasses.dataclass(frozen=True)
class Table:
    """Hold a teacher's outputs of texts.

    Attributes:
        path: the file, for messages.
        output: what they are called.
        values: `[rows, numbers]` float32, logits or scores; of embeddings
            `[rows, 1, numbers]`.
        places: the row of each text.
        of_probabilities: whether logits are the logarithms of probabilities,
            and so known but for a constant.
    """

    path: str
    output: str
    values: np.ndarray
    places: dict[tuple[str, ...], int]
    of_probabilities: bool = False

    @classmethod
    def read(cls, path: str | os.PathLike, layout: Layout) -> "Table":
        """Read the outputs of a file.

        Args:
            path: a .csv, .tsv, .jsonl or .parquet file.
            layout: its columns.

        Raises:
            UserError: the file or a column is missing, a row's numbers are
                none, not finite, too few or too many, or a text has two rows
                with different ones. The message names the row.
        """
        file = pathlib.Path(path).expanduser()
        rows: list[np.ndarray] = []
        places: dict[tuple[str, ...], int] = {}
        wanted = (*layout.texts, *layout.numbers)
        for where, row in columns.values(file, wanted):
            values = _numbers(row, layout, where)
            width = len(layout.labels) or len(rows[0] if rows else values)
            if len(values) != width:
                expected = ", ".join(layout.labels) or "the rows above it"
                raise UserError(
                    f"{where}: {len(values)} numbers in "
                    f"{', '.join(layout.numbers)}, expected {width}, as "
                    f"{expected}; give it one for each"
                )
            key = _key([row[name] for name in layout.texts], where)
            values = _outputs(values, layout, where)
            place = places.setdefault(key, len(rows))
            if place < len(rows) and not np.allclose(values, rows[place]):
                raise UserError(
                    f"{where}: this text has other numbers in a row above it; "
                    "expected one row for each text: remove one of them"
                )
            if place == len(rows):
                rows.append(values)
        stacked = np.stack(rows)
        if layout.output == EMBEDDING:
            stacked = stacked[:, None]  # A text of one token.
        are_shares = bool(layout.labels) and not layout.are_logits
        return cls(str(file), layout.output, stacked, places, are_shares)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of the output without the batch, by its name."""
        return {self.output: self.values.shape[1:]}

    def attach(
        self, encoded: Encoded, what: str, examples: Sequence[Any]
    ) -> Encoded:
        """Return sequences with the outputs in place of a teacher's tokens.

        Args:
            encoded: as the student reads them.
            what: what messages call them, such as "sst2".
            examples: the same, with their texts.

        Raises:
            UserError: the outputs of some are not in the file.
        """
        if len(examples) != len(encoded):
            raise UserError(
                f"recipe: {self.path} has a teacher's outputs of {what} alone, "
                "and data.augment_copies or data.unlabeled adds texts: leave "
                "these out, or give a teacher that runs"
            )
        # A translation is found by the text that the teacher has read.
        texts = [getattr(x, "teacher_texts", x.texts) for x in examples]
        keys = [_key(each, what) for each in texts]
        places = np.array([self.places.get(key, -1) for key in keys])
        if (missing := np.flatnonzero(places < 0)).size:
            first = keys[missing[0]][0]
            raise UserError(
                f"{self.path} has numbers for {len(self.places):,} texts, and "
                f"{missing.size:,} of the {len(keys):,} of {what} are not "
                f"among them, such as {first[:60]!r}: add rows for them"
            )
        values = {self.output: self.values}
        return encoded.with_outputs(Outputs(values, places))


def _key(texts: Sequence[Any], where: str) -> tuple[str, ...]:
    """Return texts without what tokenizers do not see: kinds of blanks."""
    if not all(isinstance(text, str) for text in texts):
        raise UserError(f"{where}: a text is missing; give the row one")
    return tuple(" ".join(text.split()) for text in texts)


def _numbers(row: Mapping[str, Any], layout: Layout, where: str) -> np.ndarray:
    """Return the numbers of a row as they are written, float64."""
    parts: list[Any] = []
    for name in layout.numbers:
        value = row[name]
        if isinstance(value, str) and value.strip().startswith("["):
            value = _list(value, f"{where}, column {name!r}")
        parts += value if isinstance(value, list) else [value]
    values = []
    for part in parts:
        try:
            number = float(part)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise UserError(
                f"{where}: {str(part)[:60]!r} in {', '.join(layout.numbers)} "
                "is no finite number; expected the teacher's numbers in every "
                "row: compute it, or remove the row"
            )
        values.append(number)
    return np.array(values)


def _list(written: str, where: str) -> list[Any]:
    try:
        return json.loads(written)
    except ValueError as error:
        raise UserError(
            f"{where}: {written[:60]!r} is no list of numbers ({error}); "
            "expected one such as [0.25, -1.5]"
        ) from None


def _outputs(values: np.ndarray, layout: Layout, where: str) -> np.ndarray:
    """Return the logits, in the student's order, of numbers of classes."""
    if layout.labels:
        if not layout.are_logits:
            values = _logits(values, layout.several, where)
        values = values[list(layout.order)]
    return values.astype(np.float32)


def _logits(values: np.ndarray, several: bool, where: str) -> np.ndarray:
    """Return logits of probabilities, float64."""
    read = label_rows.each_for_itself if several else label_rows.one_of_several
    shares = np.clip(read(values, False, where), _LEAST, 1 - _LEAST)
    return np.log(shares) - several * np.log1p(-shares)
