"""Build a teacher that gives what was computed before: its batch holds it.

A batch has the outputs as columns of the teacher's own, `teacher_logits` for
an output "logits". So a `Distiller` reads them as it reads a teacher's tokens,
and no method needs to know where they come from.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from tfminilm.teachers.expose import encoder_calls
from tfminilm.teachers.logits import SIGMOID

# The output that is the embedding of a text, `[batch, 1, width]`: the states
# of a text of one token.
EMBEDDING = "embedding"


def recorded(
    shapes: Mapping[str, Sequence[int]],
    endings: Mapping[str, str] | None = None,
) -> keras.Model:
    """Return a teacher without weights that reads its outputs.

    Args:
        shapes: of each output, by its name, without the batch.
        endings: the outputs whose numbers stand before a "sigmoid", by name,
            as of heads of several labels; the others are logits or states.

    Returns:
        A model from a dict of outputs to the same dict, float32.
    """
    inputs = {
        name: keras.Input(tuple(shape), name=name, dtype="float32")
        for name, shape in shapes.items()
    }
    outputs = {}
    for name, tensor in inputs.items():
        is_sigmoid = (endings or {}).get(name) == SIGMOID
        layer: Any = (
            keras.layers.Activation(SIGMOID, dtype="float32")
            if is_sigmoid
            else keras.layers.Identity(dtype="float32")
        )
        outputs[name] = layer(tensor)
    return keras.Model(inputs, outputs, name="recorded_teacher")


def gives_embeddings(model: keras.Model) -> bool:
    """Tell whether a model's output is the embedding of a text."""
    output = getattr(model, "output", None)
    return isinstance(output, dict) and EMBEDDING in output


def width_of(model: keras.Model) -> int:
    """Return how many numbers the embeddings of an encoder have.

    Raises:
        UserError: it is no encoder, and gives no embeddings.
    """
    if gives_embeddings(model):
        return model.output[EMBEDDING].shape[-1]
    return encoder_calls(model)[0].inputs.shape[-1]
