"""Write folders for servers, checked against Keras before they appear.

Beside what a runtime reads lie the tokenizer and a `manifest.json`.
"""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import keras_hub
import numpy as np

from tfminilm import files
from tfminilm.errors import UserError
from tfminilm.export.bundle import contents, vocabulary
from tfminilm.export.bundle.replaceable import require_replaceable
from tfminilm.export.check import calibration, gate
from tfminilm.export.check.worst_layer import hidden_states
from tfminilm.export.manifest import (
    MANIFEST,
    Manifest,
    Parity,
    TokenizerSettings,
)
from tfminilm.export.server import (
    auto_tokenizer,
    hugging_face,
    masked_words,
    onnx,
    saved_model,
)
from tfminilm.export.target import Target
from tfminilm.tasks.heads import load_head, with_score
from tfminilm.tasks.settings import Settings, has_head
from tfminilm.teachers.embedding import write_embedding
from tfminilm.teachers.load import load_backbone
from tfminilm.teachers.masked_lm import load_masked_lm
from tfminilm.typed_json import to_json
from tfminilm.typing import Tokenizer


def export_folder(
    model: keras.Model,
    tokenizer: Tokenizer,
    target: Target,
    output_dir: str | os.PathLike,
    texts: Sequence[str] | Sequence[calibration.Texts] = calibration.SENTENCES,
    settings: Settings | None = None,
    description: str = "",
    write_more: Callable[[pathlib.Path], None] | None = None,
) -> Manifest:
    """Write ONNX, a SavedModel or a Hugging Face folder.

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
    is_hugging_face = target.format == "hugging_face"
    has_words = is_hugging_face and masked_words.is_masked_lm(model)
    scorer = model if has_words else with_score(model, settings)
    size = 4 * model.count_params()
    with files.new_directory(output_dir, size, require_replaceable) as folder:
        tokenizer_settings = _write_vocabulary(
            tokenizer, backbone, folder, is_hugging_face
        )
        if is_hugging_face:
            labels, score = identity.labels or (), identity.score_activation
            hugging_face.write(model, tokenizer, folder, labels, score or "")
            if settings is not None:
                settings.without_path().save(folder)
            loaded = _loaded(folder, model)
            if has_words:
                model = masked_words.at_all_places(model)
            run: gate.Runner = hugging_face.Runner(loaded)
        else:
            model = scorer
            run = _write(model, target.format, folder)
            _write_lengths(backbone, settings, folder)
        hint = masked_words.HINT if has_words else ""
        parity = _require_parity(
            hint,
            _InPairs(run, target.lengths),
            model,
            tokenizer,
            calibration.as_texts(texts, settings),
            target,
            functools.partial(_export_states, target.format, folder),
        )
        if write_more is not None:
            write_more(folder)
        parts = vars(identity) | {"format": f"tfminilm-{target.format}"}
        manifest = Manifest(
            **parts,
            tokenizer=tokenizer_settings,
            signatures={},
            parity=parity,
            files=contents.checksums(folder),
        )
        files.write_json(folder / MANIFEST, to_json(manifest))
    return manifest


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
    is_hugging_face: bool,
) -> TokenizerSettings:
    """Write words or pieces, and return what the manifest says of them."""
    if not is_hugging_face:
        return vocabulary.write(tokenizer, backbone, folder)
    words = keras_hub.tokenizers.WordPieceTokenizer
    of_phones = words | keras_hub.models.XLMRobertaTokenizer
    if not isinstance(tokenizer, of_phones):
        vocabulary.require_rows(tokenizer, backbone)
        return auto_tokenizer.foreign_settings(tokenizer)
    pieces = auto_tokenizer.PIECES
    return vocabulary.write(tokenizer, backbone, folder, pieces)


def _loaded(folder: pathlib.Path, model: keras.Model) -> keras.Model:
    """Read the Hugging Face folder of a model back, with a head as it has."""
    if masked_words.is_masked_lm(model):
        return masked_words.at_all_places(load_masked_lm(folder))
    return load_head(folder) if has_head(folder) else load_backbone(folder)


def _write(
    model: keras.Model, kind: str, folder: pathlib.Path
) -> onnx.Runner | saved_model.Runner:
    """Write a model's ONNX or SavedModel, and return what runs it."""
    if kind == "onnx":
        onnx.write(model, folder)
        return onnx.Runner(folder)
    saved_model.write(model, folder)
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
    if kind == "hugging_face":
        loaded = load_backbone(folder)
        return hugging_face.Runner(hidden_states(loaded))
    beside = folder / "states"
    beside.mkdir()
    return _write(states, kind, beside)


def _require_parity(hint: str, *arguments: Any) -> Parity:
    """Call `gate.require_parity`, and add a hint to what it refuses."""
    try:
        return gate.require_parity(*arguments)
    except UserError as error:
        raise UserError(f"{error}{hint}") from error


class _InPairs:
    """Takes one row, as a `LiteRTEncoder` does, at any length.

    It runs in a batch with the row before it, so that neither may depend on
    the other; the first of a length runs alone.
    """

    def __init__(self, run: gate.Runner, lengths: Sequence[int]):
        self._run = run
        self._before: dict[int, Mapping[str, np.ndarray]] = {}
        self.lengths = lengths

    def __call__(
        self,
        token_ids: np.ndarray,
        segment_ids: np.ndarray,
        padding_mask: np.ndarray,
        length: int,
    ) -> dict[str, np.ndarray]:
        row = {
            "token_ids": token_ids,
            "segment_ids": segment_ids,
            "padding_mask": padding_mask,
        }
        rows: list[Mapping[str, np.ndarray]] = [row]
        if length in self._before:
            rows.append(self._before[length])
        self._before[length] = row
        batch = {name: np.stack([one[name] for one in rows]) for name in row}
        return {name: value[:1] for name, value in self._run(batch).items()}
