"""Files of weights, and how a model's variables are filled from one.

Each variable of the model has to be in the file, with its shape, and each
array in the file has to be known; otherwise nothing is loaded.
"""

import math
import pathlib
import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import keras
import numpy as np

from tfminilm import json_files
from tfminilm.errors import UserError, in_one_line
from tfminilm.families.hugging_face import tensors
from tfminilm.families.hugging_face.tensors import Memory
from tfminilm.private import deferred

_TF1_SETTINGS = ("bert_config.json", "config.json")
# What a training run leaves beside its weights, and constants.
_NO_WEIGHT = (
    r"(.*/)?(global_step|(adam|Adam|lamb)\w*)$|"
    r".*\bembeddings\.(position|token_type)_ids$"
)
_DTYPES = ("F16", "BF16", "F32", "F64")
# What to do about a damaged file of a model.
AGAIN = "copy the model's folder again"
# Of the names in one sentence.
_MOST_NAMES = 8


class Read(Protocol):
    """Reads the array of a name."""

    def __call__(
        self, name: str, memory: Memory | None = None
    ) -> np.ndarray: ...


class Checkpoint(NamedTuple):
    """An opened folder of weights.

    Attributes:
        folder: where it is.
        is_tf1: whether TensorFlow 1 wrote it, and not Hugging Face.
        settings_file: the `.json` file that describes the model.
        settings: its content.
        shapes: of all arrays, by name.
        read: gives the array of a name, in some memory, which the next array
            overwrites, or in memory of its own.
    """

    folder: pathlib.Path
    is_tf1: bool
    settings_file: pathlib.Path
    settings: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]
    read: Read


class Slot(NamedTuple):
    """A variable, and the name of its value in a file.

    `is_transposed`: the file has its axes the other way round. `matrix`: the
    shape of the value, before it is turned, where the variable's is another:
    attention's variables have an axis of heads.
    """

    variable: Any
    name: str
    is_transposed: bool = False
    matrix: tuple[int, ...] = ()

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """The shape that the file should have."""
        shape = self.matrix or tuple(self.variable.shape)
        return shape[::-1] if self.is_transposed else shape

    def assign(self, read: Read, memory: Memory) -> None:
        """Give the variable its value.

        Args:
            read: gives it by its name.
            memory: where it is until it is turned.
        """

        def value() -> np.ndarray:
            if self.is_transposed:
                stored = read(self.name, memory).T
            else:
                stored = read(self.name)
            return np.reshape(stored, tuple(self.variable.shape))

        deferred.assign(self.variable, value, is_given=not self.is_transposed)


