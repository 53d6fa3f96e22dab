"""Models for other machines than phones: folders, checked as they are made.

Beside what a runtime reads lie the tokenizer and a `manifest.json`.
"""

import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from tfminilm import files
from tfminilm.errors import UserError
from tfminilm.export.bundle import manifest, vocabulary
from tfminilm.export.bundle.reader import MANIFEST
from tfminilm.export.bundle.replaceable import require_replaceable
from tfminilm.export.check import calibration, parity, worst_layer
from tfminilm.export.server import hugging_face, onnx, saved_model
from tfminilm.export.target import Target
from tfminilm.tasks.evaluate import Settings
from tfminilm.teachers.load import load_backbone


def export_folder(
    model: keras.Model,
    tokenizer: Any,
    target: Target,
    output_dir: str | os.PathLike,
    texts: Sequence[str] | Sequence[calibration.Texts] = calibration.SENTENCES,
    settings: Settings | None = None,
    description: str = "",
) -> dict[str, Any]:
    """Writes ONNX, a SavedModel or a Hugging Face folder.

    Args:
        model: an encoder, or a model of `tasks.heads.build_head` on one.
        tokenizer: its KerasHub WordPiece tokenizer.
        target: format, tolerance, and the lengths to check at.
        output_dir: a new folder, an empty one, or an older export, which is
            replaced.
        texts: what parity with Keras is checked on: sentences, or the one or
            two texts of each of a task's examples. Of a Hugging Face folder
            it is the encoder that is checked.
        settings: how a model with a head was fine-tuned.
        description: a sentence on the model, for people.

    Returns:
        The manifest, as in the file.

    Raises:
        UserError: the format has no such model, or the model no positions for
            a length, the tokenizer is not its own, the folder holds something
            else, or the outputs are not within the target's tolerance of
            Keras'. Nothing is written then.
    """
    output_dir = pathlib.Path(output_dir)
    require_replaceable(output_dir)
    backbone = getattr(model, "backbone", model)
    said = manifest.identity(model, target, settings, description)
    longest = backbone.max_sequence_length
    if max(target.lengths) > longest:
        raise UserError(
            f"target: lengths is {target.lengths!r}, expected up to {longest}, "
            "the rows of the model's position table"
        )
    said |= {"format": f"tfminilm-{target.format}", "signatures": {}}
    size = 4 * model.count_params()
    with files.new_directory(output_dir, size, require_replaceable) as folder:
        said["tokenizer"] = vocabulary.write(tokenizer, backbone, folder)
        compared = model
        if target.format == "hugging_face":
            hugging_face.write(model, tokenizer, folder, said["labels"] or ())
            run = hugging_face.Runner(load_backbone(folder))
            compared = backbone
        else:
            run = _written(model, target.format, folder)
        rows = calibration.as_texts(texts, settings)
        found = parity.differences(
            _InPairs(run, target.lengths), compared, tokenizer, rows
        )
        try:
            parity.require(found, target)
        except UserError as error:
            worst = parity.worst_of(found, target)
            where = worst_layer.worst_layer(
                worst_layer.hidden_states(model),
                parity.batch_of(worst, tokenizer, rows),
                _states_of(model, target.format, folder),
            )
            raise UserError(f"{error}; {where}; nothing was written") from error
        said["parity"] = parity.report(found, target, len(rows))
        said["files"] = manifest.checksums(folder)
        said["evaluation"] = None
        files.write_json(folder / MANIFEST, said)
    return said


def _written(model: keras.Model, kind: str, folder: pathlib.Path) -> Any:
    """Writes a model's ONNX or SavedModel, and returns what runs it."""
    module = {"onnx": onnx, "saved_model": saved_model}[kind]
    module.write(model, folder)
    return module.Runner(folder)


def _states_of(model: keras.Model, kind: str, folder: pathlib.Path) -> Any:
    """What gives the hidden states that a format computes."""
    if kind == "hugging_face":
        loaded = load_backbone(folder)
        return hugging_face.Runner(worst_layer.hidden_states(loaded))
    beside = folder / "states"
    beside.mkdir()
    return _written(worst_layer.hidden_states(model), kind, beside)


class _InPairs:
    """Takes one row, as a `LiteRTEncoder` does, at any length.

    It runs in a batch with the row before it, so that neither may depend on
    the other; the first of a length runs alone.
    """

    def __init__(
        self,
        run: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]],
        lengths: Sequence[int],
    ):
        self._run = run
        self._before: dict[int, Mapping[str, np.ndarray]] = {}
        self.lengths = lengths

    def __call__(self, length: int, **row: np.ndarray) -> dict[str, np.ndarray]:
        rows: list[Mapping[str, np.ndarray]] = [row]
        if length in self._before:
            rows.append(self._before[length])
        self._before[length] = row
        batch = {name: np.stack([one[name] for one in rows]) for name in row}
        return {name: value[:1] for name, value in self._run(batch).items()}
