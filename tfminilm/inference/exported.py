"""Open what `export` wrote: a bundle, an ONNX folder or a SavedModel."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from tfminilm import files, json_files, typed_json
from tfminilm.errors import UserError
from tfminilm.export.bundle import reader, vocabulary
from tfminilm.export.litert import trial
from tfminilm.export.manifest import (
    FORMAT,
    MANIFEST,
    MODEL,
    File,
    Identity,
    TokenizerSettings,
)
from tfminilm.export.server import onnx, saved_model
from tfminilm.inference import archive
from tfminilm.inference.parts import Parts, limited
from tfminilm.inference.runtimes import LiteRTRuntime, ServerRuntime
from tfminilm.tasks.settings import SETTINGS, Settings
from tfminilm.teachers.embedding import read_embedding
from tfminilm.teachers.load import is_hugging_face
from tfminilm.train.score import LONGEST_TEXT
from tfminilm.typed_json import Rule

_AGAIN = "export the model again, or copy the whole folder once more"
# In tokens, where an older folder does not say how long its texts were.
_LENGTH, _QUESTION_LENGTH = 128, 384
_RUNNERS: dict[str, tuple[str, Callable[[pathlib.Path], Any]]] = {
    "tfminilm-onnx": ("onnxruntime", onnx.Runner),
    "tfminilm-saved_model": ("SavedModel", saved_model.Runner),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class _ServerManifest(Identity):
    """Hold what the manifest of an ONNX folder or a SavedModel says."""

    format: Annotated[str, Rule(choices=tuple(_RUNNERS))]
    tokenizer: TokenizerSettings
    files: Annotated[Mapping[str, File], Rule(min_size=1)]


def open_export(name: str, max_length: int | None) -> Parts | None:
    """Open what `export` wrote, unless Keras reads it, as Hugging Face's.

    Args:
        name: any source of `tfminilm.load`.
        max_length: tokens of the longest sequence; None for its own.

    Returns:
        None if it is something else.

    Raises:
        UserError: a file is missing, damaged or changed, or this machine's
            runtime does not compute it rightly.
    """
    folder = pathlib.Path(name)
    if folder.is_file() and folder.suffix.lower() == ".zip":
        folder = archive.unpack(folder)
    if not reader.is_bundle(folder) or is_hugging_face(str(folder)):
        return None
    shape = {"format": str}
    content = json_files.find(folder / MANIFEST, shape) or {"format": FORMAT}
    if content["format"] in _RUNNERS:
        return _open_server(folder, content, name, max_length)
    return _open_bundle(folder, name, max_length)


def _open_bundle(
    folder: pathlib.Path, name: str, max_length: int | None
) -> Parts:
    bundle = reader.open_bundle(folder)
    trial.require_runs(folder / MODEL)
    most = max(bundle.encoder.lengths)
    settings, longest = bundle.settings, most
    if settings is None:
        longest = min(most, LONGEST_TEXT)
    settings, longest = limited(name, settings, longest, max_length, most)
    runtime = LiteRTRuntime(bundle.encoder, bundle.manifest.precision)
    embedding = bundle.manifest.sentence_embedding
    return Parts(runtime, bundle.tokenizer, settings, longest, embedding)


def _open_server(
    folder: pathlib.Path,
    content: Mapping[str, Any],
    name: str,
    max_length: int | None,
) -> Parts:
    try:
        manifest = typed_json.parse(_ServerManifest, content)
    except ValueError as error:
        raise damaged(folder / MANIFEST, str(error)) from error
    require_whole(folder, manifest.files)
    tokenizer = vocabulary.read(
        folder / manifest.tokenizer.vocabulary,
        manifest.tokenizer,
        manifest.model.vocabulary_size,
    )
    settings, longest = _server_settings(folder, manifest)
    settings, longest = limited(name, settings, longest, max_length, None)
    runtime_name, runner = _RUNNERS[manifest.format]
    runtime = ServerRuntime(
        runtime_name, runner(folder), manifest.precision, longest
    )
    embedding = manifest.sentence_embedding
    return Parts(runtime, tokenizer, settings, longest, embedding)


def _server_settings(
    folder: pathlib.Path, manifest: _ServerManifest
) -> tuple[Settings | None, int]:
    """Return how it reads a task, if any, and the longest sequence."""
    longest = _QUESTION_LENGTH if manifest.question_answering else _LENGTH
    settings = reader.settings_of(manifest, longest)
    if settings is None:
        embedding = read_embedding(folder)
        most = embedding.max_length if embedding is not None else None
        return None, most or LONGEST_TEXT
    if (folder / SETTINGS).is_file():
        whole = Settings.load(folder)
        settings = dataclasses.replace(
            settings, max_length=whole.max_length, doc_stride=whole.doc_stride
        )
    return settings, settings.max_length


def require_whole(folder: pathlib.Path, content: Mapping[str, File]) -> None:
    """Refuse a folder whose files are not those of its manifest.

    Args:
        folder: where they are.
        content: what the manifest says of them.

    Raises:
        UserError: one is missing, elsewhere, or was changed.
    """
    for file, facts in content.items():
        path = folder / file
        if not path.resolve().is_relative_to(folder.resolve()):
            raise damaged(folder / MANIFEST, f"{file!r} is no file of it")
        if not path.is_file():
            raise damaged(path, "it is missing")
        if files.sha256(path) != facts.sha256:
            raise damaged(path, "its content was changed")


def damaged(path: pathlib.Path, fault: str) -> UserError:
    """Return the error of a file that is not as it was written."""
    return UserError(f"{path} is damaged: {fault}; {_AGAIN}")
