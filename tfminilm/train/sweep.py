"""Run a recipe with each setting of a grid, and find the best by the dev set.

As papers choose alpha, temperatures and learning rates for each task.
"""

import dataclasses
import itertools
import math
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfminilm import files, json_files
from tfminilm.errors import NotFiniteError, UsageError, UserError
from tfminilm.tasks.kinds import kind_of
from tfminilm.train.distill import distill
from tfminilm.train.distributed import SINGLE_DEVICE, DistributedContext
from tfminilm.train.progress import Progress
from tfminilm.train.recipe import Recipe
from tfminilm.train.sources.task import task_of
from tfminilm.typing import Json, Source

NAME = "sweep.json"
_FOLDER = "cells"
_MOST_CELLS = 10_000
_WORDS = {"true": True, "false": False}

Values = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Cell:
    """One setting of a grid, and what came of it.

    Attributes:
        folder: its workdir.
        values: the keys of the recipe that are its own.
        score: its dev score, or its held-out loss; `None` if its loss was no
            longer finite.
        step: of which the score is.
    """

    folder: str
    values: Values
    score: float | None = None
    step: int = 0


def read_grid(config: Mapping[str, Any], keys: Sequence[str]) -> list[Values]:
    """Return the settings that "KEY=VALUE,VALUE" of several keys make.

    Args:
        config: the recipe, whose values say of what type others are.
        keys: as on the command line; the last one changes fastest.

    Raises:
        UsageError: a key is not in the recipe, or a value is of another type.
    """
    grid: dict[str, list[Any]] = {}
    for text in keys:
        key, equals, written = text.partition("=")
        if not equals or not written or key in grid:
            raise UsageError(
                f"--sweep={text}: expected each key once with its values, such "
                "as --sweep=method.alpha=0.2,0.5,0.7"
            )
        current = _current(config, key)
        grid[key] = [_parsed(x, current, key) for x in written.split(",")]
    count = math.prod(map(len, grid.values()))
    if count > _MOST_CELLS:
        raise UsageError(
            f"--sweep makes {count:,} runs, expected {_MOST_CELLS:,} or fewer"
        )
    return [
        dict(zip(grid, values, strict=True))
        for values in itertools.product(*grid.values())
    ]


def sweep(
    config: Mapping[str, Any],
    grid: Sequence[Values],
    workdir: Source,
    by: str = "",
    context: DistributedContext = SINGLE_DEVICE,
) -> list[Cell]:
    """Run all settings, going on where an earlier start stopped.

    Each runs in a workdir of its own in the folder "cells" of `workdir`, where
    `sweep.json` lists them, the best first. Of one whose loss is no longer
    finite this is noted, and the next one runs.

    Args:
        config: the recipe as nested mappings.
        grid: what `read_grid` returned.
        workdir: the folder of the whole.
        by: the metric that counts; by default the one that the task's papers
            report first, or the loss where none is measured.
        context: the replicas that share each batch.

    Returns:
        The cells, the best first.

    Raises:
        UserError: a recipe cannot be run, or none came to an end.
        UsageError: settings have losses that do not compare.
        Interrupted: a signal stopped it.
    """
    path = pathlib.Path(workdir)
    recipes = [Recipe.parse(_with(config, values)) for values in grid]
    by = by or _metric(recipes[0])
    _require_comparable(grid, by)
    names = [_name(values) for values in grid]
    if len(set(names)) < len(names):
        raise UsageError("--sweep names a value twice: expected each once")
    cells = []
    with Progress(quiet=not context.is_chief) as progress:
        settings = zip(grid, names, recipes, strict=True)
        for number, (values, name, recipe) in enumerate(settings, 1):
            progress.say(f"setting {number} of {len(names)}: {name}")
            folder = path / _FOLDER / name
            cell = Cell(str(folder), values)
            try:
                distill(recipe, folder, context)
            except NotFiniteError as error:
                progress.say(str(error))
            else:
                score, step = _score(folder, recipe, by)
                cell = dataclasses.replace(cell, score=score, step=step)
            cells.append(cell)
            if context.is_chief:
                _write(path, _sorted(cells, by), by, len(names))
    if all(cell.score is None for cell in cells):
        raise UserError(
            "no setting of --sweep kept a finite loss: give lower values of "
            "train.learning_rate, or train.precision=float32"
        )
    return _sorted(cells, by)


