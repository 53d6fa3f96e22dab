"""Collect what a model's folder and its run know of it."""

import dataclasses
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from tfminilm import json_files
from tfminilm.source_names import name_of
from tfminilm.teachers import load
from tfminilm.typing import Json

_METRIC = {"mean": float, "spread": float}
_BOUNDS = {"value": float, "low": float, "high": float}
_EVIDENCE = {"shown": str, "models": {str: {"metrics": {str: _BOUNDS}}}}
_SCORES = {
    "task": str,
    "language?": (str, None),
    "max_examples?": (int, None),
    "seeds?": [int],
    "metrics": {str: {str: _METRIC}},
    "evidence?": {str: _EVIDENCE},
}
_ROW = {"step": int, "split": str}
_RECIPE = {
    "name?": str,
    "seed?": int,
    "teacher?": str,
    "model?": str,
    "task?": str,
    "student?": dict,
    "method?": dict,
    "data?": dict,
    "train?": dict,
    "stages?": {str: dict},
}
# Of a run of fine-tuning, what made the model.
_SETTINGS = ("epochs", "batch_size", "learning_rate", "max_length", "seed")
# Rows of metrics.jsonl that are no measures of the model.
_NO_MEASURES = {
    "step",
    "split",
    "learning_rate",
    "tokens_per_second",
    "seconds",
    "peak_memory_gib",
}


@dataclasses.dataclass(frozen=True)
class Score:
    """Hold one number that was measured.

    Attributes:
        data: the name of the task, or of the run's text.
        split: of it.
        metric: what was measured.
        value: the mean over the seeds.
        spread: its standard deviation.
        note: how many examples, seeds, or which language.
        bounds: of its interval of 95 %, if known.
    """

    data: str
    split: str
    metric: str
    value: float
    spread: float = 0.0
    note: str = ""
    bounds: tuple[float, float] | None = None


@dataclasses.dataclass(frozen=True)
class Facts:
    """Hold what is known of how a model came about.

    Attributes:
        made: rows of what it was made with, by their titles.
        scores: from `evaluate`, and from fine-tuning.
        losses: of the last step, on what the run held out.
        teachers: the models that it learned from or began with.
    """

    made: Mapping[str, str] = dataclasses.field(default_factory=dict)
    scores: tuple[Score, ...] = ()
    losses: tuple[Score, ...] = ()
    teachers: tuple[str, ...] = ()


def collect(source: str | os.PathLike) -> Facts:
    """Read what a workdir knows; nothing of another folder, or of a name.

    Args:
        source: a workdir, or the model in it.

    Raises:
        UserError: one of its files is damaged.
    """
    folder = pathlib.Path(source)
    if not folder.is_dir():
        return Facts()
    if not (folder / "recipe.json").is_file():
        is_inside = (folder.parent / "recipe.json").is_file()
        folder = folder.parent if is_inside else folder
    if not (folder / "recipe.json").is_file():
        return Facts(scores=tuple(_scores(folder)))
    run = load.run_folder(folder)
    recipe = json_files.read(run / "recipe.json", _RECIPE)
    folders = dict.fromkeys((folder, run, run / "student"))
    scores = [score for each in folders for score in _scores(each)]
    source_key = "model" if "model" in recipe else "teacher"
    return Facts(
        made=_finetuned(recipe) if "model" in recipe else _distilled(recipe),
        scores=tuple(scores),
        losses=tuple(_losses(run, recipe)),
        teachers=tuple(filter(None, [recipe.get(source_key, "")])),
    )


def _distilled(recipe: Mapping[str, Json]) -> dict[str, str]:
    """Return the rows of a stage of distillation."""
    student, method, data, train = (
        recipe.get(key, {}) for key in ("student", "method", "data", "train")
    )
    how = [f"{k}={v}" for k, v in method.items() if k != "name"]
    start = str(student.get("init", ""))
    if start not in ("", "random"):
        source = student.get("init_from") or recipe.get("teacher", "")
        start += f", of {name_of(source)}"
    values: dict[str, Any] = {
        "recipe": recipe.get("name"),
        "teacher": name_of(recipe.get("teacher", "")),
        "method": ", ".join([str(method.get("name", "")), *how]),
        "first weights": start,
        "tokenizer": name_of(student.get("tokenizer", "")),
        "data": name_of(str(data.get("source", ""))),
        "tokens of a text": data.get("sequence_length"),
        "steps": train.get("steps"),
        "batch size": train.get("batch_size"),
        "learning rate": train.get("learning_rate"),
        "seed": recipe.get("seed"),
    }
    return {key: str(x) for key, x in values.items() if x not in (None, "")}


def _finetuned(recipe: Mapping[str, Json]) -> dict[str, str]:
    """Return the rows of a run of fine-tuning."""
    values = {
        "began as": name_of(recipe["model"]),
        "fine-tuned on": name_of(str(recipe.get("task", ""))),
    }
    for name in _SETTINGS:
        if recipe.get(name) is not None:
            values[name.replace("_", " ")] = str(recipe[name])
    return values


def _scores(folder: pathlib.Path) -> Iterator[Score]:
    """Yield what `evaluate` and `finetune` measured in a folder."""
    paths = sorted(folder.glob("evaluation-*.json"))
    if not paths and (folder / "results.json").is_file():
        paths = [folder / "results.json"]
    for path in paths:
        content = json_files.read(path, _SCORES, "evaluate the model again")
        notes = []
        if content.get("language"):
            notes.append(content["language"])
        if content.get("max_examples"):
            notes.append(f"{content['max_examples']} examples")
        if len(content.get("seeds") or ()) > 1:
            notes.append(f"{len(content['seeds'])} seeds")
        for split, metrics in content["metrics"].items():
            for metric, value in metrics.items():
                yield Score(
                    name_of(content["task"]),
                    split,
                    metric,
                    value["mean"],
                    value["spread"],
                    ", ".join(notes),
                    _bounds(content, split, metric),
                )


def _bounds(
    content: Mapping[str, Json], split: str, metric: str
) -> tuple[float, float] | None:
    """Return a metric's interval, of a model of one seed."""
    one = content.get("evidence", {}).get(split)
    if one is None or len(content.get("seeds") or ()) > 1:
        return None
    metrics = one["models"].get(one["shown"], {}).get("metrics", {})
    if metric not in metrics:
        return None
    return metrics[metric]["low"], metrics[metric]["high"]


def _losses(run: pathlib.Path, recipe: Mapping[str, Json]) -> Iterator[Score]:
    """Yield the last measures on what a run held out."""
    path = run / "metrics.jsonl"
    if not path.is_file():
        return
    rows = [
        row
        for row in json_files.read_lines(path, _ROW, "", skips="all")
        if row["split"] != "train"
    ]
    if not rows:
        return
    last = max(rows, key=lambda row: row["step"])
    source = recipe.get("data", {}).get("source") or recipe.get("task", "")
    for metric, value in last.items():
        if metric not in _NO_MEASURES and isinstance(value, int | float):
            yield Score(name_of(str(source)), last["split"], metric, value)
