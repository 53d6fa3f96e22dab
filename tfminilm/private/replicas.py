"""Exchange of values between the replicas that share a batch.

With one replica, and on backends other than TensorFlow, nothing is exchanged
and every function returns its argument.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import keras
from keras import ops

from tfminilm.typing import Tensor

# Whether the code that is traced now concerns one worker only.
_is_apart = False


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """Trace what is in this context without asking other replicas."""
    global _is_apart
    before, _is_apart = _is_apart, True
    try:
        yield
    finally:
        _is_apart = before


def mean(count: Tensor) -> Any:
    """Return the mean of a scalar over the replicas.

    Losses divide their sum by the mean count of all replicas, since Keras
    then averages the replicas' losses: the result is the exact mean over the
    batch. If each replica divided by its own count, the tokens of a replica
    that has few of them would get more weight.
    """
    if _is_apart or not is_tensorflow():
        return count
    import tensorflow as tf

    # None while Keras traces a step only to learn its shapes.
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return count
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, count)


def count() -> int:
    """Count the replicas that share a batch."""
    if not is_tensorflow():
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


class Mean(keras.metrics.Mean):
    """The mean over batches of values that are a replica's share of a mean.

    The shares of all replicas count alike, however many examples of the batch
    each replica has. `sample_weight` is the number of this replica's examples.
    """

    def update_state(
        self, values: Tensor, sample_weight: Tensor | int = 1
    ) -> None:
        examples = mean(ops.cast(sample_weight, "float32"))
        super().update_state(values, sample_weight=examples)


def per_worker(results: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Give a step's results the axis that Keras averages over workers.

    Keras takes the mean over the first axis, which a scalar does not have.
    """
    if _is_apart or not is_tensorflow():
        return results
    import tensorflow as tf

    strategy = tf.distribute.get_strategy()
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return results
    if not strategy.cluster_resolver.cluster_spec():
        return results
    return {key: ops.reshape(value, (1,)) for key, value in results.items()}


def is_tensorflow() -> bool:
    """Return whether Keras runs on TensorFlow."""
    return keras.backend.backend() == "tensorflow"
