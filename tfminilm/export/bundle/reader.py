"""Open bundles: read and check what they say of themselves."""

import dataclasses
import functools
import importlib.metadata
import os
import pathlib
from typing import Any

from tfminilm import files, json_files
from tfminilm.errors import UserError
from tfminilm.export.bundle import contents, rules, vocabulary
from tfminilm.export.check import probe
from tfminilm.export.litert import runtimes
from tfminilm.export.litert.runner import LiteRTEncoder
from tfminilm.export.manifest import (
    FORMAT,
    FORMAT_VERSION,
    MANIFEST,
    MODEL,
    Identity,
    Manifest,
    Probe,
)
from tfminilm.tasks.kinds import KINDS
from tfminilm.tasks.settings import Settings
from tfminilm.typed_json import to_json
from tfminilm.typing import Tokenizer

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
    manifest: Manifest

    @functools.cached_property
    def encoder(self) -> LiteRTEncoder:
        """The model, as an app runs it.

        Raises:
            UserError: the runtime gives other answers than those in the
                manifest, or cannot open the file.
        """
        path = self.folder / MODEL
        if self.manifest.probe is not None:
            return _proven_encoder(path, self.manifest, self.manifest.probe)
        encoder = LiteRTEncoder(path)  # Of format version 1.
        _require_signatures(encoder, path, self.manifest)
        return encoder

    @functools.cached_property
    def tokenizer(self) -> Tokenizer:
        """The KerasHub tokenizer.

        Raises:
            UserError: the file of its words or pieces is none, or not the
                model's.
        """
        settings = self.manifest.tokenizer
        path = self.folder / settings.vocabulary
        rows = self.manifest.model.vocabulary_size
        return vocabulary.read(path, settings, rows)

    @property
    def settings(self) -> Settings | None:
        """Return how it reads a task; None for an encoder."""
        lengths = (one.length for one in self.manifest.signatures.values())
        return settings_of(self.manifest, max(lengths))


def settings_of(manifest: Identity, max_length: int) -> Settings | None:
    """Return how a model reads a task, by its manifest; None for an encoder.

    Args:
        manifest: of a bundle, or of a server's folder.
        max_length: tokens of its longest sequence.
    """
    if manifest.task_name is None:  # An encoder.
        return None
    kind = _KINDS[manifest.task]
    settings = Settings(
        task=manifest.task_name,
        kind=kind.name,
        labels=manifest.labels or (),
        max_length=max_length,
        num_texts=manifest.num_texts,
    )
    if calibration := manifest.calibration:
        settings = dataclasses.replace(
            settings,
            temperature=calibration.temperature,
            unsure_below=calibration.unsure_below or 0.0,
        )
    part = to_json(getattr(manifest, kind.manifest_name, None))
    return kind.read_manifest_part(settings, part)


def is_bundle(folder: str | os.PathLike) -> bool:
    """Tell whether a folder has a bundle's manifest, whatever else is wrong."""
    return pathlib.Path(folder, MANIFEST).is_file()


def open_bundle(folder: str | os.PathLike) -> Bundle:
    """Open a bundle and check all of its files.

    Raises:
        UserError: the folder is no bundle, a newer version wrote it, or a file
            is missing, truncated or changed; the message names it.
    """
    folder = pathlib.Path(folder)
    content = _read_content(folder)
    try:
        manifest = rules.read(content)
    except ValueError as error:
        raise _damaged(folder / MANIFEST, str(error)) from error
    for name, file in manifest.files.items():
        path = _inside(folder, name)
        if not path.is_file():
            raise _damaged(path, "it is missing")
        size = path.stat().st_size
        if size != file.bytes:
            raise _damaged(path, f"it has {size:,} bytes of {file.bytes:,}")
        if files.sha256(path) != file.sha256:
            raise _damaged(path, "its content was changed")
    return Bundle(folder, manifest)


def _read_content(folder: pathlib.Path) -> dict[str, Any]:
    """Read a manifest, of which only the format is looked at.

    Raises:
        UserError: the folder is no bundle, or a newer version wrote it.
    """
    path = pathlib.Path(folder, MANIFEST)
    shape = {"format": str, "format_version": int}
    try:
        content = json_files.read(path, shape, _REMEDY, rules.MOST_BYTES)
    except UserError as error:
        raise UserError(
            f"{folder} is no bundle, as `tfminilm export` writes it: {error}"
        ) from error
    name, version = content["format"], content["format_version"]
    if name != FORMAT:
        raise UserError(
            f"{folder} has format {name}, expected {FORMAT}, as `tfminilm "
            "export` writes it for phones; what it writes for servers is "
            "compared with Keras then, and scores as the model it was made of"
        )
    if version > FORMAT_VERSION:
        raise UserError(
            f"{folder} is of format version {version}, written by tfminilm "
            f"{content.get('tfminilm')}; this one reads up to "
            f"{FORMAT_VERSION}: install a newer tfminilm"
        )
    return content


# Files that gave their known answers in this process: digests and answers.
_proven: set[tuple[str, str]] = set()


def _require_signatures(
    encoder: LiteRTEncoder, path: pathlib.Path, manifest: Manifest
) -> None:
    if contents.signatures(encoder.interpreter) != manifest.signatures:
        raise _damaged(
            path.parent / MANIFEST, f"{MODEL} has other signatures than it says"
        )


def _proven_encoder(
    path: pathlib.Path, manifest: Manifest, answers: Probe
) -> LiteRTEncoder:
    """Open a file, and prove that the runtime computes the known answers."""
    key = manifest.files[MODEL].sha256, repr(answers)
    try:
        encoder = LiteRTEncoder(path)
    except UserError:  # The file is whole, so that it is not to blame.
        fault = "it does not open"
    else:
        _require_signatures(encoder, path, manifest)
        gap = 0.0 if key in _proven else probe.difference(encoder, answers)
        if gap <= answers.tolerance:
            _proven.add(key)
            return encoder
        fault = (
            f"a known answer differs by {gap:.3g}, expected at most "
            f"{answers.tolerance:g}"
        )
    version = importlib.metadata.version(runtimes.LITERT)
    raise UserError(
        f"{runtimes.LITERT} {version} does not compute {path} rightly: "
        f"{fault}; {manifest.precision} needs "
        f"{runtimes.needed(manifest.runtimes or {})}"
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
