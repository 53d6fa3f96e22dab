"""The content of the tables: names, numbers and gains."""

import dataclasses
from collections.abc import Callable
from typing import Any

from tfminilm.report.run_files import Run, is_number

MISSING = "-"


@dataclasses.dataclass(frozen=True)
class Cell:
    """A number as text, and its comparison with the teacher."""

    text: str
    gain: str = ""


@dataclasses.dataclass(frozen=True)
class Measure:
    """One row of the table: a measure of all models, in their order."""

    name: str
    cells: tuple[Cell, ...]
    group: str


def count(value: object) -> str:
    """Format 22713216 as `22.7 M`; also FLOPs, with B for 10^9."""
    if not is_number(value):
        return MISSING
    for unit, size in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            scaled = value / size
            return f"{scaled:.{2 if unit == 'B' else 1}f} {unit}"
    return f"{value:g}"


def megabytes(value: object) -> str:
    """Format bytes in MB (10^6)."""
    return f"{value / 1e6:.1f} MB" if is_number(value) else MISSING


def milliseconds(value: object) -> str:
    """Format milliseconds, with no more digits than timings deserve."""
    if not is_number(value):
        return MISSING
    return f"{value:.2f} ms" if value < 10 else f"{value:.1f} ms"


def ratio(value: object) -> str:
    """Format a KL divergence or a correlation with three decimals."""
    return f"{value:.3f}" if is_number(value) else MISSING


def times(teacher: object, student: object, word: str) -> str:
    """Format a gain as `4.2x smaller`; empty if unknown or none."""
    if not (is_number(teacher) and is_number(student)) or student <= 0:
        return ""
    gain = teacher / student
    return f"{gain:.1f}x {word}" if gain >= 1.05 else ""


def model_names(evaluation: dict[str, Any]) -> list[str]:
    """Return `teacher float32`, `student int8`, ... in the rows' order."""
    return [f"{row['model']} {row['precision']}" for row in evaluation["rows"]]


def lookup(row: dict[str, Any], *path: str) -> Any:
    """Return a value inside a row's objects, or `None`."""
    value: Any = row
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def measures(evaluation: dict[str, Any]) -> list[Measure]:
    """Return the rows of the table: first the costs, then the quality."""
    rows = evaluation["rows"]
    lengths = sorted({n for row in rows for n in row["flops"]}, key=int)

    def measure(
        name: str,
        path: tuple[str, ...],
        show: Callable[[Any], str],
        word: str = "",
        group: str = "cost",
    ) -> Measure:
        values = [lookup(row, *path) for row in rows]
        cells = (
            Cell(show(value), times(values[0], value, word) if word else "")
            for value in values
        )
        return Measure(name, tuple(cells), group)

    table = [
        measure("Parameters", ("parameters",), count, "fewer"),
        measure("of these token table", ("embedding_parameters",), count),
        measure("of these transformer", ("transformer_parameters",), count),
    ]
    for length in lengths:
        name = f"FLOPs, length {length}"
        table.append(measure(name, ("flops", length), count, "fewer"))
    table.append(measure("File", ("file_bytes",), megabytes, "smaller"))
    for length in lengths:
        name = f"Latency, length {length}"
        path = ("latency_ms", length, "median")
        table.append(measure(name, path, milliseconds, "faster"))
        path = ("latency_ms", length, "p95")
        table.append(measure("95th percentile", path, milliseconds))
    return table + [
        _quality(evaluation, name, key)
        for name, key in (
            ("Attention KL", "attention_kl"),
            ("Value KL", "value_kl"),
            ("Rank correlation", "rank_correlation"),
        )
    ]


def _quality(evaluation: dict[str, Any], name: str, key: str) -> Measure:
    """Return a measure of quality, with its value before training."""
    start = lookup(evaluation, "start", key)
    cells = []
    for row in evaluation["rows"]:
        has_both = is_number(start) and is_number(row.get(key))
        note = f"was {ratio(start)}" if has_both else ""
        cells.append(Cell(ratio(row.get(key)), note))
    return Measure(name, tuple(cells), "quality")


def best_student(evaluation: dict[str, Any]) -> dict[str, Any] | None:
    """Return the student with the smallest file."""
    students = [r for r in evaluation["rows"] if r["model"] == "student"]
    sized = [row for row in students if is_number(row.get("file_bytes"))]
    return min(sized, key=lambda row: row["file_bytes"], default=None)


def teacher_row(evaluation: dict[str, Any]) -> dict[str, Any] | None:
    """Return the teacher's row."""
    rows = (row for row in evaluation["rows"] if row["model"] == "teacher")
    return next(rows, None)


def terms(run: Run) -> dict[str, str]:
    """Return the terms of the run's loss: their keys in its rows by title."""
    titles = {
        "attention_transfer": "Attention KL",
        "value_relation": "Value KL",
        "embedding_mse": "Embedding MSE",
    }
    not_terms = {"loss", "step", "split", "learning_rate"}
    not_terms |= {"seconds", "tokens_per_second"}
    not_terms |= {"peak_memory_gib", "device_peak_memory_gib"}
    columns = dict.fromkeys(key for row in run.train for key in row)
    keys = [k for k in columns if k not in not_terms]
    return {
        titles.get(key, key.replace("_", " ").capitalize()): key for key in keys
    }


def fall(run: Run, key: str) -> float | None:
    """Return the last held-out value of a term, as a share of its first."""
    values = [r[key] for r in run.held_out if is_number(r.get(key))]
    if len(values) < 2 or values[0] <= 0:
        return None
    return values[-1] / values[0]


def verdict(run: Run) -> str:
    """Return the result of a run in one sentence."""
    evaluation = run.evaluation
    teacher = teacher_row(evaluation) if evaluation else None
    student = best_student(evaluation) if evaluation else None
    if teacher and student and is_number(student.get("rank_correlation")):
        return _gains(teacher, student)
    steps = lookup(run.recipe, "train", "steps")
    progress = f"{run.last_step:,}" + (
        f" of {steps:,} steps" if is_number(steps) else " steps"
    )
    title, key = next(iter(terms(run).items()), ("", ""))
    share = fall(run, key)
    if share is None:
        return f"Training stands at {progress}; nothing is evaluated yet."
    name = title[:1].lower() + title[1:]
    return (
        f"After {progress} the {name} on held-out text is "
        f"{share:.0%} of where it began; the student is not evaluated yet."
    )


def _gains(teacher: dict[str, Any], student: dict[str, Any]) -> str:
    lengths = sorted(student.get("latency_ms") or {}, key=int)
    gains = [times(teacher["file_bytes"], student["file_bytes"], "smaller")]
    if lengths:
        path = ("latency_ms", lengths[-1], "median")
        faster = times(lookup(teacher, *path), lookup(student, *path), "faster")
        gains.append(faster and f"{faster} at {lengths[-1]} tokens")
    gains = [gain for gain in gains if gain]
    return (
        f"The {student['precision']} student reaches a rank correlation of "
        f"{ratio(student['rank_correlation'])} with its teacher"
        + (f" and is {' and '.join(gains)}" if gains else "")
        + "."
    )
