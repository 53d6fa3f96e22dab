"""What the replicas that share a batch tell each other.

With one replica, and on other backends than TensorFlow, nothing is told and
every function gives back what it got.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
from keras import ops

from tfminilm.typing import Tensor

# Whether what is traced now is one worker's own affair.
_is_apart = False


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """In this context, what is traced does not ask other replicas."""
    global _is_apart
    before, _is_apart = _is_apart, True
    try:
        yield
    finally:
        _is_apart = before


def mean(count: Any) -> Any:
    """The mean of a scalar over the replicas.

    A sum divided by it is a share of the whole batch's mean: the mean of the
    shares, which Keras takes over the replicas, is the mean over the batch,
    however its real tokens lie. Divided by the replica's own count it would
    give the tokens of a replica with few of them more weight.
    """
    if _is_apart or not is_tensorflow():
        return count
    import tensorflow as tf

    # None where a step is traced only to learn its shapes.
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return count
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, count)


def count() -> int:
    """Counts the replicas that share a batch."""
    if not is_tensorflow():
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


class Mean(keras.metrics.Mean):
    """The mean over batches of what are, in a replica, shares of a mean.

    All replicas' shares of a batch count alike, however many of its examples
    each has. `sample_weight` is the number of the replica's own.
    """

    def update_state(
        self, values: Tensor, sample_weight: Tensor | int = 1
    ) -> None:
        examples = mean(ops.cast(sample_weight, "float32"))
        super().update_state(values, sample_weight=examples)


def per_worker(row: Any) -> Any:
    """What a step returns, so that Keras can take its mean over workers.

    It does so along the first axis, which a scalar does not have.
    """
    if _is_apart or not is_tensorflow():
        return row
    import tensorflow as tf

    strategy = tf.distribute.get_strategy()
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return row
    if not strategy.cluster_resolver.cluster_spec():
        return row
    return {key: ops.reshape(value, (1,)) for key, value in row.items()}


def is_tensorflow() -> bool:
    """Return whether Keras runs on TensorFlow."""
    return keras.backend.backend() == "tensorflow"