def layer_slots(module: str, layer: keras.layers.Layer) -> list[Slot]:
    """Return a layer's variables by the names that PyTorch's module has."""
    slots = []
    for variable in layer.weights:
        name = pytorch_name(module, variable.name)
        size = math.prod(variable.shape)
        if variable.name == "kernel":  # [inputs, units], or heads in between.
            units = num_units(layer)
            slots.append(Slot(variable, name, True, (size // units, units)))
        else:
            matrix = (size,) if variable.name == "bias" else ()
            slots.append(Slot(variable, name, False, matrix))
    return slots


def num_units(layer: keras.layers.Layer) -> int:
    """Return the width of a dense layer's output, its heads side by side."""
    bias = layer.bias
    return layer.units if bias is None else math.prod(bias.shape)


def pytorch_name(module: str, variable: str) -> str:
    """Return PyTorch's name of a variable of a module."""
    return f"{module}.{'bias' if variable in ('bias', 'beta') else 'weight'}"


def is_tf1(folder: pathlib.Path) -> bool:
    """Return whether a folder holds a TensorFlow 1 checkpoint."""
    return any(folder.glob("*.index"))


def tf1_settings_file(folder: pathlib.Path) -> pathlib.Path:
    """Find the file beside a TensorFlow 1 checkpoint with its model's settings.

    Raises:
        UserError: there is none, or it is not clear which one it is.
    """
    usual = [folder / name for name in _TF1_SETTINGS]
    paths = [path for path in usual if path.is_file()]
    paths = paths or sorted(folder.glob("*.json"))
    if len(paths) == 1 or (paths and paths[0] in usual):
        return paths[0]
    raise UserError(
        f"{folder} holds a TensorFlow 1 checkpoint and {len(paths)} .json "
        "files: expected the model's settings as bert_config.json"
    )


def open_checkpoint(folder: pathlib.Path) -> Checkpoint:
    """Open a Hugging Face folder or a TensorFlow 1 checkpoint.

    Raises:
        UserError: a file is missing or damaged.
    """
    is_old = is_tf1(folder)
    path = tf1_settings_file(folder) if is_old else folder / "config.json"
    try:
        settings = json_files.read(path, dict, AGAIN)
        shapes, read = (_open_tf1 if is_old else _open_safetensors)(folder)
    except UserError:
        raise
    except Exception as error:
        # TensorFlow and safetensors each raise their own kind.
        raise UserError(
            f"cannot read the weights in {folder}: "
            f"{type(error).__name__}: {in_one_line(error)}; {AGAIN}"
        ) from error
    return Checkpoint(folder, is_old, path, settings, shapes, read)


def refuse_pickle(folder: pathlib.Path) -> None:
    """Refuse a folder whose weights are a pickle, with what converts them.

    Raises:
        UserError: it has `pytorch_model.bin`, in one part or several.
    """
    if not any(folder.glob("pytorch_model*.bin")):
        return
    code = (
        "import glob, torch; from safetensors.torch import save_file; "
        "save_file({k: v.clone().contiguous() "
        "for f in glob.glob('pytorch_model*.bin') "
        "for k, v in torch.load(f, weights_only=True).items()}, "
        "'model.safetensors')"
    )
    raise UserError(
        f"{folder} has its weights in pytorch_model.bin alone, a pickle, which "
        "may hold any code and is not read: expected model.safetensors; where "
        f"torch is installed, convert it: cd {shlex.quote(str(folder))} && "
        f'python -c "{code}"'
    )


def weight_map(index: pathlib.Path) -> dict[str, str]:
    """Read in which file beside an index each weight is, by its name.

    Raises:
        UserError: it is damaged, or names files elsewhere.
    """
    content = json_files.read(index, {"weight_map": {str: str}}, AGAIN)
    for name in content["weight_map"].values():
        if name in ("", "..") or name != pathlib.PurePath(name).name:
            raise UserError(
                f"{index}: {name[:60]!r} is no file beside it; {AGAIN}"
            )
    return content["weight_map"]


def fill(
    checkpoint: Checkpoint, slots: Sequence[Slot], ignored: str = ""
) -> None:
    """Give each variable its value.

    Args:
        checkpoint: where the values are.
        slots: all variables of the model.
        ignored: a pattern of what the file may hold besides.

    Raises:
        UserError: variables are missing, unknown or of another shape; the
            first of each kind are named, and no variable is changed.
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
        f"{what} {_listed(sorted(names))}"
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
            f"in {checkpoint.settings_file.name}: {'; '.join(problems)}; "
            f"{AGAIN}"
        )
    memory = Memory()
    for slot in slots:
        slot.assign(checkpoint.read, memory)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    text = ", ".join(names[:_MOST_NAMES])
    return f"{text} and {more} more" if more > 0 else text


def _open_safetensors(folder: pathlib.Path) -> Any:
    # As `transformers`, which looks for parts where there is no whole file.
    names: Iterable[str] = ["model.safetensors"]
    indexed: dict[str, str] = {}
    index = folder / "model.safetensors.index.json"
    if not (folder / "model.safetensors").is_file():
        indexed = weight_map(index)
        names = sorted(set(indexed.values()))
    where = {}
    for name in names:
        if not (folder / name).is_file():
            raise UserError(f"{index}: {name} is not beside it; {AGAIN}")
        path = folder / name
        stored = tensors.find(path)
        if lost := {k for k, x in indexed.items() if x == name} - stored.keys():
            raise UserError(
                f"{index}: {name} has no {_listed(sorted(lost))}; {AGAIN}"
            )
        # What is in several parts is read from the one that the index names.
        for key in (k for k in stored if indexed.get(k, name) == name):
            tensor = stored[key]
            if tensor.dtype not in _DTYPES and not _is_constant(key):
                raise UserError(
                    f"{path}: {key} is {tensor.dtype}, expected "
                    f"one of {', '.join(_DTYPES)}"
                )
            name_today = _todays_name(key)
            where[key if name_today in stored else name_today] = tensor
    shapes = {name: tensor.shape for name, tensor in where.items()}
    return shapes, lambda name, memory=None: where[name].read(memory)


def _is_constant(name: str) -> bool:
    return re.match(_NO_WEIGHT, name) is not None


def _todays_name(name: str) -> str:
    """Rename a norm's weights, which old files call as TensorFlow 1 did."""
    name = re.sub(r"\.gamma$", ".weight", name)
    return re.sub(r"\.beta$", ".bias", name)


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
    shapes = {k: tuple(v) for k, v in shapes.items()}
    return shapes, lambda name, memory=None: reader.get_tensor(name)
