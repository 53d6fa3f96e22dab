"""All settings of a KerasHub tokenizer, and presets that hold them."""

import os
import pathlib
from typing import TYPE_CHECKING, Any

from tfminilm import files, json_files

if TYPE_CHECKING:
    import keras

_CHINESE = "split_on_cjk"


def config_of(tokenizer: "keras.layers.Layer") -> dict[str, Any]:
    """Return what the tokenizer is made of, but for its vocabulary.

    KerasHub's own `get_config` leaves out whether Chinese characters are
    words of their own; it is added here where it is not KerasHub's default.
    """
    config = tokenizer.get_config()
    complete(config, tokenizer)
    return config


def complete(config: dict[str, Any], tokenizer: "keras.layers.Layer") -> None:
    """Add to a tokenizer's config what KerasHub leaves out."""
    if not getattr(tokenizer, _CHINESE, True):
        config[_CHINESE] = False


def save_tokenizer(
    tokenizer: "keras.layers.Layer", folder: str | os.PathLike
) -> None:
    """Write a tokenizer into a preset's folder, with all of its settings.

    KerasHub reads them there, too.
    """
    tokenizer.save_to_preset(str(folder))
    path = pathlib.Path(folder, tokenizer.config_file)
    content = json_files.read(path, {"config": dict})
    if not config_of(tokenizer).get(_CHINESE, True):
        content["config"][_CHINESE] = False
        files.write_json(path, content)
