"""Read what sentence-transformers says of its cross-encoders.

Such a model reads two texts together. Its folder says what becomes of its
logits: `config_sentence_transformers.json` of today's, `config.json` of older
ones.
"""

import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from tfminilm import json_files
from tfminilm.errors import UserError
from tfminilm.teachers.embedding import read_length

LINEAR, SIGMOID = "linear", "sigmoid"
# What `transformers` gives on from a model's settings.
SETTING, FUNCTION = "sentence_transformers", "activation_fn"
_SETTINGS_FILE = "config_sentence_transformers.json"
_OLD_SETTING = "sbert_ce_default_activation_function"
# PyTorch's names without their packages.
_KERAS_NAMES = {"Identity": LINEAR, "Sigmoid": SIGMOID}
_TORCH_NAMES = {
    LINEAR: "torch.nn.modules.linear.Identity",
    SIGMOID: "torch.nn.modules.activation.Sigmoid",
}


class CrossEncoder(NamedTuple):
    """Hold what a folder says of a cross-encoder.

    Attributes:
        activation: of its logits, "linear" or "sigmoid".
        max_length: the number of tokens at which two texts are cut; `None` if
            nothing but the position table limits it.
    """

    activation: str
    max_length: int | None


def find_cross_encoder(
    path: pathlib.Path, config: Mapping[str, Any], num_labels: int
) -> CrossEncoder | None:
    """Return what a folder says of a cross-encoder; `None` if it is none.

    Args:
        path: of its `config.json`.
        config: what stands in there.
        num_labels: its outputs. One alone has a sigmoid where the folder is a
            cross-encoder's and names no activation.

    Raises:
        UserError: the activation is another than these two, or damaged.
    """
    path_today = path.with_name(_SETTINGS_FILE)
    saved = _settings(path.parent)
    is_today = saved.get("model_type") == "CrossEncoder"
    older = config.get(SETTING)
    places = (
        (path_today, saved.get(FUNCTION) if is_today else None),
        (path, older.get(FUNCTION) if isinstance(older, Mapping) else None),
        (path, config.get(_OLD_SETTING)),
    )
    stated = [(where, name) for where, name in places if name is not None]
    if not stated and not is_today:
        return None
    activation = SIGMOID if num_labels == 1 else LINEAR
    if stated:
        activation = _keras_name(*stated[0])
    return CrossEncoder(activation, read_length(path.parent))


def torch_name(activation: str) -> str:
    """Return PyTorch's name of an activation, as such folders have it."""
    return _TORCH_NAMES[activation]


def _settings(folder: pathlib.Path) -> dict[str, Any]:
    path = folder / _SETTINGS_FILE
    if not path.is_file():
        return {}
    return json_files.read(path, dict, "copy the folder again")


def _keras_name(path: pathlib.Path, name: object) -> str:
    last = str(name).rpartition(".")[2]
    if last not in _KERAS_NAMES:
        raise UserError(
            f"{path}: {FUNCTION} is {str(name)[:60]!r}, expected "
            f"{' or '.join(_TORCH_NAMES.values())}: save the cross-encoder "
            "with one of them"
        )
    return _KERAS_NAMES[last]