def _current(config: Mapping[str, Any], key: str) -> Any:
    """Return the value that the recipe has for a dotted key."""
    value: Any = config
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise UsageError(
                f"--sweep={key}: the recipe has no such key; tfminilm distill "
                "--config=RECIPE --help lists its keys"
            )
        value = value[part]
    if not isinstance(value, bool | int | float | str):
        raise UsageError(
            f"--sweep={key}: expected a key of a number, a word, true or false"
        )
    return value


def _parsed(written: str, current: Any, key: str) -> Any:
    kind, word = type(current), written.strip()
    try:
        return _WORDS[word.lower()] if kind is bool else kind(word)
    except (KeyError, ValueError):
        raise UsageError(
            f"--sweep={key}: {written!r} is no {kind.__name__}, as "
            f"{current!r} is"
        ) from None


def _with(config: Mapping[str, Any], values: Values) -> dict[str, Any]:
    """Return a copy of a recipe's mappings with some values replaced."""
    changed = {
        key: _with(value, {}) if isinstance(value, Mapping) else value
        for key, value in config.items()
    }
    for key, value in values.items():
        *parents, last = key.split(".")
        place = changed
        for parent in parents:
            place = place[parent]
        place[last] = value
    return changed


def _metric(recipe: Recipe) -> str:
    """Return the metric of the last stage's task, or "loss"."""
    *_, last = recipe.runs().values()
    if last.method.reads != "labels" or not last.data.task:
        return "loss"
    task = task_of(last.data)
    is_scored = kind_of(task).is_scored_in_training and task.metrics
    return task.metrics[0] if is_scored else "loss"


def _require_comparable(grid: Sequence[Values], by: str) -> None:
    """Refuse to compare losses that the settings themselves define."""
    changed = [key for key in grid[0] if "method" in key.split(".")]
    if by == "loss" and changed:
        raise UsageError(
            f"--sweep={changed[0]}: with another method the held-out losses do "
            "not compare; expected a recipe that ends on a task with labels, "
            "whose score does"
        )


def _name(values: Values) -> str:
    """Return a folder's name that tells a setting from the others."""
    text = ",".join(f"{key}={value}" for key, value in values.items())
    return re.sub(r"[^\w.,=+-]", "_", text)


def _score(folder: pathlib.Path, recipe: Recipe, by: str) -> tuple[float, int]:
    """Return the score of a finished run's student, and its step."""
    *_, (name, last) = recipe.runs().items()
    rows = [row for row in _held_out(folder / name) if by in row]
    if not rows:
        raise UserError(
            f"--sweep_by={by}: {folder} measured no such metric, expected one "
            "in its metrics.jsonl"
        )
    if not last.train.best_by:
        return rows[-1][by], rows[-1]["step"]
    best = (min if by == "loss" else max)(rows, key=lambda row: row[by])
    return best[by], best["step"]


def _held_out(folder: pathlib.Path) -> Iterator[dict[str, Any]]:
    shape = {"step": int, "split": str}
    path = folder / "metrics.jsonl"
    for row in json_files.read_lines(path, shape, "", skips="all"):
        if row["split"] == "held_out":
            yield row


def _sorted(cells: Sequence[Cell], by: str) -> list[Cell]:
    """Return the best cell first; those without a score last."""
    sign = 1 if by == "loss" else -1

    def place(cell: Cell) -> float:
        return math.inf if cell.score is None else sign * cell.score

    return sorted(cells, key=place)


def _write(
    folder: pathlib.Path, cells: Sequence[Cell], by: str, count: int
) -> None:
    content: Json = {
        "by": by,
        "settings": count,
        "cells": [dataclasses.asdict(cell) for cell in cells],
    }
    files.write_json(folder / NAME, content)
