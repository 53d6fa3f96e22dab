"""Write a SavedModel, for TensorFlow Serving and whatever else reads one."""

import pathlib

import keras
import numpy as np
import tensorflow as tf

from tfminilm.export import ids
from tfminilm.export.server.serving import ServingGraph
from tfminilm.quiet import quiet

FOLDER = "saved_model"
SIGNATURE = "serving_default"


def write(model: keras.Model, folder: pathlib.Path) -> None:
    """Write `saved_model/`, with one signature of any batch and length."""
    graph = ServingGraph(model)
    with quiet():
        tf.saved_model.save(
            graph, str(folder / FOLDER), signatures={SIGNATURE: graph.function}
        )


class Runner:
    """Runs what `write` wrote."""

    def __init__(self, folder: pathlib.Path):
        with quiet():
            self._loaded = tf.saved_model.load(str(folder / FOLDER))
        self._function = self._loaded.signatures[SIGNATURE]

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return outputs for int32 `[batch, length]` inputs, all by name.

        Raises:
            UserError: an id has no row in the model's tables.
        """
        ids.require(batch)
        _, wanted = self._function.structured_input_signature
        with ids.explained(batch, "TensorFlow"):
            outputs = self._function(
                **{name: tf.constant(batch[name]) for name in wanted}
            )
        return {name: value.numpy() for name, value in outputs.items()}
