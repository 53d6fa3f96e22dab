"""Reading what a run left in its workdir, whole or half done."""

import dataclasses
import json
import math
import os
import pathlib
from typing import Any

from tfminilm.errors import UserError

Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Run:
    """A workdir's contents, as far as there are any.

    `train` and `held_out` are the rows of `metrics.jsonl` by step, each step
    once; `evaluation` is the content of `evaluation.json`, or `None`.
    """

    workdir: pathlib.Path
    recipe: dict[str, Any]
    train: list[Row]
    held_out: list[Row]
    evaluation: dict[str, Any] | None

    @property
    def last_step(self) -> int:
        """The last step that reported anything; 0 before training."""
        return max([row["step"] for row in self.train + self.held_out] + [0])


def read_run(workdir: str | os.PathLike) -> Run:
    """Reads a workdir.

    Raises:
        UserError: it is no workdir, or one of its files is damaged.
    """
    workdir = check_workdir(workdir)
    evaluation = workdir / "evaluation.json"
    rows = _metrics(workdir / "metrics.jsonl")
    return Run(
        workdir=workdir,
        recipe=_object(workdir / "recipe.json"),
        train=_by_step(rows, "train"),
        held_out=_by_step(rows, "held_out"),
        evaluation=_object(evaluation) if evaluation.exists() else None,
    )


def check_workdir(workdir: str | os.PathLike) -> pathlib.Path:
    """The path of a workdir that is one.

    Raises:
        UserError: there is no folder, or no `recipe.json` in it.
    """
    workdir = pathlib.Path(workdir)
    if not (workdir / "recipe.json").is_file():
        what = "has no recipe.json" if workdir.is_dir() else "is no folder"
        raise UserError(
            f"{workdir} {what}; expected the --workdir that a run of "
            "`tfminilm distill` wrote"
        )
    return workdir


def read_stages(workdir: str | os.PathLike) -> list[Run]:
    """A run's stages, as far as they have begun, in order.

    A run of one stage is its own only one.

    Raises:
        UserError: it is no workdir, no stage has begun, or a file is damaged.
    """
    workdir = check_workdir(workdir)
    names = _object(workdir / "recipe.json").get("stages")
    if not names:
        return [read_run(workdir)]
    begun = [
        read_run(workdir / name)
        for name in names
        if (workdir / name / "recipe.json").is_file()
    ]
    if not begun:
        raise UserError(
            f"{workdir}: none of its stages has begun; start `tfminilm "
            "distill` again"
        )
    return begun


def is_number(value: Any) -> bool:
    """Whether a value of a row is a finite number."""
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
    )


def _metrics(path: pathlib.Path) -> list[Row]:
    """The rows; a torn last line, as a kill leaves it, is dropped."""
    if not path.exists():
        return []
    rows = []
    lines = path.read_text("utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            row["step"], row["split"]
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):
                break
            raise UserError(
                f"{path} line {number} is no row of metrics; expected JSON "
                "with step and split; remove the line"
            ) from error
        rows.append(row)
    return rows


def _by_step(rows: list[Row], split: str) -> list[Row]:
    """A split's rows; of a step done twice, as after a resume, the last."""
    latest = {row["step"]: row for row in rows if row["split"] == split}
    return [latest[step] for step in sorted(latest)]


def _object(path: pathlib.Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read as JSON ({error}); remove it and run the "
            "command that writes it again"
        ) from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no JSON object; remove it")
    return content
