"""Write presets that KerasHub alone can ask about texts.

Beside a model and its tokenizer KerasHub wants to know how texts become the
model's inputs: a preprocessor. It is written where KerasHub has the task's
class, and its own rules cut ordinary text as the model's do.
"""

import os
import pathlib
from typing import Any

import keras

from tfminilm import files, json_files
from tfminilm.private import hdf5
from tfminilm.teachers.embedding import embedding_of
from tfminilm.tokenizer import Exact
from tfminilm.tokenizer.settings import complete, save_tokenizer
from tfminilm.typing import Tokenizer

_TASK, _PREPROCESSOR = "task.json", "preprocessor.json"
# In tokens, of a text that is embedded.
_LENGTH = 128
# KerasHub's ALBERT keeps capitals, for example, and its models have none.
_ORDINARY = (
    "The quick brown fox jumped over 12 lazy dogs, didn't it?",
    'A café in Zürich: "GOOD" coffee (3.50 CHF) - and Peter\'s cake!',
)


def save_preset(
    model: keras.Model,
    tokenizer: Tokenizer,
    folder: str | os.PathLike,
    max_length: int | None = None,
) -> None:
    """Write a model as a preset of KerasHub.

    Args:
        model: a backbone, or a model with a head on one.
        tokenizer: its own.
        folder: where to.
        max_length: tokens of the longest sequence, the special ones included;
            by default as it embeds texts, or what it has positions for.
    """
    preprocessor = preprocessor_of(model, tokenizer, max_length)
    with hdf5.writing():
        model.save_to_preset(str(folder))
    save_tokenizer(tokenizer, folder)
    if preprocessor is None:
        return
    preprocessor.save_to_preset(str(folder))
    path = pathlib.Path(folder)
    written = json_files.read(path / _PREPROCESSOR, {"config": dict})
    complete(written["config"]["tokenizer"]["config"], tokenizer)
    files.write_json(path / _PREPROCESSOR, written)
    # It may have written the tokenizer's settings anew.
    save_tokenizer(tokenizer, folder)
    if (path / _TASK).is_file():
        task = json_files.read(path / _TASK, {"config": dict})
        task["config"]["preprocessor"] = written
        files.write_json(path / _TASK, task)


def preprocessor_of(
    model: keras.Model, tokenizer: Tokenizer, max_length: int | None = None
) -> Any | None:
    """Return KerasHub's preprocessor for a model, if it has the right one.

    Args:
        model: a backbone, which KerasHub embeds texts with, or one with a
            head of KerasHub's own.
        tokenizer: the model's.
        max_length: tokens of the longest sequence.

    Returns:
        None if the head's class is not KerasHub's, if KerasHub has none for
        such a tokenizer, or if its rules cut ordinary text otherwise.
    """
    backbone = getattr(model, "backbone", model)
    cls = _class_for(model)
    if cls is None or not _is_kin(tokenizer, cls.tokenizer_cls):
        return None
    if isinstance(tokenizer, Exact) and not tokenizer.is_as_keras_hub(
        _ORDINARY
    ):
        return None
    most = backbone.max_sequence_length
    if max_length is None and model is backbone:
        max_length = embedding_of(model).max_length or _LENGTH
    length = min(max_length or most, most)
    return cls(tokenizer, sequence_length=length)


def _is_kin(tokenizer: Tokenizer, cls: type) -> bool:
    """Tell whether KerasHub's preprocessor can do with a tokenizer.

    Those of word pieces differ in nothing but their names.
    """
    import keras_hub

    words = keras_hub.tokenizers.WordPieceTokenizer
    if issubclass(cls, words):
        return isinstance(tokenizer, words)
    return isinstance(tokenizer, cls)


def _class_for(model: keras.Model) -> Any | None:
    """Return KerasHub's class of a model's preprocessor, if there is one."""
    import keras_hub

    if hasattr(model, "backbone"):
        cls = getattr(type(model), "preprocessor_cls", None)
        is_keras_hubs = type(model).__module__.startswith("keras_hub.")
        return cls if is_keras_hubs else None
    for embedder in keras_hub.models.TextEmbedder.__subclasses__():
        if embedder.backbone_cls is type(model):
            return embedder.preprocessor_cls
    return None
