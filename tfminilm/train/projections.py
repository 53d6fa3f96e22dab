"""Keep what a method learns beside the student, for the stages after it.

TinyBERT's linear maps to the teacher's width (arXiv 1909.10351, equations 8
and 9) are no part of the student, but its task distillation goes on with those
of its general distillation.
"""

import pathlib

import keras
import numpy as np
import safetensors
import safetensors.numpy

from tfminilm import files
from tfminilm.distiller import Distiller
from tfminilm.errors import UserError
from tfminilm.teachers.load import run_folder
from tfminilm.typing import Source

NAME = "projections.safetensors"


def save(distiller: Distiller, folder: pathlib.Path) -> None:
    """Write a distiller's projections into its run's folder, if it has some.

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """
    tensors = {
        key: np.asarray(keras.ops.convert_to_numpy(weight.value))
        for key, weight in _weights(distiller).items()
    }
    if tensors:
        content = safetensors.numpy.save(tensors)
        files.write_bytes(folder / NAME, content)


def load(distiller: Distiller, source: Source) -> tuple[str, ...]:
    """Start projections as a run left those of the same name and shape.

    Args:
        distiller: is changed in place.
        source: what the student starts from; all but the workdir of a run
            that kept some changes nothing.

    Returns:
        What a person is told of it.

    Raises:
        UserError: the file is damaged.
    """
    weights, folder = _weights(distiller), pathlib.Path(source)
    if not weights or not folder.is_dir():
        return ()
    path = run_folder(folder) / NAME
    if not path.is_file():
        return ()
    try:
        tensors = safetensors.numpy.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise UserError(
            f"{path} is damaged: expected the projections of the stage that "
            "the student starts from; remove it to start with new ones"
        ) from error
    fitting = {
        key: weight
        for key, weight in weights.items()
        if key in tensors and tensors[key].shape == tuple(weight.shape)
    }
    for key, weight in fitting.items():
        weight.assign(tensors[key])
    count = f"{len(fitting)} of {len(weights)}"
    return (f"{count} projections start as {path.parent} left them",)


def _weights(distiller: Distiller) -> dict[str, keras.Variable]:
    return {
        f"{name}/{weight.name}": weight
        for name, layer in distiller.projections.items()
        for weight in layer.weights
    }
