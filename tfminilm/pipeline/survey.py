"""Look at labelled text before a model learns from it."""

import collections
import dataclasses
from collections.abc import Iterable, Sequence

import regex

from tfminilm.errors import UserError
from tfminilm.pipeline.table import Row
from tfminilm.tasks.readers.csv_file import check_names

_SCRIPTS = (
    *("Latin", "Cyrillic", "Greek", "Arabic", "Hebrew", "Devanagari"),
    *("Thai", "Hangul", "Hiragana", "Katakana", "Han"),
)
# One row of a class for each split.
_FEWEST_ROWS = 3
_MOST_SHOWN = 3


@dataclasses.dataclass(frozen=True)
class Survey:
    """Say what is in the data, and what of it is used.

    Attributes:
        rows: how many were read.
        examples: rows with text and label, each text once.
        unlabelled: texts of rows without a label, each once.
        labels: rows of each class among `examples`, most frequent first.
        without_text: places of rows without a text, which are left out.
        duplicates: how many rows repeat another's text and label.
        conflicts: places of rows whose text stands under several labels; all
            are left out.
        scripts: the share of letters of each script, largest first.
    """

    rows: int
    examples: tuple[Row, ...]
    unlabelled: tuple[tuple[str, ...], ...]
    labels: dict[str, int]
    without_text: tuple[str, ...]
    duplicates: int
    conflicts: tuple[str, ...]
    scripts: dict[str, float]

    def lines(self) -> list[str]:
        """Return the findings as sentences, one a line."""
        counts = list(self.labels.values())
        shown = ", ".join(f"{k} {n:,}" for k, n in self.labels.items())
        lines = [
            f"{self.rows:,} rows, {len(self.examples):,} used, "
            f"{len(self.labels)} classes: {_cut(shown)}"
        ]
        times = counts[0] / counts[-1]
        if times >= 3:
            lines.append(
                f"imbalanced: the largest class has {times:.0f}"
                " times the rows of the smallest; compare macro F1 as well"
            )
        if self.without_text:
            lines.append(f"without text, left out: {_few(self.without_text)}")
        if self.unlabelled:
            lines.append(
                f"without a label: {len(self.unlabelled):,}; if they are "
                "a tenth of the others or more, the student learns from the "
                "teacher's answers to all texts"
            )
        if self.duplicates:
            lines.append(f"duplicates, used once: {self.duplicates:,} rows")
        if self.conflicts:
            lines.append(
                "same text under several labels, left out: "
                f"{_few(self.conflicts)}"
            )
        scripts = ", ".join(
            f"{name} {share:.0%}"
            for name, share in self.scripts.items()
            if share >= 0.005
        )
        lines.append(f"letters: {scripts or 'none'}")
        return lines


def look(rows: Sequence[Row], name: str) -> Survey:
    """Look for what a careful person would look for.

    Args:
        rows: as they were read.
        name: what messages call the data.

    Raises:
        UserError: no text, fewer than two classes, a class of fewer than
            three texts, labels that differ only in case or spacing, or labels
            that are numbers rather than classes.
    """
    without_text = tuple(row.where for row in rows if not all(row.texts))
    whole = [row for row in rows if all(row.texts)]
    if not whole:
        raise UserError(
            f"{name}: all {len(rows):,} texts are empty; name another column "
            "as the text's"
        )
    by_text: dict[tuple[str, ...], list[Row]] = {}
    for row in whole:
        by_text.setdefault(row.key, []).append(row)
    examples, unlabelled, conflicts, duplicates = [], [], [], 0
    for same in by_text.values():
        labelled = [row for row in same if row.label]
        names = {row.label for row in labelled}
        if len(names) > 1 and len({_plain(x) for x in names}) > 1:
            conflicts += [row.where for row in labelled]
        elif labelled:
            examples.append(labelled[0])
            duplicates += len(labelled) - 1
        else:
            unlabelled.append(same[0].texts)
    every = [row for row in whole if row.label]
    _require_distinct(every, name)
    counts = collections.Counter(row.label for row in examples)
    _require_classes(counts, examples, name)
    return Survey(
        rows=len(rows),
        examples=tuple(examples),
        unlabelled=tuple(unlabelled),
        labels=dict(counts.most_common()),
        without_text=without_text,
        duplicates=duplicates,
        conflicts=tuple(conflicts),
        scripts=scripts(text for row in whole for text in row.texts),
    )


def scripts(texts: Iterable[str]) -> dict[str, float]:
    """Return the share of letters of each script, the largest first."""
    counts: collections.Counter[str] = collections.Counter()
    for text in texts:
        for name, pattern in _PATTERNS.items():
            counts[name] += len(pattern.findall(text))
    total = counts.total()
    return {name: n / total for name, n in counts.most_common() if n}


_PATTERNS = {name: regex.compile(rf"\p{{{name}}}") for name in _SCRIPTS}


def _plain(label: str) -> str:
    return " ".join(label.casefold().split())


def _require_distinct(rows: Sequence[Row], name: str) -> None:
    """Refuse labels that a person would take for one."""
    written: dict[str, Row] = {}
    for row in rows:
        first = written.setdefault(_plain(row.label), row)
        if first.label != row.label:
            raise UserError(
                f"{name}: labels {first.label!r} ({first.where}) and "
                f"{row.label!r} ({row.where}) differ in case or spacing alone; "
                "write them alike"
            )


def _require_classes(
    counts: "collections.Counter[str]", examples: Sequence[Row], name: str
) -> None:
    if len(counts) < 2:
        only = next(iter(counts), None)
        labels = "no label" if only is None else f"the label {only!r} alone"
        raise UserError(
            f"{name}: {labels}; expected two classes or more: name another "
            "column as the label's"
        )
    check_names(counts, name)
    for label, count in counts.items():
        if count < _FEWEST_ROWS:
            places = [row.where for row in examples if row.label == label]
            raise UserError(
                f"{name}: label {label!r} has {count} "
                f"text{'s' * (count != 1)} ({_few(places)}), expected "
                f"{_FEWEST_ROWS} or more, one a split: add some, or remove it"
            )


def _few(places: Sequence[str]) -> str:
    shown = "; ".join(places[:_MOST_SHOWN])
    more = len(places) - _MOST_SHOWN
    return shown + (f" and {more:,} more" if more > 0 else "")


def _cut(text: str, most: int = 300) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."
