"""Refuse settings of a model that is larger than the weights beside them."""

import math
import os
import pathlib
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras

from tfminilm import json_files
from tfminilm.errors import UserError
from tfminilm.families.hugging_face.checkpoint import AGAIN
from tfminilm.files import megabytes
from tfminilm.private.deferred import made_with_values

_WEIGHTS = ("*.safetensors", "*.h5", "*.data-*")
# No encoder has more, and building them one by one would take minutes.
_MOST_LAYERS = 1_000
_REPEATED = (
    "num_layers",
    "num_feedforwards",
    "num_groups",
    "num_inner_repetitions",
)
# In all: a model of smaller sizes fits into any memory.
_SMALL = 600


def require_room(
    path: pathlib.Path,
    sizes: Mapping[str, Any],
    build: Callable[[], keras.Model],
) -> None:
    """Compare what settings ask for with the weights in their folder.

    Nothing is read, and nothing of the model's size is made.

    Args:
        path: the file of the settings.
        sizes: the numbers in it, by the names that KerasHub's classes have.
        build: makes the model; errors of it are left to who builds it.

    Raises:
        UserError: the files of weights have fewer bytes than the model has
            numbers; or it has more layers than any.
    """
    counts = dict(_whole_numbers(sizes))
    if sum(counts.values()) < _SMALL:
        return
    held = _require_sizes(path, counts)
    _require(path, counts, _size(build), held)


def build_in_room(
    path: pathlib.Path,
    sizes: Mapping[str, Any],
    build: Callable[[], keras.Model],
) -> Any:
    """Build a model whose size `require_room` would pass.

    It is built once, and in `made_with_values` its weights are not made.

    Args:
        path: the file of the settings.
        sizes: the numbers in it, by the names that KerasHub's classes have.
        build: makes the model.

    Raises:
        UserError: as `require_room`.
    """
    counts = dict(_whole_numbers(sizes))
    if sum(counts.values()) < _SMALL:
        return build()
    held = _require_sizes(path, counts)
    with made_with_values():
        model = build()
        _require(path, counts, _num_weights(model), held)
    return model


def _require_sizes(path: pathlib.Path, counts: Mapping[str, int]) -> int:
    """Refuse sizes that no model has; return the bytes of the weights."""
    files = [file for kind in _WEIGHTS for file in path.parent.glob(kind)]
    held = sum(file.stat().st_size for file in files)
    layers = math.prod(counts.get(name, 1) for name in _REPEATED)
    if layers > _MOST_LAYERS:
        raise UserError(
            f"{path}: describes a model of {layers:,} layers, expected up to "
            f"{_MOST_LAYERS:,}; {AGAIN}"
        )
    # No side of an array is longer than all of them together.
    _require(path, counts, max(counts.values()), held)
    return held


def _require(
    path: pathlib.Path, counts: Mapping[str, int], asked: int, held: int
) -> None:
    """Refuse a model of more numbers than the weights have bytes."""
    name = max(counts, key=counts.__getitem__)
    if asked > held:
        raise UserError(
            f"{path}: describes a model of {asked:,} numbers or more "
            f"({name} is {counts[name]:,}), and the weights beside it have "
            f"{megabytes(held)}: expected the files of one model; {AGAIN}"
        )


def require_preset_room(folder: str | os.PathLike) -> None:
    """Apply `require_room` to a KerasHub preset: its backbone, and its head.

    Args:
        folder: the preset's; a preset's name is passed over.

    Raises:
        UserError: as `require_room` raises it, or a file is damaged.
    """
    for name in ("config.json", "task.json"):
        path = pathlib.Path(folder, name)
        if not path.is_file():
            continue
        content = json_files.read(path, {"config?": dict}, AGAIN)

        def build(content: dict[str, Any] = content) -> keras.Model:
            return keras.saving.deserialize_keras_object(content)

        require_room(path, content.get("config", {}), build)


def _whole_numbers(sizes: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for name, value in sizes.items():
        if type(value) is int and name != "seed":
            yield name, value


def _num_weights(model: keras.Model) -> int:
    return sum(math.prod(one.shape) for one in model.weights)


def _size(build: Callable[[], keras.Model]) -> int:
    """Count the numbers of a model's weights, of which none is made.

    Keras keeps its state for each thread: names and what is left to be made
    go with a thread of its own. Python's random numbers are put back, since
    layers take their seeds from them.
    """
    size = 0

    def count() -> None:
        nonlocal size
        try:
            with keras.StatelessScope(initialize_variables=False):
                model = build()
            size = _num_weights(model)
        except Exception:  # KerasHub has many kinds; it is built again.
            return

    state = random.getstate()
    try:
        thread = threading.Thread(target=count)
        thread.start()
        thread.join()
    finally:
        random.setstate(state)
    return size
