"""Look at labelled text before a model learns from it."""

import collections
import dataclasses
import itertools
import pathlib
from collections.abc import Iterable, Sequence

import regex

from tfminilm.errors import UserError
from tfminilm.pipeline.goals import Goal, OneClass
from tfminilm.pipeline.goals.goal import few
from tfminilm.pipeline.table import Row
from tfminilm.tasks.readers import paths

# So much of unlabelled text is looked at.
_MOST_LINES = 1_000
# A zero byte, and halves of characters.
_NO_CHARACTERS = {chr(0), *map(chr, range(0xD800, 0xE000))}
# A script has most of the letters, or hardly any.
_MOST, _HARDLY = 0.5, 0.05
_SCRIPTS = (
    *("Latin", "Cyrillic", "Greek", "Arabic", "Hebrew", "Devanagari"),
    *("Thai", "Hangul", "Hiragana", "Katakana", "Han"),
)


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
        goal: what is to be predicted.
        missing: words that are taken for no label, such as "none".
    """

    rows: int
    examples: tuple[Row, ...]
    unlabelled: tuple[tuple[str, ...], ...]
    labels: dict[str, int]
    without_text: tuple[str, ...]
    duplicates: int
    conflicts: tuple[str, ...]
    scripts: dict[str, float]
    goal: Goal
    missing: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return the findings as sentences, one a line."""
        goal, counts = self.goal, list(self.labels.values())
        lines = [
            f"{self.rows:,} rows, {len(self.examples):,} used, "
            f"{goal.describe(self.examples)}"
        ]
        if goal.reason:
            lines.append(f"{goal.kind.replace('_', ' ')}: {goal.reason}")
        lines += goal.notes(self.examples)
        times = counts[0] / counts[-1] if counts else 1
        if times >= 3:
            lines.append(
                f"imbalanced: the largest class has {times:.0f}"
                " times the rows of the smallest; compare macro F1 as well"
            )
        if self.without_text:
            lines.append(f"without text, left out: {few(self.without_text)}")
        if self.unlabelled:
            lines.append(
                f"without a label: {len(self.unlabelled):,}; if they are "
                "a tenth of the others or more, the student learns from the "
                "teacher's answers to all texts"
            )
        if self.missing:
            words = ", ".join(map(repr, self.missing))
            lines.append(
                f"taken for no label: {words}; if that is a class, write "
                "another name for it"
            )
        if self.duplicates:
            lines.append(f"duplicates, used once: {self.duplicates:,} rows")
        if self.conflicts:
            lines.append(
                "same text under several labels, left out: "
                f"{few(self.conflicts)}"
            )
        scripts = ", ".join(
            f"{name} {share:.0%}"
            for name, share in self.scripts.items()
            if share >= 0.005
        )
        lines.append(f"letters: {scripts or 'none'}")
        return lines


def look(rows: Sequence[Row], name: str, goal: Goal | None = None) -> Survey:
    """Look for what a careful person would look for.

    Args:
        rows: as they were read.
        name: what messages call the data.
        goal: what is to be predicted; one of several classes by default.

    Raises:
        UserError: no text, labels that cannot be read, or of which nothing
            can be learned: fewer than two, one of fewer than three texts, or
            some that differ only in case or spacing.
    """
    goal = goal or OneClass()
    without_text = tuple(row.where for row in rows if not all(row.texts))
    whole = [row for row in rows if all(row.texts)]
    if not whole:
        raise UserError(
            f"{name}: all {len(rows):,} texts are empty; name another column "
            "as the text's"
        )
    for row in whole:
        _require_writable(row)
    goal.check_written([row for row in whole if goal.is_labelled(row)], name)
    by_text: dict[tuple[str, ...], list[Row]] = {}
    for row in whole:
        by_text.setdefault(row.key, []).append(row)
    examples, unlabelled, conflicts, duplicates = [], [], [], 0
    for same in by_text.values():
        labelled = [row for row in same if goal.is_labelled(row)]
        if len({goal.meaning(row) for row in labelled}) > 1:
            conflicts += [row.where for row in labelled]
        elif labelled:
            examples.append(labelled[0])
            duplicates += len(labelled) - 1
        else:
            unlabelled.append(same[0].texts)
    goal.check(examples, name)
    return Survey(
        rows=len(rows),
        examples=tuple(examples),
        unlabelled=tuple(unlabelled),
        labels=goal.counts(examples),
        without_text=without_text,
        duplicates=duplicates,
        conflicts=tuple(conflicts),
        scripts=scripts(text for row in whole for text in row.texts),
        goal=goal,
        missing=tuple(sorted({row.missing for row in whole if row.missing})),
    )


def _require_writable(row: Row) -> None:
    """Refuse what no text file may hold."""
    for part in (*row.texts, *row.fields):
        wrong = next((c for c in part if c in _NO_CHARACTERS), None)
        if wrong is not None:
            raise UserError(
                f"{row.where}: the character U+{ord(wrong):04X} stands in "
                f"{part[:60]!r}, expected text: remove it"
            )


def require_like(path: pathlib.Path, report: Survey) -> None:
    """Refuse unlabelled text that is written in another script.

    Args:
        path: a .txt file, or a folder of them; its first lines are looked at.
        report: of the labelled text.

    Raises:
        UserError: most of its letters are of a script that the labelled texts
            hardly have; or it has no text.
    """
    files = sorted(path.rglob("*.txt")) if path.is_dir() else [path]
    lines = itertools.islice(
        ((f, *line) for f in files for line in paths.lines(f)), _MOST_LINES
    )
    few = list(lines)
    if not few:
        raise UserError(
            f"--unlabeled={path} holds no text; expected a .txt file or a "
            "folder of them"
        )
    shares = scripts(text for _, _, text in few)
    main, share = next(iter(shares.items()), ("", 0.0))
    if share < _MOST or report.scripts.get(main, 0.0) >= _HARDLY:
        return
    file, number, _ = next(one for one in few if main in scripts([one[2]]))
    known = ", ".join(f"{k} {v:.0%}" for k, v in report.scripts.items())
    raise UserError(
        f"--unlabeled: {share:.0%} of the letters of {file} are {main} (such "
        f"as line {number}), those of the labelled texts {known}: expected "
        "text of the same languages; leave it out, or give other"
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
