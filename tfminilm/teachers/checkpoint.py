"""Files of weights, and how a model's variables are filled from one.

Each variable of the model has to be in the file, with its shape, and each
array in the file has to be known; otherwise nothing is loaded.
"""

import json
import pathlib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from tfminilm.errors import UserError

_TF1_SETTINGS = ("bert_config.json", "config.json")
# What a training run leaves beside its weights, and a constant.
_NO_WEIGHT = r"(.*/)?(global_step|(adam|Adam|lamb)\w*)$|.*\bposition_ids$"


class Checkpoint(NamedTuple):
    """An opened folder of weights.

    Attributes:
        folder: where it is.
        is_tf1: whether TensorFlow 1 wrote it, and not Hugging Face.
        settings_file: the `.json` file that describes the model.
        settings: its content.
        shapes: of all arrays, by name.
        read: gives the array of a name.
    """

    folder: pathlib.Path
    is_tf1: bool
    settings_file: pathlib.Path
    settings: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]
    read: Callable[[str], np.ndarray]


class Slot(NamedTuple):
    """A variable, and the name of its value in a file.

    `is_transposed`: the file has its axes the other way round.
    """

    variable: keras.Variable
    name: str
    is_transposed: bool = False

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """The shape that the file should have."""
        shape = tuple(self.variable.shape)
        return shape[::-1] if self.is_transposed else shape


def is_tf1(folder: pathlib.Path) -> bool:
    """Whether a folder holds a TensorFlow 1 checkpoint."""
    return any(folder.glob("*.index"))


def tf1_settings_file(folder: pathlib.Path) -> pathlib.Path:
    """The file beside a TensorFlow 1 checkpoint that describes its model.

    Raises:
        UserError: there is none, or it is not clear which one it is.
    """
    known = [folder / name for name in _TF1_SETTINGS]
    found = [path for path in known if path.is_file()]
    found = found or sorted(folder.glob("*.json"))
    if len(found) == 1 or (found and found[0] in known):
        return found[0]
    raise UserError(
        f"{folder} holds a TensorFlow 1 checkpoint and {len(found)} .json "
        "files: expected the model's settings as bert_config.json"
    )


def open_checkpoint(folder: pathlib.Path) -> Checkpoint:
    """Opens a Hugging Face folder or a TensorFlow 1 checkpoint.

    Raises:
        UserError: a file is missing or damaged.
    """
    is_old = is_tf1(folder)
    path = tf1_settings_file(folder) if is_old else folder / "config.json"
    try:
        settings = json.loads(path.read_text("utf-8"))
        shapes, read = (_open_tf1 if is_old else _open_safetensors)(folder)
    except UserError:
        raise
    except Exception as error:
        # TensorFlow and safetensors each raise their own kind.
        reason = " ".join(str(error).split())[:300]
        raise UserError(
            f"cannot read the weights in {folder}: "
            f"{type(error).__name__}: {reason}"
        ) from error
    return Checkpoint(folder, is_old, path, settings, shapes, read)


def fill(
    checkpoint: Checkpoint, slots: Sequence[Slot], ignored: str = ""
) -> None:
    """Gives each variable its value.

    Args:
        checkpoint: where the values are.
        slots: all variables of the model.
        ignored: a pattern of what the file may hold besides.

    Raises:
        UserError: variables are missing, unknown or of another shape; all of
            them are named, and no variable is changed.
    """
    expected = {slot.name: slot for slot in slots}
    shapes = checkpoint.shapes
    passed = re.compile(f"{ignored}|{_NO_WEIGHT}" if ignored else _NO_WEIGHT)
    unknown = [n for n in shapes.keys() - expected if not passed.match(n)]
    misshapen = [
        f"{name} {shapes[name]} for {slot.stored_shape}"
        for name, slot in expected.items()
        if shapes.get(name, slot.stored_shape) != slot.stored_shape
    ]
    problems = [
        f"{what} {', '.join(sorted(names))}"
        for what, names in (
            ("missing", expected.keys() - shapes),
            ("unknown", unknown),
            ("of another shape", misshapen),
        )
        if names
    ]
    if problems:
        raise UserError(
            f"the weights in {checkpoint.folder} are not those of the model "
            f"in {checkpoint.settings_file.name}: {'; '.join(problems)}"
        )
    for slot in slots:
        value = checkpoint.read(slot.name)
        slot.variable.assign(value.T if slot.is_transposed else value)


def _open_safetensors(folder: pathlib.Path) -> Any:
    import safetensors

    index = folder / "model.safetensors.index.json"
    names: Iterable[str] = ["model.safetensors"]
    if index.is_file():
        names = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
    files = [safetensors.safe_open(folder / n, framework="np") for n in names]
    where = {key: file for file in files for key in file.keys()}  # noqa: SIM118
    shapes = {
        key: tuple(file.get_slice(key).get_shape())
        for key, file in where.items()
    }
    return shapes, lambda key: where[key].get_tensor(key)


def _open_tf1(folder: pathlib.Path) -> Any:
    import tensorflow as tf

    paths = sorted(folder.glob("*.index"))
    if len(paths) > 1:
        raise UserError(
            f"{folder} holds {len(paths)} checkpoints, expected one: "
            f"{', '.join(path.stem for path in paths)}"
        )
    reader = tf.train.load_checkpoint(str(paths[0].with_suffix("")))
    shapes = reader.get_variable_to_shape_map()
    return {k: tuple(v) for k, v in shapes.items()}, reader.get_tensor
