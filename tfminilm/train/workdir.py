"""Read and write the files of a run, which the other commands read."""

import contextlib
import dataclasses
import datetime
import json
import os
import pathlib
import socket
import typing
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tfminilm import __version__, files, json_files
from tfminilm.config import changes
from tfminilm.errors import UserError
from tfminilm.tokenizer import KERAS_HUB
from tfminilm.train.distributed import SINGLE_DEVICE, DistributedContext
from tfminilm.typing import Json, Source

# The decision that is no choice: a digest of the data.
_DATA = "data"
# What a run makes in its folder.
_FOLDERS = ("checkpoints", "student", "text", "tensorboard")
_FILES = (
    "decisions.json",
    "metrics.jsonl",
    "events.jsonl",
    "held_out.json",
    "projections.safetensors",
    "results.json",
    "results.html",
)
# A run's choice: tokenizers cut texts as where they come from.
_SOURCE = "source"


class Workdir:
    """Read and write a run's folder. Nothing is written before `lock`.

    Args:
        path: the folder; made by `lock` if it is not there.
        recipe: what runs in it, a dataclass or nested mappings.
        inside: the folder of the run that this is a stage of; locked with it.
        context: who runs in it. Only its chief writes.

    Raises:
        UserError: the folder holds another recipe's run or damaged files,
            or it cannot be made.
    """

    def __init__(
        self,
        path: Source,
        recipe: Json,
        inside: "Workdir | None" = None,
        context: DistributedContext = SINGLE_DEVICE,
    ):
        self.path = pathlib.Path(path)
        self.context = context
        self._inside = inside
        self.checkpoints = self.path / "checkpoints"
        self.student = self.path / "student"
        # What one stage read, another need not read again.
        self.text = (inside or self).path / "text"
        self._metrics = self.path / "metrics.jsonl"
        if dataclasses.is_dataclass(recipe):
            recipe = dataclasses.asdict(typing.cast(Any, recipe))
        self._recipe = json.loads(json.dumps(recipe))
        _require_place(self.path)
        self._written = {
            name: _read(self.path / name) for name in ("recipe", "decisions")
        }
        self._decisions = dict(self._written["decisions"] or {})
        if (written := self._written["recipe"]) is not None:
            _require_same(self.path, written, self._recipe)

    @property
    def run(self) -> str:
        """Return the id that tells what this run wrote from other files."""
        return self._decisions.setdefault("run", uuid.uuid4().hex)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Make the folder this run's, and nobody else's meanwhile.

        What a killed process left half-written is removed.

        Raises:
            UserError: another process holds it, it cannot be written, or
                something else has the name of what a run makes.
        """
        if not self.context.is_chief:
            yield
            return
        whole = (
            self._inside.lock() if self._inside else contextlib.nullcontext()
        )
        with whole, files.lock(self.path, "--workdir"):
            self._require_own()
            for folder in (self.path, self.checkpoints, self.text):
                files.sweep(folder)
            for name, content in (
                ("recipe", self._recipe),
                ("decisions", {"run": self.run} | self._decisions),
            ):
                if content and self._written[name] != content:
                    files.write_json(_json(self.path / name), content)
            yield

    def pin(self, name: str, choose: Callable[[], Json]) -> Json:
        """Choose when the run begins; a resumed run keeps to that.

        Args:
            name: of the choice, in decisions.json.
            choose: makes it; the chief's counts.
        """
        is_pinned = name in self._decisions
        value = self._decisions[name] if is_pinned else choose()
        self._decisions[name] = self.context.broadcast(value)
        return self._decisions[name]

    def pin_data(self, digest: str, is_resumed: bool) -> None:
        """Note what data a run began with, and refuses to mix in other.

        Args:
            digest: a hash of the data as it was read.
            is_resumed: whether steps of the run were made before.

        Raises:
            UserError: they were made with other data, or by a version that
                drew examples in another way and did not note them.
        """
        if is_resumed:
            self.require_pinned_data()
            if self._decisions[_DATA] != digest:
                raise UserError(
                    f"{self.path} holds a run that began with other data than "
                    "is read now: its files, its tokenizer or the version of "
                    "tfminilm has changed; use another --workdir, or remove it"
                )
        elif self._decisions.get(_DATA) != digest:
            self._decisions[_DATA] = digest
            self.write("decisions", self._decisions)

    def require_pinned_data(self) -> None:
        """Refuse a run of a version that did not note what data it reads.

        Raises:
            UserError: it is one.
        """
        if _DATA not in self._decisions:
            raise UserError(
                f"{self.path} holds a run of an earlier version of tfminilm, "
                "which drew its examples in another way: finish it with that "
                "version (events.jsonl names it), or use another --workdir"
            )

    def tokenizer_rules(self) -> str | None:
        """Return the rules for `load_tokenizer` in all stages of this run.

        A run that began before tokenizers had the rules of their source goes
        on with KerasHub's.
        """
        whole = self._inside or self
        before = KERAS_HUB if whole._written["recipe"] else _SOURCE
        rules = whole.pin("tokenizer", lambda: before)
        return None if rules == _SOURCE else rules

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a file of JSON.

        Raises:
            UserError: the disk is full, or the file cannot be written.
        """
        if self.context.is_chief:
            files.write_json(_json(self.path / name), content)

    def log(self, row: Mapping[str, Any]) -> None:
        """Append a row to metrics.jsonl.

        Raises:
            UserError: the disk is full, or the file cannot be written.
        """
        if self.context.is_chief:
            _append(self._metrics, row)

    def log_event(self, event: str, step: int, **facts: Json) -> None:
        """Append to events.jsonl what happened, when and where.

        Unlike a row of metrics it stays when a resumed run does steps again.

        Raises:
            UserError: the disk is full, or the file cannot be written.
        """
        now = datetime.datetime.now(datetime.UTC)
        row = {
            "event": event,
            "step": step,
            "time": now.isoformat(timespec="milliseconds"),
            "host": socket.gethostname(),
            "version": __version__,
        }
        if self.context.is_chief:
            _append(self.path / "events.jsonl", row | facts)

    def has_logged(self, step: int, split: str) -> bool:
        """Tell whether metrics.jsonl holds the row of this step and split."""
        return any(
            (row["step"], row["split"]) == (step, split) for row in self.rows()
        )

    def drop_rows_after(self, step: int) -> None:
        """Drop the rows of steps that a resumed run does again."""
        if self.context.is_chief and self._metrics.is_file():
            kept = [row for row in self.rows() if row["step"] <= step]
            text = "".join(json.dumps(row) + "\n" for row in kept)
            files.write_text(self._metrics, text)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of metrics.jsonl, less one that a kill has cut."""
        if not self._metrics.is_file():
            return
        shape = {"step": int, "split": str}
        yield from json_files.read_lines(self._metrics, shape, "", skips="all")

    def _require_own(self) -> None:
        """Raise `UserError` where a run would write over what it did not."""
        for name in _FOLDERS:
            path = self.path / name
            if path.is_symlink() or (path.exists() and not path.is_dir()):
                raise UserError(
                    f"{path} is no folder: a run makes one there, and no link; "
                    "move it away, or use another --workdir"
                )
        if not _json(self.path / "recipe").exists():
            for name in _FILES:
                if os.path.lexists(self.path / name):
                    raise UserError(
                        f"{self.path} holds {name} and no recipe.json, so no "
                        "run made it: use another --workdir, or move it away"
                    )


def _append(path: pathlib.Path, row: Mapping[str, Any]) -> None:
    """Add a line of JSON; one that a kill has cut is ended before it."""
    line = json.dumps(row, allow_nan=False) + "\n"
    try:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
        with open(files.open_regular(path, flags), "ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                line = line if file.read() == b"\n" else "\n" + line
            file.write(line.encode())
    except OSError as error:
        size = len(line.encode())
        raise UserError(files.cannot_write(path, error, size)) from error


def _require_place(path: pathlib.Path) -> None:
    """Raise `UserError` unless a folder is there, or can be made."""
    there = next(
        place for place in (path, *path.absolute().parents) if place.exists()
    )
    if not there.is_dir():
        raise UserError(
            f"--workdir={path}: {there} is a file, expected a folder"
        )
    if not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"--workdir={path}: {there} cannot be written")


def _json(path: pathlib.Path) -> pathlib.Path:
    return path.with_name(path.name + ".json")


def _read(path: pathlib.Path) -> dict[str, Any] | None:
    path = _json(path)
    if not path.exists():
        return None
    remedy = f"use another --workdir, or remove {path.parent}"
    return json_files.read(path, dict, remedy)


def _require_same(
    path: pathlib.Path, written: dict[str, Any], wanted: dict[str, Any]
) -> None:
    """Raise `UserError` unless a run has the recipe it was started with."""
    for key, there, here in changes(written, wanted):
        # A key that is newer than the run stands for what it did before.
        if there is None and not here:
            continue
        raise UserError(
            f"{path} holds the run of another recipe ({key} is {there!r} "
            f"there, {here!r} here): use another --workdir, or remove it"
        )
