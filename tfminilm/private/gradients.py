"""Custom gradients that live no longer than the trace that needs them."""

import contextlib
from collections.abc import Iterator

import keras

from tfminilm.private import Use

USES = (
    Use(
        "tensorflow.python.framework.ops",
        "gradient_registry",
        "custom gradients, which TensorFlow keeps for ever",
    ),
)


@contextlib.contextmanager
def forgotten() -> Iterator[None]:
    """Forget, at its end, the custom gradients that were traced in it.

    TensorFlow registers those of a graph for as long as the process lives,
    and with them the graph and all weights that it reads: each trained model
    would stay in memory after its last use. To be used around whole steps,
    which take their gradients themselves. Without effect on other backends.
    """
    if keras.backend.backend() != "tensorflow":
        yield
        return
    from tensorflow.python.framework import ops

    registry = ops.gradient_registry._registry
    before = set(registry)
    try:
        yield
    finally:
        # Another replica may have forgotten some of them already.
        for name in set(registry) - before:
            registry.pop(name, None)
