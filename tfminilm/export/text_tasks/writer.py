"""Write a model as one file for a client that cuts texts itself."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Sequence

import keras
import numpy as np

from tfminilm import files
from tfminilm.export.bundle import contents, vocabulary
from tfminilm.export.bundle.replaceable import require_replaceable
from tfminilm.export.bundle.writer import export_states, require_whole_texts
from tfminilm.export.check import calibration, gate, ranges
from tfminilm.export.litert import runtimes
from tfminilm.export.litert.convert import convert
from tfminilm.export.litert.runner import LiteRTEncoder
from tfminilm.export.manifest import (
    MANIFEST,
    MODEL,
    OUTPUTS,
    Identity,
    Manifest,
    Parity,
    TokenizerSettings,
)
from tfminilm.export.target import Target
from tfminilm.export.text_tasks import clients, metadata, packed
from tfminilm.tasks.head_models import last_dense
from tfminilm.tasks.heads import plain, with_score
from tfminilm.tasks.kinds import kind_of
from tfminilm.tasks.settings import Settings
from tfminilm.typed_json import to_json
from tfminilm.typing import Tokenizer


def export_text_task(
    model: keras.Model,
    tokenizer: Tokenizer,
    target: Target,
    output_dir: str | os.PathLike,
    texts: Sequence[str] | Sequence[calibration.Texts] = calibration.SENTENCES,
    settings: Settings | None = None,
    description: str = "",
) -> Manifest:
    """Write `model.tflite` with all that a client reads in it.

    Beside it lie `vocab.txt`, `labels.txt` of a classifier, and
    `manifest.json`, for people and for checks: an app needs the file alone.

    Args:
        model: an encoder, or a model of `tasks.heads.build_head` on one.
        tokenizer: its KerasHub WordPiece tokenizer, in lower case.
        target: format, precision, tolerance, and one length.
        output_dir: a new folder, an empty one, or an older export, which is
            replaced.
        texts: what parity with Keras is checked on: sentences, or the one or
            two texts of each of a task's examples.
        settings: how a model with a head was fine-tuned.
        description: a sentence on the model, for people.

    Returns:
        The manifest; `typed_json.to_json` gives what is in the file.

    Raises:
        UserError: the client does not take such a model, tokenizer or length,
            the folder holds something else, or the file's outputs are not
            within the target's tolerance of Keras'. Nothing is written then.
    """
    # A command's target was read so before; that of a function is now.
    target = Target.parse(vars(target))
    output_dir = pathlib.Path(output_dir)
    require_replaceable(output_dir)
    require_whole_texts(model, target)
    clients.require_words(tokenizer, target)
    identity = contents.identity(model, target, settings, description)
    clients.CLIENTS[target.format].require(identity, target)
    clients.require_no_prompt(identity, target)
    clients.require_lines(identity.labels or (), metadata.LABELS)
    model = _with_probabilities(with_score(model, settings), settings)
    rows = calibration.as_texts(texts, settings)
    size = 4 * model.count_params()
    with files.new_directory(output_dir, size, require_replaceable) as folder:
        backbone = getattr(model, "backbone", model)
        words = vocabulary.write(tokenizer, backbone, folder)
        manifest = _write_files(
            folder, model, tokenizer, target, rows, identity, words
        )
        files.write_json(folder / MANIFEST, to_json(manifest))
    return manifest


def _with_probabilities(
    model: keras.Model, settings: Settings | None
) -> keras.Model:
    """Return what gives probabilities, where classes exclude each other."""
    if settings is None:
        return model
    kind = kind_of(settings)
    if not kind.has_classes or kind.has_several_labels:
        return model
    model = plain(model)
    last_dense(model).activation = keras.activations.softmax
    return model


def _write_files(
    folder: pathlib.Path,
    model: keras.Model,
    tokenizer: Tokenizer,
    target: Target,
    texts: Sequence[calibration.Texts],
    identity: Identity,
    words: TokenizerSettings,
) -> Manifest:
    """Write all but the manifest, check it, and return the manifest."""
    to_litert = functools.partial(convert, model, target.precision)
    content = to_litert(target.lengths, list(OUTPUTS[identity.task]))
    if target.activations != "float32":
        longest = calibration.batch(tokenizer, texts, max(target.lengths))
        backbone = getattr(model, "backbone", model)
        ranges.require_range(backbone, [longest], target.activations)
    if identity.labels:
        lines = "\n".join(identity.labels) + "\n"
        files.write_text(folder / metadata.LABELS, lines)
    names = [metadata.VOCABULARY, metadata.LABELS]
    paths = [folder / name for name in names if (folder / name).exists()]
    inside = {path.name: path.read_bytes() for path in paths}
    path = folder / MODEL
    note = clients.note(words)
    description = "; ".join(filter(None, (identity.description, note)))
    files.write_bytes(path, packed.pack(content, description, inside))
    encoder = _Encoder(path)
    states = functools.partial(export_states, path, to_litert)
    parts = vars(identity) | {
        "format": f"tfminilm-{target.format}",
        "description": description,
    }
    return Manifest(
        **parts,
        tokenizer=words,
        runtimes=runtimes.oldest(path),
        signatures=contents.signatures(encoder.interpreter),
        parity=_renamed(
            gate.require_parity(
                encoder, model, tokenizer, texts, target, states
            )
        ),
        files=contents.checksums(folder),
    )


def _renamed(parity: Parity) -> Parity:
    """Call what was compared by the names that it has in the file."""
    outputs = {
        packed.OUTPUTS[name]: row for name, row in parity.outputs.items()
    }
    return dataclasses.replace(parity, outputs=outputs)


class _Encoder(LiteRTEncoder):
    """Runs a packed file; its outputs have the names that Keras' have."""

    def __call__(self, *inputs, **named) -> dict[str, np.ndarray]:
        outputs = super().__call__(*inputs, **named)
        return {
            name: outputs[inside]
            for name, inside in packed.OUTPUTS.items()
            if inside in outputs
        }
