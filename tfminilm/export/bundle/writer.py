"""Write bundles: everything an app needs to run a model, in one folder."""

import dataclasses
import functools
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence

import keras

from tfminilm import files
from tfminilm.errors import UserError
from tfminilm.export.bundle import contents, rules, vocabulary
from tfminilm.export.bundle.reader import Bundle, open_bundle
from tfminilm.export.bundle.replaceable import require_replaceable
from tfminilm.export.check import calibration, gate, probe, ranges
from tfminilm.export.litert import runtimes
from tfminilm.export.litert.convert import convert
from tfminilm.export.litert.runner import LiteRTEncoder
from tfminilm.export.litert.trained_ranges import Range
from tfminilm.export.manifest import (
    MANIFEST,
    MODEL,
    Evaluation,
    Identity,
    Manifest,
)
from tfminilm.export.target import Target
from tfminilm.tasks.heads import with_score
from tfminilm.tasks.settings import Settings
from tfminilm.teachers.embedding import embedding_of
from tfminilm.typed_json import to_json
from tfminilm.typing import Tokenizer


def export_bundle(
    model: keras.Model,
    tokenizer: Tokenizer,
    target: Target,
    output_dir: str | os.PathLike,
    texts: Sequence[str] | Sequence[calibration.Texts] | None = None,
    settings: Settings | None = None,
    description: str = "",
    evaluate: Callable[[Bundle], Evaluation] | None = None,
    trained: Mapping[str, Range] | None = None,
) -> Manifest:
    """Write `model.tflite`, `vocab.txt` and `manifest.json`.

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
        evaluate: scores the bundle, for the manifest.
        trained: the ranges of quantisation-aware training, as
            `trained_ranges.load` reads them, for static scales.

    Returns:
        The manifest; `typed_json.to_json` gives what is in the file.

    Raises:
        UserError: the model is of an unknown family, has no positions for
            a length or embeds shorter texts, the tokenizer is not its own,
            the folder holds something else, static scales have no texts,
            activations leave the range of float16 or static int8 where the
            target asks for it, or the file's outputs are not within the
            target's tolerance of Keras'. Nothing is written then.
    """
    output_dir = pathlib.Path(output_dir)
    require_replaceable(output_dir)
    require_whole_texts(model, target)
    model = with_score(model, settings)
    if texts is None:
        _require_no_calibration(target)
        texts = calibration.SENTENCES
    rows = calibration.as_texts(texts, settings)
    identity = contents.identity(model, target, settings, description)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        manifest = _write_files(
            folder, model, tokenizer, target, rows, identity, trained
        )
        _require_readable(manifest)
        files.write_json(folder / MANIFEST, to_json(manifest))
        if evaluate is not None:
            score = evaluate(open_bundle(folder))
            manifest = dataclasses.replace(manifest, evaluation=score)
            files.write_json(folder / MANIFEST, to_json(manifest))
        size = sum(path.stat().st_size for path in folder.iterdir())
        with files.new_directory(
            output_dir, size, require_replaceable
        ) as beside:
            for path in folder.iterdir():
                shutil.copyfile(path, beside / path.name)
    return manifest


def require_whole_texts(model: keras.Model, target: Target) -> None:
    """Refuse to embed more of a text than the model's folder says."""
    most = embedding_of(model).max_length
    if most is not None and max(target.lengths) > most:
        raise UserError(
            f"target: lengths is {target.lengths!r}, expected up to {most}, "
            "where the model's folder cuts the texts that it embeds"
        )


def _require_no_calibration(target: Target) -> None:
    if target.activations == "int8":
        raise UserError(
            f"target {target.name or '-'} is calibrated on texts like those "
            "that the model will read and was given none: expected texts="
        )


def _write_files(
    folder: pathlib.Path,
    model: keras.Model,
    tokenizer: Tokenizer,
    target: Target,
    texts: Sequence[calibration.Texts],
    identity: Identity,
    trained: Mapping[str, Range] | None,
) -> Manifest:
    """Write all but the manifest, check it, and return the manifest."""
    backbone = getattr(model, "backbone", model)
    tokenizer_settings = vocabulary.write(tokenizer, backbone, folder)
    batch = functools.partial(calibration.batch, tokenizer, texts)
    to_litert = functools.partial(
        convert,
        model,
        target.precision,
        layers=target.layers,
        batch=batch,
        ranges=trained,
    )
    path = folder / MODEL
    files.write_bytes(path, to_litert(target.lengths))
    # After the conversion, which refuses lengths that do not fit the model.
    if target.activations != "float32":
        longest = batch(max(target.lengths))
        ranges.require_range(backbone, [longest], target.activations)

    encoder = LiteRTEncoder(path)
    states = functools.partial(export_states, path, to_litert)
    return Manifest(
        **vars(identity),
        tokenizer=tokenizer_settings,
        runtimes=runtimes.oldest(path),
        signatures=contents.signatures(encoder.interpreter),
        parity=gate.require_parity(
            encoder, model, tokenizer, texts, target, states
        ),
        probe=probe.make(encoder, model, tokenizer, texts),
        files=contents.checksums(folder),
    )


def export_states(
    path: pathlib.Path,
    to_litert: Callable[..., bytes],
    states: keras.Model,
    length: int,
) -> gate.Runner:
    """Write the graph of all hidden states, and return what runs it."""
    path = path.with_name("states.tflite")
    files.write_bytes(path, to_litert((length,), list(states.output)))
    encoder = LiteRTEncoder(path)
    return lambda batch: encoder(**{k: x[0] for k, x in batch.items()})


def _require_readable(manifest: Manifest) -> None:
    """Refuse a manifest that nobody could open, an app included."""
    try:
        rules.read(to_json(manifest))
    except ValueError as error:
        raise UserError(
            f"cannot write this bundle: its manifest would say that {error}; "
            "expected a model, labels and a tokenizer that a bundle can hold"
        ) from error
