"""Write folders in the layout of the Hugging Face Hub, each file checked.

Besides the configuration and the tokenizer, which all have: `hugging_face`
holds PyTorch's weights, `sentence_transformers` both ONNX files as well,
`transformers_js` these alone, and `onnx_int8` the smaller of them.
"""

import functools
import pathlib
from collections.abc import Sequence

import keras

from tfminilm.errors import UserError
from tfminilm.export.check import calibration, gate
from tfminilm.export.check.worst_layer import hidden_states
from tfminilm.export.manifest import Identity, Parity
from tfminilm.export.server import (
    hugging_face,
    masked_words,
    pairs,
    transformers_onnx,
)
from tfminilm.export.server.hugging_face import WEIGHTS
from tfminilm.export.server.transformers_onnx import FLOAT, INT8
from tfminilm.export.target import Target
from tfminilm.tasks.heads import load_head
from tfminilm.tasks.kinds import kind_of_head
from tfminilm.tasks.settings import Settings, has_head
from tfminilm.teachers.load import load_backbone
from tfminilm.teachers.masked_lm import load_masked_lm
from tfminilm.typing import Tokenizer

# What each format holds of a model's weights.
_FILES = {
    "hugging_face": (WEIGHTS,),
    "sentence_transformers": (WEIGHTS, FLOAT, INT8),
    "transformers_js": (FLOAT, INT8),
    "onnx_int8": (INT8,),
}
_OF_TEXTS = "ForSequenceClassification"


def write(
    model: keras.Model,
    tokenizer: Tokenizer,
    target: Target,
    folder: pathlib.Path,
    texts: Sequence[calibration.Texts],
    identity: Identity,
    settings: Settings | None,
) -> dict[str, Parity]:
    """Write a model, and compare what each file computes with Keras.

    Args:
        model: an encoder, or one with a head.
        tokenizer: the model's.
        target: format, tolerance, and the lengths to check at.
        folder: where to.
        texts: what parity is checked on.
        identity: has a head's labels and what makes a score of its logit.
        settings: how a model with a head was fine-tuned.

    Returns:
        What each file was allowed and measured, by its name.

    Raises:
        UserError: the format has no such model, or a file's outputs are not
            within the tolerance.
    """
    _require_kind(model, target)
    names = _FILES[target.format]
    hugging_face.write(
        model,
        tokenizer,
        folder,
        identity.labels or (),
        identity.score_activation or "",
        WEIGHTS in names,
    )
    if settings is not None:
        settings.without_path().save(folder)
    onnx_files = tuple(name for name in names if name != WEIGHTS)
    if onnx_files:
        transformers_onnx.write(model, folder, onnx_files)
    check = functools.partial(_check, model, tokenizer, target, folder, texts)
    return {name: check(name) for name in names}


def _require_kind(model: keras.Model, target: Target) -> None:
    """Refuse heads that sentence-transformers has no class for."""
    is_other = target.format != "sentence_transformers"
    if is_other or not hasattr(model, "backbone"):
        return
    kind = kind_of_head(model)
    if kind is None or kind.transformers_head != _OF_TEXTS:
        raise UserError(
            f"sentence_transformers has no model for a {type(model).__name__}: "
            "expected an encoder (--as=encoder), or a head for classes or a "
            "score; transformers_js writes other heads"
        )


def _check(
    model: keras.Model,
    tokenizer: Tokenizer,
    target: Target,
    folder: pathlib.Path,
    texts: Sequence[calibration.Texts],
    name: str,
) -> Parity:
    """Refuse one file unless it is within the target's tolerance."""
    hint = ""
    if name == WEIGHTS:
        loaded = _loaded(folder, model)
        if masked_words.is_masked_lm(model):
            model, hint = masked_words.at_all_places(model), masked_words.HINT
        run: gate.Runner = hugging_face.Runner(loaded)
    else:
        reading = transformers_onnx.Reading.of(model)
        run = transformers_onnx.Runner(folder / name, reading)
    if name == INT8 and target.format != "onnx_int8":
        target = target.for_int8()
    return pairs.require_parity(
        run,
        model,
        tokenizer,
        texts,
        target,
        functools.partial(_export_states, folder, name, model),
        hint,
    )


def _loaded(folder: pathlib.Path, model: keras.Model) -> keras.Model:
    """Read the Hugging Face folder of a model back, with a head as it has."""
    if masked_words.is_masked_lm(model):
        return masked_words.at_all_places(load_masked_lm(folder))
    return load_head(folder) if has_head(folder) else load_backbone(folder)


def _export_states(
    folder: pathlib.Path,
    name: str,
    model: keras.Model,
    states: keras.Model,
    length: int,
) -> gate.Runner:
    """Return what computes the hidden states in a format, at any length."""
    if name == WEIGHTS:
        return hugging_face.Runner(hidden_states(load_backbone(folder)))
    beside = folder / "states"
    beside.mkdir()
    transformers_onnx.write(model, beside, (name,), all_states=True)
    reading = transformers_onnx.Reading.of(model)
    return transformers_onnx.Runner(beside / name, reading)
