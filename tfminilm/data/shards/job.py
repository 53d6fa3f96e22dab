"""An unfinished preparation of shards: its plan and its progress.

It is kept in a folder beside the shards. Every file in it is complete, so that
a job continues after a kill; the folder is removed when the manifest is
written.
"""

import contextlib
import dataclasses
import functools
import hashlib
import io
import json
import os
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

import tfminilm
from tfminilm import files, json_files
from tfminilm.data import cache, corpus, sentences
from tfminilm.data.shards import duplicates, parts, write
from tfminilm.data.shards.settings import Settings
from tfminilm.errors import UserError
from tfminilm.typing import Json

NAME = "unfinished"
# The names of a job's files, some of them for each part or worker.
_FILES = re.compile(
    r"plan\.json|failed\.txt|deduplicated|\.lock|workers\.(log|died)"
    r"|(digests|repeats)-\d{5,}\.npy|part-\d{5,}\.json|worker-\d+"
)
_PLAN, _FAILED = "plan.json", "failed.txt"
_DEDUPLICATED = "deduplicated"
# The most bytes of a part's digests, which are far smaller than its text.
_MOST_TABLE = 2**34
_AGAIN = "remove its folder and start again"
_PLANNED = {
    "settings": dict,
    "tfminilm": str,
    "text": str,
    "code": str,
    "parts": [dict],
}


class Job:
    """The plan and the progress of a preparation.

    Several processes may work on one job, each on other parts.

    Args:
        folder: the folder of the shards.
    """

    def __init__(self, folder: str | os.PathLike):
        self.output = pathlib.Path(folder)
        self.folder = self.output / NAME
        content = _plan(self.folder)
        self.settings = Settings(**content["settings"])
        self.parts = [parts.Part(**part) for part in content["parts"]]

    @classmethod
    def begin(cls, folder: pathlib.Path, settings: Settings) -> "Job":
        """Plan a job, or open the one that was begun with the same plan.

        Raises:
            UserError: a job with another plan was begun, or there is no such
                text.
        """
        size = round(settings.shard_megabytes * 1e6)
        content = {
            "settings": dataclasses.asdict(settings),
            "tfminilm": tfminilm.__version__,
            "text": _digest(corpus.identity(settings.source)),
            "code": cache.code_digest(),
            "parts": [
                dataclasses.asdict(part)
                for part in parts.plan(settings.source, size)
            ],
        }
        path = folder / NAME / _PLAN
        if path.exists():
            _require_same(path, _plan(path.parent), content)
        else:
            files.write_json(path, content)
        files.sweep(folder)
        files.sweep(folder / NAME)
        (folder / NAME / _FAILED).unlink(missing_ok=True)
        return cls(folder)

    @property
    def tokenizer(self) -> Any:
        """The tokenizer that encodes the text."""
        return _load_tokenizer(self.settings.tokenizer)

    @property
    def drops(self) -> bool:
        """Tell whether duplicates are to be found."""
        return self.settings.duplicates != "keep"

    def digests(self, number: int) -> Iterator[tuple[int, bytes]]:
        """Return the digests of a part's text by bucket; keep them in a file.

        Raises:
            UserError: the text cannot be read.
        """
        path = self._path("digests", number, "npy")
        if path.exists():
            table = _load(path)
        else:
            with self._recording_failure():
                documents = parts.read(self.parts[number], sentences.whole)
                table = duplicates.digests(documents, self._of_paragraphs)
            _save(path, table)
        return duplicates.in_buckets(table, len(self.parts))

    def save_repeats(self, number: int, repeats: list[bytes]) -> None:
        """Save the numbers of a part's repeated documents or paragraphs."""
        numbers = np.frombuffer(b"".join(repeats), "<u4")
        _save(self._path("repeats", number, "npy"), np.sort(numbers))

    def is_deduplicated(self) -> bool:
        """Return whether all repeats are known."""
        return (self.folder / _DEDUPLICATED).exists()

    def set_deduplicated(self) -> None:
        """Record that all repeats are known."""
        files.write_text(self.folder / _DEDUPLICATED, "")

    def write(self, number: int) -> None:
        """Write a part's shards, and then its record.

        Raises:
            UserError: the text cannot be read, or the disk is full.
        """
        path = self._path("repeats", number, "npy")
        repeated = set(_load(path).tolist()) if path.exists() else set()
        with self._recording_failure():
            documents = duplicates.without(
                parts.read(self.parts[number]), repeated, self._of_paragraphs
            )
            record = write.write_part(
                self.output, number, documents, self.tokenizer, self.settings
            )
        record["dropped"] = len(repeated)
        files.write_text(self._path("part", number), json.dumps(record))

    def digested(self) -> int:
        """Return how many parts have digests."""
        return len(list(self.folder.glob("digests-*.npy")))

    def written(self) -> list[int]:
        """Return the numbers of the finished parts."""
        numbers = range(len(self.parts))
        return [n for n in numbers if self._path("part", n).exists()]

    def records(self) -> list[dict[str, Any]]:
        """Return the record that `write` made of each part."""
        return [
            json_files.read(self._path("part", number), dict, _AGAIN)
            for number in range(len(self.parts))
        ]

    def failure(self) -> str:
        """Return a failed worker's message; empty if none failed."""
        path = self.folder / _FAILED
        return files.read_text(path) if path.exists() else ""

    @property
    def _of_paragraphs(self) -> bool:
        return self.settings.duplicates == "paragraphs"

    def _path(
        self, prefix: str, number: int, suffix: str = "json"
    ) -> pathlib.Path:
        return self.folder / f"{prefix}-{number:05d}.{suffix}"

    @contextlib.contextmanager
    def _recording_failure(self) -> Iterator[None]:
        """Save the message of a `UserError` for the other processes."""
        try:
            yield
        except UserError as error:
            files.write_text(self.folder / _FAILED, str(error))
            raise


