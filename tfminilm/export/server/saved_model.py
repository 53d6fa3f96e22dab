"""Write a SavedModel, for TensorFlow Serving and whatever else reads one."""

import pathlib

import keras
import numpy as np
import tensorflow as tf

from tfminilm.export import ids
from tfminilm.export.server.serving import ServingGraph
from tfminilm.export.server.text_inputs import TextInputs
from tfminilm.quiet import quiet

FOLDER = "saved_model"
# TensorFlow Serving looks for versions in a model's folder.
VERSION = "1"
SIGNATURE = "serving_default"
OF_TEXTS = "serve_text"


def write(
    model: keras.Model, folder: pathlib.Path, texts: TextInputs | None = None
) -> None:
    """Write `saved_model/1/`, with signatures of any batch and length.

    Args:
        model: an encoder, or one with a head on one.
        folder: where to.
        texts: makes its inputs of texts, for a signature that takes these;
            None for no such signature.
    """
    graph = ServingGraph(model, texts)
    signatures = {SIGNATURE: graph.serve}
    if graph.serve_text is not None:
        signatures[OF_TEXTS] = graph.serve_text
    with quiet():
        tf.saved_model.save(
            graph, str(folder / FOLDER / VERSION), signatures=signatures
        )


class Runner:
    """Runs what `write` wrote, now or before there were versions."""

    def __init__(self, folder: pathlib.Path):
        path = folder / FOLDER
        if (path / VERSION).is_dir():
            path = path / VERSION
        with quiet():
            self._loaded = tf.saved_model.load(str(path))
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
