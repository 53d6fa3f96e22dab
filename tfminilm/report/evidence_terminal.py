"""Print evidence of models on a terminal."""

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tfminilm.report.evidence_text import (
    class_rows,
    confused,
    difference_rows,
    in_words,
    score,
    threshold_rows,
    title_of,
)
from tfminilm.tasks.judgement import Evidence, Judgement, Mistake

_MOST_COLUMNS = 12
_MOST_EXAMPLES = 5
_LONGEST_TEXT = 60


def print_evidence(evidence: Evidence, console: Console) -> None:
    """Print scores, classes, confusion, certainty and the worst answers."""
    shown = evidence.models[evidence.shown]
    title = f"{evidence.task} {evidence.split}, {evidence.examples:,} examples"
    console.print(title, markup=False, soft_wrap=True)
    _print(console, ("", "metric", "score", "95 %"), _scores(evidence))
    if shown.classes:
        _print(
            console,
            (evidence.shown, "precision", "recall", "F1", "examples"),
            class_rows(shown),
        )
    if shown.confusion:
        _print_confusion(shown, console)
    _print_certainty(shown, console)
    if shown.errors:
        errors = shown.errors
        console.print(
            f"  score less right score: mean {errors.mean:+.3f}, distance "
            f"{errors.mean_absolute:.3f}, root mean square "
            f"{errors.root_mean_square:.3f}; 9 of 10 between "
            f"{errors.low:+.2f} and {errors.high:+.2f}",
            soft_wrap=True,
        )
    _print_mistakes("worst answers", evidence, evidence.worst, console)
    if evidence.against:
        words = f"differs from {evidence.against}"
        _print_mistakes(words, evidence, evidence.disagreements, console)


def _scores(evidence: Evidence) -> Iterable[tuple[str, ...]]:
    for name, one in evidence.models.items():
        for metric, x in one.metrics.items():
            bounds = f"{score(metric, x.low)} to {score(metric, x.high)}"
            yield name, title_of(metric), score(metric, x.value), bounds
    yield from difference_rows(evidence)


def _print_confusion(shown: Judgement, console: Console) -> None:
    names = [x.label for x in shown.classes]
    if len(names) > _MOST_COLUMNS:
        _print(console, ("class", "taken for", "examples"), confused(shown))
        return
    rows = zip(names, shown.confusion, strict=True)
    _print(
        console,
        ("class \\ answer", *names),
        ((name, *map(str, counts)) for name, counts in rows),
    )


def _print_certainty(shown: Judgement, console: Console) -> None:
    certainty = shown.certainty
    if certainty is None:
        return
    console.print(
        f"  calibration error {certainty.calibration_error:.3f}; answers "
        "that are right, by how sure the model is:",
        soft_wrap=True,
    )
    _print(
        console,
        ("certainty", "right", "answers"),
        (
            (f"{x.certainty:.0%}", f"{x.right:.0%}", f"{x.count:,}")
            for x in certainty.bins
        ),
    )
    _print(
        console,
        ("asked for", "unsure below", "answered", "of these right"),
        threshold_rows(certainty),
    )


def _print_mistakes(
    words: str,
    evidence: Evidence,
    mistakes: Sequence[Mistake],
    console: Console,
) -> None:
    names = [evidence.shown]
    names += [evidence.against] if evidence.against else []
    _print(
        console,
        (words, "right", *names, "sure"),
        (
            (
                " · ".join(one.texts),
                one.expected,
                *(one.answers[name] for name in names),
                in_words(one.certainty),
            )
            for one in mistakes[:_MOST_EXAMPLES]
        ),
    )


def _print(
    console: Console, head: Sequence[str], rows: Iterable[Sequence[str]]
) -> None:
    """Print a table, unless it has no row."""
    table = Table(box=box.SIMPLE_HEAD)
    for place, name in enumerate(head):
        table.add_column(_plain(name), justify="right" if place else "left")
    for row in rows:
        table.add_row(*map(_plain, row))
    if table.row_count:
        console.print(table)


def _plain(text: str) -> Text:
    """Return a text on one line, without what moves a terminal's cursor."""
    shown = "".join(c if c.isprintable() else " " for c in text)
    shown = " ".join(shown.split())
    is_long = len(shown) > _LONGEST_TEXT
    return Text(shown[: _LONGEST_TEXT - 1] + "…" if is_long else shown)
