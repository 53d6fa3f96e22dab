"""The same model with the same weights, in fewer passes over memory."""

import keras

from tfminilm.teachers.expose import with_output


def faster(model: keras.Model) -> keras.Model:
    """Return `model` with its encoder layers run by `ExposedEncoder`.

    Their chains of elementwise operations are fused, and where the head reads
    the first token alone, the last layer computes no other.

    Args:
        model: a KerasHub encoder, or a functional model with a head on one;
            any other functional model comes back with what its output needs.

    Returns:
        A model with the same inputs and outputs and the same variables:
        training it trains `model`.
    """
    outputs = with_output(model, {}, "output").output["output"]
    return keras.Model(model.input, outputs, name=model.name)
