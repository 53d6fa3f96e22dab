"""Save and restore the whole state of a run, whole or not at all."""

import concurrent.futures
import hashlib
import pathlib
import re
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import safetensors.numpy

from tfminilm import files, json_files
from tfminilm.errors import UserError

_TENSORS = "state.safetensors"
_META = "meta.json"
_BEST = "best.json"
_FORMAT = "tfminilm-checkpoint"
_NAME = re.compile(r"step-(\d{9,})")
# What the first versions wrote into the description of a checkpoint.
_FIRST_KEYS = {"step", "sha256", "facts"}


class Checkpoints:
    """Keep a run's checkpoints, written while the training goes on.

    `save` copies the state and leaves the writing to a thread, one checkpoint
    at a time. In a `with` block, all are on the disk when it ends.

    Args:
        folder: where they lie; `best.json` in it names the best.
        keep: how many of the newest are kept, beside the best.
        on_written: is told, in that thread, the step of one on the disk.
        run: tells the checkpoints of this run, the only ones to be removed.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        keep: int = 2,
        on_written: Callable[[int], None] = lambda step: None,
        run: str = "",
    ):
        self.folder = folder
        self.keep = keep
        self._run = run
        self._on_written = on_written
        self._writer = concurrent.futures.ThreadPoolExecutor(1)
        self._written: concurrent.futures.Future | None = None

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._writer.shutdown()
        if kind is None:
            self.wait()

    def save(
        self,
        step: int,
        variables: Sequence[keras.Variable],
        facts: dict[str, Any],
    ) -> None:
        """Write the checkpoint of `step`, and removes those not to keep.

        Those of later steps go: they were damaged, or the run would not be at
        `step` again. What this run did not write stays, under another name
        if it has the name of `step`.

        Args:
            step: steps done.
            variables: what to save, always in the same order.
            facts: small JSON values that come back from `restore`.

        Raises:
            UserError: the one before could not be written: the disk is full,
                or the folder cannot be written.
        """
        self.wait()
        tensors = {
            _key(index, variable): np.asarray(
                keras.ops.convert_to_numpy(variable.value)
            )
            for index, variable in enumerate(variables)
        }
        # Written by `files`: safetensors' own errors do not say that it is
        # the disk that is full.
        content = safetensors.numpy.save(tensors)
        self._written = self._writer.submit(self._write, step, content, facts)

    def wait(self) -> None:
        """Return when what was saved is on the disk.

        Raises:
            UserError: it could not be written.
        """
        if self._written is not None:
            written, self._written = self._written, None
            written.result()

    def has(self, step: int) -> bool:
        """Tell whether there is a checkpoint of `step`, or will be."""
        self.wait()
        return self._path(step).is_dir()

    def newest(self) -> pathlib.Path | None:
        """Return the folder of the newest one of this run, if there is any."""
        self.wait()
        return next(filter(self._is_own, self._newest_first()), None)

    def is_best(self, loss: float) -> bool:
        """Tell whether no other was better on held-out data."""
        return loss <= self._best().get("loss", np.inf)

    def mark_best(self, step: int, loss: float) -> None:
        """Keep the checkpoint of `step` until another one is marked.

        Raises:
            UserError: the disk is full, or the folder cannot be written.
        """
        self.wait()
        name = self._path(step).name
        content = {"step": step, "checkpoint": name, "loss": loss}
        files.write_json(self.folder / _BEST, content)
        self._prune(step)

    def best_step(self) -> int:
        """Return the step of the best one; 0 if none is marked."""
        return self._best().get("step", 0)

    def restore_best(self, variables: Sequence[keras.Variable]) -> int:
        """Read the best checkpoint into `variables`; return its step.

        Raises:
            UserError: it is damaged, or of a model of another shape.
        """
        self.wait()
        step = self.best_step()
        path = find(self.folder, step)
        if path is None:
            raise UserError(f"{self.folder} has lost its best checkpoint")
        _assign(path, variables)
        return step

    def restore(
        self,
        variables: Sequence[keras.Variable],
        say: Callable[[str], None] = lambda line: None,
    ) -> tuple[int, dict[str, Any]] | None:
        """Read the newest whole checkpoint into `variables`.

        A damaged one is passed over for the one before it, and `say` is told.

        Returns:
            The steps done and the facts saved with them, or `None` if there
            is no whole checkpoint.

        Raises:
            UserError: the checkpoint belongs to a model of another shape.
        """
        restored = None
        for path in self._newest_first():
            meta = _read_meta(path)
            if meta is not None:
                _assign(path, variables)
                restored = meta["step"], meta["facts"]
                break
            say(f"{path} is damaged and passed over")
        if self._best().get("step", -1) > (restored[0] if restored else -1):
            # The run gets to it again.
            (self.folder / _BEST).unlink(missing_ok=True)
        return restored

    def _write(self, step: int, content: bytes, facts: dict[str, Any]) -> None:
        path = self._path(step)
        self._remove(path)
        files.move_aside(path)
        with files.new_directory(path, len(content)) as beside:
            files.write_bytes(beside / _TENSORS, content)
            meta = {
                "format": _FORMAT,
                "run": self._run,
                "step": step,
                "sha256": hashlib.sha256(content).hexdigest(),
                "facts": facts,
            }
            files.write_json(beside / _META, meta)
        self._on_written(step)
        self._prune(step)

    def _prune(self, step: int) -> None:
        paths = [path for path in self._newest_first() if self._is_own(path)]
        place = paths.index(self._path(step))
        best = self._best().get("checkpoint", "")
        for path in paths[:place] + paths[place + self.keep :]:
            if path.name != best:
                self._remove(path)

    def _remove(self, path: pathlib.Path) -> None:
        """Remove what this run wrote there, and nothing else."""
        if self._is_own(path):
            files.remove(path, (_TENSORS, _META))

    def _is_own(self, path: pathlib.Path) -> bool:
        """Tell whether this run wrote the checkpoint, by its description."""
        if path.is_symlink() or not path.is_dir():
            return False
        meta = json_files.find(path / _META, {"step": int, "sha256": str})
        if meta is None or path != self._path(meta["step"]):
            return False
        if meta.get("format") == _FORMAT:
            return meta.get("run") == self._run
        return meta.keys() == _FIRST_KEYS

    def _best(self) -> dict[str, Any]:
        """Return the content of `best.json`; empty if there is none."""
        best = json_files.find(
            self.folder / _BEST,
            {"step": int, "checkpoint": str, "loss": float},
        )
        return best if best and self._path(best["step"]).is_dir() else {}

    def _newest_first(self) -> list[pathlib.Path]:
        by_step = {
            int(name[1]): path
            for path in self.folder.glob("step-*")
            if (name := _NAME.fullmatch(path.name)) and path.is_dir()
        }
        return [by_step[step] for step in sorted(by_step, reverse=True)]

    def _path(self, step: int) -> pathlib.Path:
        return self.folder / f"step-{step:09d}"


def _assign(path: pathlib.Path, variables: Sequence[keras.Variable]) -> None:
    tensors = safetensors.numpy.load_file(path / _TENSORS)
    keys = [_key(i, variable) for i, variable in enumerate(variables)]
    if sorted(keys) != sorted(tensors):
        raise UserError(
            f"{path} holds the state of another model or optimizer; "
            "use a new --workdir"
        )
    for key, variable in zip(keys, variables, strict=True):
        variable.assign(tensors[key])


def _read_meta(path: pathlib.Path) -> dict[str, Any] | None:
    """Return the checkpoint's description, or `None` if it is damaged."""
    meta = json_files.find(
        path / _META, {"step": int, "sha256": str, "facts": dict}
    )
    try:
        whole = meta and files.sha256(path / _TENSORS) == meta["sha256"]
    except (OSError, UserError):
        return None
    return meta if whole else None


