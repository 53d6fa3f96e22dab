"""Find the layer of a file that goes wrong: compare its states with Keras'."""

from collections.abc import Callable, Mapping

import keras
import numpy as np

from tfminilm.export.check.compare import relative_error
from tfminilm.export.graph.mobile_graph import HIDDEN_STATES
from tfminilm.teachers.expose import encoder_calls

# What float32 sums in another order leave of a layer.
_ROUNDING = 1e-5


def hidden_states(model: keras.Model) -> keras.Model:
    """Return a model of all hidden states, named as `MobileGraph` does.

    The states are those of its own graph, which is what is exported; `expose`
    would compute them anew, by layers that tf2onnx cannot write.

    Args:
        model: an encoder, or one with a head.

    Returns:
        A model with the encoder's inputs, and the outputs "hidden_states_0",
        the embeddings, "hidden_states_1" and so on, the layers' outputs.
    """
    backbone = getattr(model, "backbone", model)
    calls = encoder_calls(backbone)
    states = [calls[0].inputs, *(call.output for call in calls)]
    named = {f"{HIDDEN_STATES}_{i}": state for i, state in enumerate(states)}
    return keras.Model(backbone.input, named)


def worst_layer(
    states: keras.Model,
    batch: dict[str, np.ndarray],
    run: Callable[[dict[str, np.ndarray]], Mapping[str, np.ndarray]],
) -> str:
    """Say where most of the difference between file and Keras comes in.

    Args:
        states: of `hidden_states`.
        batch: one row `[1, length]` of what it reads.
        run: gives the same outputs, as the format that is in question
            computes them.

    Returns:
        A clause for a message.
    """
    expected = states({name: batch[name] for name in states.input})
    got = run(batch)
    real = int(batch["padding_mask"].sum())
    errors = [
        relative_error(
            got[name][0, :real],
            keras.ops.convert_to_numpy(values)[0, :real],
        )
        for name, values in expected.items()
    ]
    grown = np.diff(errors, prepend=0.0)
    worst = int(grown.argmax())
    if grown[worst] <= _ROUNDING:
        return "its layers agree, what stands on them does not"
    place = f"layer {worst} of {len(errors) - 1}" if worst else "the embeddings"
    before = errors[worst - 1] if worst else 0.0
    return (
        f"the worst layer is {place}: its states differ by "
        f"{errors[worst]:.2g} of their size, by {before:.2g} in front of it"
    )
