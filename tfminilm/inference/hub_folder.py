"""Open the ONNX files of a folder that `export` wrote in the Hub's layout."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Annotated

from tfminilm import json_files, typed_json
from tfminilm.errors import UserError
from tfminilm.export.manifest import MANIFEST, File, Identity
from tfminilm.export.manifest_parts import SentenceEmbedding
from tfminilm.export.server.hugging_face import WEIGHTS
from tfminilm.export.server.transformers_onnx import (
    FLOAT,
    INT8,
    Reading,
    Runner,
)
from tfminilm.export.target import INT8_PRECISION, OF_HUB
from tfminilm.inference.exported import damaged, require_whole
from tfminilm.inference.parts import Parts, limited
from tfminilm.inference.runtimes import ServerRuntime
from tfminilm.tasks.kinds import kind_of
from tfminilm.tasks.settings import SETTINGS, Settings
from tfminilm.teachers.embedding import (
    TextEmbedding,
    read_embedding,
    read_tokens,
)
from tfminilm.teachers.load import load_tokenizer
from tfminilm.tokenizer.hugging_face import JSON
from tfminilm.train.score import LONGEST_TEXT
from tfminilm.typed_json import Rule

_PRECISIONS = {FLOAT: "float32", INT8: INT8_PRECISION}
_FORMATS = tuple(f"tfminilm-{name}" for name in OF_HUB)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Manifest(Identity):
    """Hold what the manifest of a folder in the Hub's layout says."""

    format: Annotated[str, Rule(choices=_FORMATS)]
    files: Annotated[Mapping[str, File], Rule(min_size=1)]


def open_onnx(name: str, max_length: int | None) -> Parts | None:
    """Open an ONNX file, to be run by onnxruntime.

    Of a folder it is the one in float32 if there is one, else that in int8;
    where PyTorch's weights are beside them, Keras reads these.

    Args:
        name: any source of `tfminilm.load`.
        max_length: tokens of the longest sequence; None for its own.

    Returns:
        None if it is something else.

    Raises:
        UserError: a file is missing, damaged or changed, or `export` did not
            write it.
    """
    path = pathlib.Path(name)
    is_file = path.is_file() and path.suffix.lower() == ".onnx"
    folder = path.absolute().parents[1] if is_file else path
    content = json_files.find(folder / MANIFEST, {"format": str}) or {}
    if content.get("format") not in _FORMATS:
        if is_file:
            raise UserError(
                f"{path} is no file of a folder that tfminilm export wrote: "
                f"expected the folder itself, or {FLOAT} or {INT8} in one of "
                "--config=transformers_js, onnx_int8 or sentence_transformers"
            )
        return None
    try:
        manifest = typed_json.parse(_Manifest, content)
    except ValueError as error:
        raise damaged(folder / MANIFEST, str(error)) from error
    if is_file:
        file = f"{path.absolute().parent.name}/{path.name}"
    elif (folder / WEIGHTS).is_file():
        return None
    else:
        files = (x for x in _PRECISIONS if x in manifest.files)
        file = next(files, FLOAT)
    if file not in _PRECISIONS or file not in manifest.files:
        raise damaged(folder / MANIFEST, f"it does not list {file}")
    read = (file, JSON, SETTINGS)
    known = {x: manifest.files[x] for x in read if x in manifest.files}
    require_whole(folder, known)
    return _parts(name, folder, file, max_length)


def _parts(
    name: str, folder: pathlib.Path, file: str, max_length: int | None
) -> Parts:
    tokenizer = load_tokenizer(folder)
    settings, shown, prompts = None, None, None
    most = read_tokens(folder)
    if (folder / SETTINGS).is_file():
        settings = Settings.load(folder)
        longest = settings.max_length
        kind = kind_of(settings)
        reading = Reading(
            logits=kind.outputs[0], has_several_labels=kind.has_several_labels
        )
    else:
        embedding = read_embedding(folder) or TextEmbedding()
        longest = embedding.max_length or LONGEST_TEXT
        shown = SentenceEmbedding(
            embedding.pooling, embedding.normalize, embedding.prompt or None
        )
        prompts = embedding.prompts
        reading = Reading(embedding)
    settings, longest = limited(name, settings, longest, max_length, most)
    runtime = ServerRuntime(
        "onnxruntime",
        Runner(folder / file, reading),
        _PRECISIONS[file],
        longest,
    )
    return Parts(runtime, tokenizer, settings, longest, shown, prompts or {})
