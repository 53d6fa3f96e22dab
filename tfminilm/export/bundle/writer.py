"""Bundles: everything an app needs to run a model, in one folder."""

import functools
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from tfminilm import files
from tfminilm.errors import UserError
from tfminilm.export.bundle import manifest, rules, vocabulary
from tfminilm.export.bundle.reader import MANIFEST, MODEL, Bundle, open_bundle
from tfminilm.export.bundle.replaceable import require_replaceable
from tfminilm.export.check import (
    calibration,
    parity,
    probe,
    ranges,
    worst_layer,
)
from tfminilm.export.litert import runtimes
from tfminilm.export.litert.convert import convert
from tfminilm.export.litert.runner import LiteRTEncoder, open_interpreter
from tfminilm.export.litert.trained_ranges import Range
from tfminilm.export.target import Target
from tfminilm.tasks.evaluate import Settings


def export_bundle(
    model: keras.Model,
    tokenizer: Any,
    target: Target,
    output_dir: str | os.PathLike,
    texts: Sequence[str] | Sequence[calibration.Texts] | None = None,
    settings: Settings | None = None,
    description: str = "",
    evaluate: Callable[[Bundle], dict[str, Any]] | None = None,
    trained: Mapping[str, Range] | None = None,
) -> dict[str, Any]:
    """Writes `model.tflite`, `vocab.txt` and `manifest.json`.

    Args:
        model: an encoder, or a model of `tasks.heads.build_head` on one, as
            `mobile_graph.MobileGraph` takes it.
        tokenizer: its KerasHub WordPiece tokenizer.
        target: precision, lengths and tolerance.
        output_dir: a new folder, an empty one, or an older bundle, which is
            replaced.
        texts: what parity with Keras is checked and static scales are
            measured on: sentences, or the one or two texts of each of a
            task's examples; `calibration.SENTENCES` without it, but not for
            static scales.
        settings: how a model with a head was fine-tuned.
        description: a sentence on the model, for people.
        evaluate: scores the bundle, and returns what the manifest is to say
            of that.
        trained: the ranges that the model was rounded in while it learned,
            as `trained_ranges.load` reads them, for static scales.

    Returns:
        The manifest, as in the file.

    Raises:
        UserError: the model is of an unknown family or has no positions for
            a length, the tokenizer is not its own, the folder holds something
            else, static scales have no texts, activations leave the range of
            float16 or static int8 where the target asks for it, or the file's
            outputs are not within the target's tolerance of Keras'. Nothing
            is written then.
    """
    output_dir = pathlib.Path(output_dir)
    require_replaceable(output_dir)
    texts = calibration.as_texts(_texts(texts, target), settings)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        said = manifest.identity(model, target, settings, description)
        backbone = getattr(model, "backbone", model)
        said["tokenizer"] = vocabulary.write(tokenizer, backbone, folder)
        batch = functools.partial(calibration.batch, tokenizer, texts)
        to_litert = functools.partial(
            convert,
            model,
            target.precision,
            layers=target.layers,
            batch=batch,
            ranges=trained,
        )
        files.write_bytes(folder / MODEL, to_litert(target.lengths))
        # After it, as what it refuses, such as a length, is an error here.
        if target.activations != "float32":
            longest = batch(max(target.lengths))
            ranges.require_range(backbone, [longest], target.activations)
        said["runtimes"] = runtimes.oldest(folder / MODEL)
        said["signatures"] = manifest.signatures(
            open_interpreter(folder / MODEL)
        )
        said["parity"] = _checked(
            folder / MODEL, model, tokenizer, target, texts, to_litert
        )
        said["probe"] = probe.make(
            LiteRTEncoder(folder / MODEL), model, tokenizer, texts
        )
        said["files"] = manifest.checksums(folder)
        said["evaluation"] = None
        _require_readable(said)
        files.write_json(folder / MANIFEST, said)
        if evaluate is not None:
            said["evaluation"] = evaluate(open_bundle(folder))
            files.write_json(folder / MANIFEST, said)
        size = sum(path.stat().st_size for path in folder.iterdir())
        with files.new_directory(
            output_dir, size, require_replaceable
        ) as beside:
            for path in folder.iterdir():
                shutil.copyfile(path, beside / path.name)
    return said


def _require_readable(said: Mapping[str, Any]) -> None:
    """Refuses a manifest that nobody could open, an app included."""
    fault = rules.fault(said)
    if fault:
        raise UserError(
            f"cannot write this bundle: its manifest would say that {fault}; "
            "expected a model, labels and a tokenizer that a bundle can hold"
        )


def _texts(texts: Sequence[Any] | None, target: Target) -> Sequence[Any]:
    if texts is None and target.activations == "int8":
        raise UserError(
            f"target {target.name or '-'} is calibrated on texts like those "
            "that the model will read and was given none: expected texts="
        )
    return calibration.SENTENCES if texts is None else texts


def _checked(
    path: pathlib.Path,
    model: keras.Model,
    tokenizer: Any,
    target: Target,
    texts: Sequence[calibration.Texts],
    convert: Callable[..., bytes],
) -> dict[str, Any]:
    """What the manifest says of parity, if there is parity."""
    found = parity.differences(path, model, tokenizer, texts)
    try:
        parity.require(found, target)
    except UserError as error:
        worst = parity.worst_of(found, target)
        states = worst_layer.hidden_states(model)

        def run(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            file = path.with_name("states.tflite")
            content = convert((worst.length,), list(states.output))
            files.write_bytes(file, content)
            return LiteRTEncoder(file)(**{k: x[0] for k, x in batch.items()})

        batch = parity.batch_of(worst, tokenizer, texts)
        where = worst_layer.worst_layer(states, batch, run)
        raise UserError(f"{error}; {where}; nothing was written") from error
    return parity.report(found, target, len(texts))
