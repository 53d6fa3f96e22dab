"""Measure how much memory a run takes."""

import resource
import sys

import keras


def peak_memory() -> dict[str, float]:
    """Return the most memory this process has had, in GiB, and on its device.

    That of a GPU is there where TensorFlow computes on one.
    """
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 2**10
    memory = {"peak_memory_gib": round(size * unit / 2**30, 3)}
    # Other backends use TensorFlow for data alone, and no GPU through it.
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if tf.config.list_logical_devices("GPU"):
            device = tf.config.experimental.get_memory_info("GPU:0")["peak"]
            memory["device_peak_memory_gib"] = round(device / 2**30, 3)
    return memory
