"""Read the files of a finished or unfinished run from its workdir."""

import dataclasses
import math
import os
import pathlib
from typing import Any, TypeGuard

from tfminilm import json_files
from tfminilm.config import is_stage_name
from tfminilm.errors import UserError
from tfminilm.report import evidence_files
from tfminilm.tasks.judgement import Evidence

Row = dict[str, Any]

_NUMBER = (float, None)
_RECIPE = {
    "name?": str,
    "seed?": int,
    "teacher?": str,
    "model?": str,
    "task?": str,
    "student?": dict,
    "method?": {"name?": str},
    "data?": dict,
    "train?": dict,
    "stages?": {str: dict},
}
_HEADS = [[[float]]]
_EVALUATION = {
    "rows": [
        {
            "model": str,
            "precision": str,
            "parameters?": _NUMBER,
            "flops": {str: float},
            "file_bytes?": _NUMBER,
            "latency_ms?": ({str: {"median": float, "p95": float}}, None),
            "attention_kl?": _NUMBER,
            "value_kl?": _NUMBER,
            "rank_correlation?": _NUMBER,
        }
    ],
    "start?": {str: _NUMBER},
    "machine?": dict,
    "attention_example?": (
        {
            "sentence": str,
            "tokens": [str],
            "teacher": _HEADS,
            "student": _HEADS,
        },
        None,
    ),
}
_REMEDY = "remove it and run the command that writes it again"


@dataclasses.dataclass(frozen=True)
class Run:
    """The contents of a workdir, as far as they exist.

    `train` and `held_out` are the rows of `metrics.jsonl` sorted by step, each
    step once; `evaluation` is the content of `evaluation.json`, or `None`, and
    `evidence` what is known of how the model does its task, by a title.
    """

    workdir: pathlib.Path
    recipe: dict[str, Any]
    train: list[Row]
    held_out: list[Row]
    evaluation: dict[str, Any] | None
    evidence: dict[str, Evidence] = dataclasses.field(default_factory=dict)

    @property
    def is_fine_tuning(self) -> bool:
        """Tell whether it learned a task without a teacher."""
        return {"model", "task"} <= {*self.recipe}

    @property
    def last_step(self) -> int:
        """The last step that was logged; 0 before training."""
        return max([row["step"] for row in self.train + self.held_out] + [0])


def read_run(workdir: str | os.PathLike) -> Run:
    """Read a workdir.

    Raises:
        UserError: it is no workdir, or one of its files is damaged.
    """
    workdir = check_workdir(workdir)
    evaluation = workdir / "evaluation.json"
    rows = _metrics(workdir / "metrics.jsonl")
    return Run(
        workdir=workdir,
        recipe=json_files.read(workdir / "recipe.json", _RECIPE, _REMEDY),
        train=_by_step(rows, "train"),
        held_out=_by_step(rows, "held_out"),
        evaluation=_evaluation(evaluation) if evaluation.exists() else None,
        evidence=evidence_files.read(workdir),
    )


def check_workdir(workdir: str | os.PathLike) -> pathlib.Path:
    """Return the path of a workdir, or raise if it is none.

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
    """Return the stages of a run that have begun, in order.

    A run of a single stage is returned as this one.

    Raises:
        UserError: it is no workdir, no stage has begun, or a file is damaged.
    """
    workdir = check_workdir(workdir)
    recipe = json_files.read(workdir / "recipe.json", _RECIPE, _REMEDY)
    names = recipe.get("stages")
    if not names:
        return [read_run(workdir)]
    folders = [_stage(workdir, name) for name in names]
    runs = [
        read_run(folder)
        for folder in folders
        if (folder / "recipe.json").is_file()
    ]
    if not runs:
        raise UserError(
            f"{workdir}: none of its stages has begun; start `tfminilm "
            "distill` again"
        )
    return runs


def is_number(value: object) -> TypeGuard[int | float]:
    """Return whether a value of a row is a finite number."""
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
    )


def _stage(workdir: pathlib.Path, name: str) -> pathlib.Path:
    """Return a stage's folder, and refuse one outside of its run's folder."""
    folder = workdir / name
    if not is_stage_name(name) or folder.is_symlink():
        raise UserError(
            f"{workdir / 'recipe.json'}: the stage {name!r} is no folder in "
            f"{workdir}: expected the recipe that `tfminilm distill` wrote"
        )
    return folder


def _metrics(path: pathlib.Path) -> list[Row]:
    """Return the rows, without a last line that a kill left incomplete."""
    if not path.exists():
        return []
    shape = {"step": int, "split": str}
    remedy = "expected a row of metrics, with step and split; remove the line"
    rows = json_files.read_lines(path, shape, remedy, "last", finite=False)
    for row in rows:
        if row["step"] < 0:
            raise UserError(
                f"{path}: a step is {row['step']}, expected 0 or more; remove "
                "the line"
            )
    return rows


def _evaluation(path: pathlib.Path) -> dict[str, Any]:
    """Return the content of `evaluation.json`, checked for consistency."""
    content = json_files.read(path, _EVALUATION, _REMEDY)
    fault = ""
    for row in content["rows"]:
        for length in (*row["flops"], *(row.get("latency_ms") or ())):
            if not length.isdecimal():
                fault = f"{length!r} is no length"
    if example := content.get("attention_example"):
        size = len(example["tokens"])
        for heads in (example["teacher"], example["student"]):
            sizes = {len(row) for head in heads for row in (head, *head)}
            if sizes != {size} or len(heads) != len(example["teacher"]):
                fault = f"its attention is not between {size} tokens"
    if fault:
        raise UserError(f"{path} cannot be read: {fault}; {_REMEDY}")
    return content


def _by_step(rows: list[Row], split: str) -> list[Row]:
    """Return a split's rows; if a step was repeated, its last row."""
    latest = {row["step"]: row for row in rows if row["split"] == split}
    return [latest[step] for step in sorted(latest)]
