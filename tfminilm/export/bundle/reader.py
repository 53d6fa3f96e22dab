"""Opening a bundle: what it says of itself, once that is known to be true."""

import dataclasses
import functools
import importlib.metadata
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from tfminilm import files, json_files
from tfminilm.errors import UserError
from tfminilm.export.bundle import rules, vocabulary
from tfminilm.export.bundle.manifest import (
    ENCODER,
    FORMAT,
    FORMAT_VERSION,
    signatures,
)
from tfminilm.export.check import probe
from tfminilm.export.litert import runtimes
from tfminilm.export.litert.runner import LiteRTEncoder
from tfminilm.tasks.kinds import KINDS
from tfminilm.tasks.settings import Settings

MANIFEST = "manifest.json"
MODEL = "model.tflite"

# A task's kind, by what a manifest calls it.
_KINDS = {kind.manifest_name: kind for kind in KINDS.values()}

_REMEDY = "export the model again"


@dataclasses.dataclass(frozen=True)
class Bundle:
    """A bundle whose files are those that were written.

    Attributes:
        folder: where it lies.
        manifest: the content of its `manifest.json`.
    """

    folder: pathlib.Path
    manifest: dict[str, Any]

    @functools.cached_property
    def encoder(self) -> LiteRTEncoder:
        """The model, as an app runs it.

        Raises:
            UserError: the runtime gives other answers than those in the
                manifest, or cannot open the file.
        """
        path = self.folder / MODEL
        if "probe" not in self.manifest:  # Format version 1.
            encoder = LiteRTEncoder(path)
            _require_signatures(encoder, path, self.manifest)
            return encoder
        return _right(path, self.manifest)

    @functools.cached_property
    def tokenizer(self) -> Any:
        """The KerasHub tokenizer.

        Raises:
            UserError: the file of its words or pieces is none, or not the
                model's.
        """
        settings = self.manifest["tokenizer"]
        path = self.folder / settings["vocabulary"]
        rows = self.manifest["model"]["vocabulary_size"]
        return vocabulary.read(path, settings, rows)

    @property
    def settings(self) -> Settings | None:
        """How it reads a task; None for an encoder."""
        task = self.manifest["task"]
        if task == ENCODER:
            return None
        kind = _KINDS[task]
        signatures = self.manifest["signatures"].values()
        settings = Settings(
            task=self.manifest["task_name"],
            kind=kind.name,
            labels=tuple(self.manifest["labels"] or ()),
            max_length=max(one["length"] for one in signatures),
            num_texts=self.manifest.get("num_texts", 1),
        )
        part = self.manifest.get(kind.manifest_name)
        return kind.read_manifest_part(settings, part)


def is_bundle(folder: str | os.PathLike) -> bool:
    """Whether a folder has a bundle's manifest, whatever else is wrong."""
    return pathlib.Path(folder, MANIFEST).is_file()


def open_bundle(folder: str | os.PathLike) -> Bundle:
    """Opens a bundle and checks all of its files.

    Raises:
        UserError: the folder is no bundle, a newer version wrote it, or a file
            is missing, truncated or changed; the message names it.
    """
    folder = pathlib.Path(folder)
    manifest = read_manifest(folder)
    fault = rules.fault(manifest, manifest["format_version"])
    if fault:
        raise _damaged(folder / MANIFEST, fault)
    for name, said in manifest["files"].items():
        path = _inside(folder, name)
        size = said["bytes"]
        if not path.is_file():
            raise _damaged(path, "it is missing")
        if path.stat().st_size != size:
            found = path.stat().st_size
            raise _damaged(path, f"it has {found:,} bytes of {size:,}")
        if files.sha256(path) != said["sha256"]:
            raise _damaged(path, "its content was changed")
    return Bundle(folder, manifest)


def read_manifest(folder: str | os.PathLike) -> dict[str, Any]:
    """The manifest of a bundle, of which only the format is looked at.

    Raises:
        UserError: the folder is no bundle, or a newer version wrote it.
    """
    path = pathlib.Path(folder, MANIFEST)
    shape = {"format": str, "format_version": int}
    try:
        manifest = json_files.read(path, shape, _REMEDY, rules.MOST_BYTES)
    except UserError as error:
        raise UserError(
            f"{folder} is no bundle, as `tfminilm export` writes it: {error}"
        ) from error
    named, version = manifest["format"], manifest["format_version"]
    if named != FORMAT:
        raise UserError(
            f"{folder} has format {named}, expected {FORMAT}, as `tfminilm "
            "export` writes it for phones; what it writes for servers is "
            "compared with Keras then, and scores as the model it was made of"
        )
    if version > FORMAT_VERSION:
        raise UserError(
            f"{folder} is of format version {version}, written by tfminilm "
            f"{manifest.get('tfminilm')}; this one reads up to "
            f"{FORMAT_VERSION}: install a newer tfminilm"
        )
    return manifest


# What was found right in this process: a file's digest, and its probe.
_proven: set[tuple[str, str]] = set()


def _require_signatures(
    encoder: LiteRTEncoder, path: pathlib.Path, manifest: Mapping[str, Any]
) -> None:
    if signatures(encoder.interpreter) != manifest["signatures"]:
        raise _damaged(
            path.parent / MANIFEST, f"{MODEL} has other signatures than it says"
        )


def _right(path: pathlib.Path, manifest: Mapping[str, Any]) -> LiteRTEncoder:
    """Opens a file, once the runtime is known to compute it rightly."""
    known = manifest["probe"]
    key = manifest["files"][MODEL]["sha256"], json.dumps(known)
    try:
        encoder = LiteRTEncoder(path)
    except UserError:  # The file is whole, so that it is not to blame.
        fault = "it does not open"
    else:
        _require_signatures(encoder, path, manifest)
        found = 0.0 if key in _proven else probe.difference(encoder, known)
        if found <= known["tolerance"]:
            _proven.add(key)
            return encoder
        fault = (
            f"a known answer differs by {found:.3g}, expected at most "
            f"{known['tolerance']:g}"
        )
    version = importlib.metadata.version(runtimes.LITERT)
    raise UserError(
        f"{runtimes.LITERT} {version} does not compute {path} rightly: "
        f"{fault}; {manifest['precision']} needs "
        f"{runtimes.needed(manifest['runtimes'])}"
    )


def _inside(folder: pathlib.Path, name: str) -> pathlib.Path:
    path = folder / name
    if path.resolve().parent != folder.resolve():
        raise _damaged(folder / MANIFEST, f"{name!r} is no name of a file")
    return path


def _damaged(path: pathlib.Path, fault: str) -> UserError:
    return UserError(
        f"{path} is damaged: {fault}; export the model again, or copy the "
        "whole bundle once more"
    )