def _key(index: int, variable: keras.Variable) -> str:
    return f"{index:04d}:{tuple(variable.shape)}"


def steps(folder: pathlib.Path) -> list[int]:
    """Return the steps of which a run's folder has checkpoints."""
    return sorted(
        int(name[1])
        for path in folder.glob("step-*")
        if (name := _NAME.fullmatch(path.name)) and path.is_dir()
    )


def find(folder: pathlib.Path, step: int) -> pathlib.Path | None:
    """Return the folder of the checkpoint of a step, if it is there.

    Raises:
        UserError: it is damaged.
    """
    if step not in steps(folder):
        return None
    path = folder / f"step-{step:09d}"
    if _read_meta(path) is None:
        raise UserError(
            f"{path} is damaged: expected a whole checkpoint; take another step"
        )
    return path


def restore_first(
    path: pathlib.Path, variables: Sequence[keras.Variable]
) -> bool:
    """Read the first tensors of a checkpoint into a model's variables.

    Returns:
        Whether they have its shapes; else nothing is changed.
    """
    tensors = safetensors.numpy.load_file(path / _TENSORS)
    keys = [_key(index, variable) for index, variable in enumerate(variables)]
    if not {*keys} <= {*tensors}:
        return False
    for key, variable in zip(keys, variables, strict=True):
        variable.assign(tensors[key])
    return True
