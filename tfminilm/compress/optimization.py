"""Import tensorflow-model-optimization without side effects."""

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
    """Import and return the package `tensorflow_model_optimization`.

    Its import sets an environment variable that asks for Keras 2. That would
    turn `tf.keras` into Keras 2 in this process, unless it was used before,
    and in every process that is started later. So `tf.keras` is loaded first,
    and the variable is restored afterwards.

    Raises:
        UserError: Keras runs on another backend; the package's quantizers and
            schedules need TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise UserError(
            "tensorflow-model-optimization computes in TensorFlow, and Keras "
            f"runs on {keras.backend.backend()}: set KERAS_BACKEND=tensorflow"
        )
    import tensorflow as tf

    before = os.environ.get(_LEGACY)
    _ = tf.keras.__version__  # Loads Keras 3 as `tf.keras`.
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # It uses distutils.
            return importlib.import_module("tensorflow_model_optimization")
    finally:
        if before is None:
            os.environ.pop(_LEGACY, None)
        else:
            os.environ[_LEGACY] = before
