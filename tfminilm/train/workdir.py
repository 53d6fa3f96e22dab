"""The files of a run: what `distill` writes and the other commands read."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from tfminilm import files
from tfminilm.errors import UserError
from tfminilm.train.recipe import Recipe


class Workdir:
    """A run's folder.

    Args:
        path: the folder; made if it is not there.
        recipe: the recipe to run in it.

    Raises:
        UserError: the folder holds another recipe's run, or cannot be made.
    """

    def __init__(self, path: str | os.PathLike, recipe: Recipe):
        self.path = pathlib.Path(path)
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"--workdir={path} is a file, expected a folder")
        written = self.path / "recipe.json"
        wanted = dataclasses.asdict(recipe)
        if written.is_file():
            _require_same(self.path, json.loads(written.read_text()), wanted)
        else:
            files.write_json(written, wanted)
        self.checkpoints = self.path / "checkpoints"
        self.student = self.path / "student"

    def decide(self, name: str, choose: Callable[[], Any]) -> Any:
        """What was chosen when the run began; a resumed run keeps to it."""
        path = self.path / "decisions.json"
        decisions = json.loads(path.read_text()) if path.is_file() else {}
        if name not in decisions:
            decisions[name] = choose()
            files.write_json(path, decisions)
        return decisions[name]

    def log(self, row: Mapping[str, Any]) -> None:
        """Appends a row to metrics.jsonl."""
        with open(self.path / "metrics.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def forget_after(self, step: int) -> None:
        """Drops the rows of steps that a resumed run does again."""
        path = self.path / "metrics.jsonl"
        if not path.is_file():
            return
        kept = []
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue  # A kill cut the last line.
            if row["step"] <= step:
                kept.append(line + "\n")
        files.write_text(path, "".join(kept))


def _require_same(
    path: pathlib.Path, found: dict[str, Any], wanted: dict[str, Any]
) -> None:
    """A run goes on only under the recipe it was started with."""
    for key in _changed(found, wanted):
        raise UserError(
            f"{path} holds the run of another recipe ({key} differs): "
            "use another --workdir, or remove it"
        )


def _changed(found: Any, wanted: Any, prefix: str = "") -> list[str]:
    # Through JSON: there, tuples are lists.
    wanted = json.loads(json.dumps(wanted))
    if not isinstance(found, dict) or not isinstance(wanted, dict):
        return [] if found == wanted else [prefix.rstrip(".")]
    return [
        change
        for key in sorted({*found, *wanted})
        for change in _changed(
            found.get(key), wanted.get(key), f"{prefix}{key}."
        )
    ]
