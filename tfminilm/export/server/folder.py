"""Write folders for servers, checked against Keras before they appear.

Beside what a runtime reads lie the tokenizer and a `manifest.json`.
"""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence

import keras
import keras_hub

from tfminilm import files
from tfminilm.errors import UserError
from tfminilm.export.bundle import contents, vocabulary
from tfminilm.export.bundle.replaceable import require_replaceable
from tfminilm.export.check import calibration, gate
from tfminilm.export.manifest import (
    MANIFEST,
    Manifest,
    Parity,
    TokenizerSettings,
)
from tfminilm.export.server import (
    auto_tokenizer,
    hub,
    onnx,
    pairs,
    saved_model,
    text_inputs,
)
from tfminilm.export.target import Target
from tfminilm.tasks.heads import with_score
from tfminilm.tasks.settings import Settings
from tfminilm.teachers.embedding import write_embedding
from tfminilm.typed_json import to_json
from tfminilm.typing import Tokenizer


@dataclasses.dataclass(frozen=True, kw_only=True)
class FolderManifest(Manifest):
    """The manifest of a folder for servers, which may hold several models.

    `parities` has the parity of each by the file's name, where there is more
    than one; `parity` is the first of them.
    """

    parities: Mapping[str, Parity] | None = None


def export_folder(
    model: keras.Model,
    tokenizer: Tokenizer,
    target: Target,
    output_dir: str | os.PathLike,
    texts: Sequence[str] | Sequence[calibration.Texts] = calibration.SENTENCES,
    settings: Settings | None = None,
    description: str = "",
    write_more: Callable[[pathlib.Path], None] | None = None,
) -> FolderManifest:
    """Write ONNX, a SavedModel or a folder in the Hub's layout.

    Args:
        model: an encoder, or a model of `tasks.heads.build_head` on one; for
            a Hugging Face folder also a masked language model.
        tokenizer: its KerasHub tokenizer, of word pieces or XLM-R's, and in
            a Hugging Face folder RoBERTa's.
        target: format, tolerance, and the lengths to check at.
        output_dir: a new folder, an empty one, or an older export, which is
            replaced.
        texts: what parity with Keras is checked on: sentences, or the one or
            two texts of each of a task's examples.
        settings: how a model with a head was fine-tuned.
        description: a sentence on the model, for people.
        write_more: writes other files into the folder, such as a card.

    Returns:
        The manifest; `typed_json.to_json` gives what is in the file.

    Raises:
        UserError: the format has no such model, or the model no positions for
            a length, the tokenizer is not its own, the folder holds something
            else, or the outputs are not within the target's tolerance of
            Keras'. Nothing is written then.
    """
    output_dir = pathlib.Path(output_dir)
    require_replaceable(output_dir)
    backbone = getattr(model, "backbone", model)
    _require_positions(target, backbone)
    identity = contents.identity(model, target, settings, description)
    rows = _rows(texts, settings, backbone)
    size = 4 * model.count_params()
    with files.new_directory(output_dir, size, require_replaceable) as folder:
        tokenizer_settings = _write_vocabulary(
            tokenizer, backbone, folder, target.is_of_hub
        )
        if target.is_of_hub:
            parities = hub.write(
                model, tokenizer, target, folder, rows, identity, settings
            )
        else:
            scorer = with_score(model, settings)
            read = _text_inputs(scorer, tokenizer, target, settings, rows)
            run = _write(scorer, target.format, folder, read)
            _write_lengths(backbone, settings, folder)
            states = functools.partial(_export_states, target.format, folder)
            parity = pairs.require_parity(
                run, scorer, tokenizer, rows, target, states
            )
            parities = {target.format: parity}
        if write_more is not None:
            write_more(folder)
        parts = vars(identity) | {"format": f"tfminilm-{target.format}"}
        manifest = FolderManifest(
            **parts,
            tokenizer=tokenizer_settings,
            signatures={},
            parity=next(iter(parities.values())),
            parities=parities if len(parities) > 1 else None,
            files=contents.checksums(folder),
        )
        files.write_json(folder / MANIFEST, to_json(manifest))
    return manifest


def _rows(
    texts: Sequence[str] | Sequence[calibration.Texts],
    settings: Settings | None,
    backbone: keras.Model,
) -> list[calibration.Texts]:
    rows = calibration.as_texts(texts, settings)
    if getattr(backbone, "num_segments", 2) < 2:
        # The second text of a pair is of the second segment.
        return [row for row in rows if len(row) == 1]
    return rows


def _require_positions(target: Target, backbone: keras.Model) -> None:
    longest = backbone.max_sequence_length
    if max(target.lengths) > longest:
        raise UserError(
            f"target: lengths is {target.lengths!r}, expected up to {longest}, "
            "the rows of the model's position table"
        )


def _write_vocabulary(
    tokenizer: Tokenizer,
    backbone: keras.Model,
    folder: pathlib.Path,
    is_of_hub: bool,
) -> TokenizerSettings:
    """Write words or pieces, and return what the manifest says of them."""
    if not is_of_hub:
        return vocabulary.write(tokenizer, backbone, folder)
    words = keras_hub.tokenizers.WordPieceTokenizer
    of_phones = words | keras_hub.models.XLMRobertaTokenizer
    if not isinstance(tokenizer, of_phones):
        vocabulary.require_rows(tokenizer, backbone)
        return auto_tokenizer.foreign_settings(tokenizer)
    pieces = auto_tokenizer.PIECES
    return vocabulary.write(tokenizer, backbone, folder, pieces)


def _text_inputs(
    model: keras.Model,
    tokenizer: Tokenizer,
    target: Target,
    settings: Settings | None,
    texts: Sequence[calibration.Texts],
) -> text_inputs.TextInputs | None:
    """Return what makes inputs of texts, where a graph can do that."""
    if target.format != "saved_model" or text_inputs.fault(model, tokenizer):
        return None
    read = text_inputs.TextInputs(model, tokenizer, settings)
    read.require_same(tokenizer, texts)
    return read


def _write(
    model: keras.Model,
    kind: str,
    folder: pathlib.Path,
    texts: text_inputs.TextInputs | None = None,
) -> onnx.Runner | saved_model.Runner:
    """Write a model's ONNX or SavedModel, and return what runs it."""
    if kind == "onnx":
        onnx.write(model, folder)
        return onnx.Runner(folder)
    saved_model.write(model, folder, texts)
    return saved_model.Runner(folder)


def _write_lengths(
    backbone: keras.Model, settings: Settings | None, folder: pathlib.Path
) -> None:
    """Write how long the model's texts are, which the manifest does not say."""
    if settings is None:
        write_embedding(folder, backbone)
        return
    # What is written gives scores already.
    settings = dataclasses.replace(settings, score_activation="")
    settings.without_path().save(folder)


def _export_states(
    kind: str, folder: pathlib.Path, states: keras.Model, length: int
) -> gate.Runner:
    """Return what computes the hidden states in a format, at any length."""
    beside = folder / "states"
    beside.mkdir()
    return _write(states, kind, beside)
