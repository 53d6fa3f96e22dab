"""Build what a server runs: Keras' own graph, any batch, any length."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfminilm.errors import UserError
from tfminilm.export.server.text_inputs import TextInputs
from tfminilm.teachers.embedding import embedding_of


class ServingGraph(tf.Module):
    """A model as one function of named inputs.

    Takes int32 `[batch, length]` tensors, named as the model's inputs, and
    returns a dict: `logits` of a classifier or a regression, `start_logits`
    and `end_logits` where answers are found, and of a backbone its own
    outputs and `sentence_embedding`, as `teachers.embedding` says. `serve`
    takes a dict of these, and `serve_text` texts.

    Raises:
        UserError: Keras does not run on TensorFlow, which writes the function.
    """

    def __init__(self, model: keras.Model, texts: TextInputs | None = None):
        super().__init__(name="serving")
        if keras.backend.backend() != "tensorflow":
            raise UserError(
                "ONNX and SavedModel are written by TensorFlow, and Keras runs "
                f"on {keras.backend.backend()}: set KERAS_BACKEND=tensorflow"
            )
        self.model = model
        self.texts = texts
        specs = {
            name: tf.TensorSpec([None, None], tf.int32, name)
            for name in sorted(model.input)
        }
        self.serve = tf.function(self.outputs, input_signature=[specs])
        self.serve_text: Callable | None = None
        if texts is not None:
            self.serve_text = tf.function(
                lambda *rows: self.outputs(texts(*rows)),
                input_signature=texts.signature,
            )

    def by_position(self) -> Any:
        """Return a function of the inputs in the order of their names.

        It is no attribute: a SavedModel would hold it as well.
        """
        names = sorted(self.model.input)
        return tf.function(
            lambda *inputs: self.outputs(dict(zip(names, inputs, strict=True))),
            input_signature=[
                tf.TensorSpec([None, None], tf.int32, name) for name in names
            ],
        )

    def outputs(self, named: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Return the model's outputs by name, of its inputs by name."""
        outputs = self.model(named, training=False)
        if not isinstance(outputs, dict):
            is_task = hasattr(self.model, "backbone")
            outputs = {"logits" if is_task else "sequence_output": outputs}
        if "sequence_output" not in outputs:
            return outputs
        states = outputs["sequence_output"]
        embedding = embedding_of(self.model)
        if embedding.pooling == "cls":
            vectors = states[:, 0]
        else:
            real = tf.cast(named["padding_mask"], states.dtype)[:, :, None]
            count = tf.maximum(tf.reduce_sum(real, 1), 1)
            vectors = tf.reduce_sum(states * real, 1) / count
        if embedding.normalize:
            square = tf.reduce_sum(vectors * vectors, -1, keepdims=True)
            vectors *= tf.math.rsqrt(tf.maximum(square, 1e-24))
        return {**outputs, "sentence_embedding": vectors}
