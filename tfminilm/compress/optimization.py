"""tensorflow-model-optimization, without what its import does to others."""

import functools
import importlib
import os
import warnings
from typing import Any

import keras

from tfminilm.errors import UserError

_LEGACY = "TF_USE_LEGACY_KERAS"


@functools.cache
def import_tfmot() -> Any:
    """The package `tensorflow_model_optimization`.

    Its import asks for Keras 2 by an environment variable, which would make
    `tf.keras` Keras 2 for the whole process where nobody has used it before,
    and in every process that is started later. Here `tf.keras` is decided
    first, and the variable is put back.

    Raises:
        UserError: Keras runs on another backend: its quantizers and schedules
            are TensorFlow's.
    """
    if keras.backend.backend() != "tensorflow":
        raise UserError(
            "tensorflow-model-optimization computes in TensorFlow, and Keras "
            f"runs on {keras.backend.backend()}: set KERAS_BACKEND=tensorflow"
        )
    import tensorflow as tf

    before = os.environ.get(_LEGACY)
    _ = tf.keras.__version__  # Loads it, once and for all.
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # It uses distutils.
            return importlib.import_module("tensorflow_model_optimization")
    finally:
        if before is None:
            os.environ.pop(_LEGACY, None)
        else:
            os.environ[_LEGACY] = before