def is_job(folder: pathlib.Path) -> bool:
    """Return whether a preparation made this folder, or began to."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    if json_files.find(folder / _PLAN, _PLANNED) is not None:
        return True
    return all(path.name == ".lock" for path in folder.iterdir())


def remove(folder: pathlib.Path) -> None:
    """Remove a job's files; other files in its folder stay."""
    if not is_job(folder):
        return
    names = [path.name for path in folder.iterdir()]
    files.sweep(folder)
    # The plan last: without it the folder is no longer recognised.
    names.sort(key=lambda name: name == _PLAN)
    files.remove(folder, [name for name in names if _FILES.fullmatch(name)])


def _plan(folder: pathlib.Path) -> dict[str, Any]:
    return json_files.read(folder / _PLAN, _PLANNED, _AGAIN)


@functools.lru_cache(maxsize=1)  # Compiling it takes seconds.
def _load_tokenizer(source: str) -> Any:
    from tfminilm import teachers

    return teachers.load_tokenizer(source)


def _save(path: pathlib.Path, array: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    files.write_bytes(path, buffer.getvalue())


def _load(path: pathlib.Path) -> np.ndarray:
    try:
        return np.load(io.BytesIO(files.read_bytes(path, _MOST_TABLE)))
    except (OSError, ValueError, EOFError) as error:
        raise UserError(
            f"{path} cannot be read: {error}; remove it and start again"
        ) from error


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _require_same(path: pathlib.Path, begun: Json, planned: Json) -> None:
    for key, value in planned["settings"].items():
        if begun["settings"].get(key) != value:
            raise UserError(
                f"{path.parent} holds an unfinished preparation with "
                f"--{key}={begun['settings'].get(key)}, and {value} is asked "
                "for: use another --output, or remove it"
            )
    if begun != json.loads(json.dumps(planned)):
        raise UserError(
            f"{path.parent} holds an unfinished preparation of another state "
            "of the text, or by another version of tfminilm: remove it"
        )
