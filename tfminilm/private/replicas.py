"""What the replicas that share a batch tell each other.

With one replica, and on other backends than TensorFlow, nothing is told and
every function gives back what it got.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
from keras import ops

from tfminilm.private import gradients
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
    if _is_apart or not _is_tensorflow():
        return count
    import tensorflow as tf

    # None where a step is traced only to learn its shapes.
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return count
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, count)


def count() -> int:
    """Counts the replicas that share a batch."""
    if not _is_tensorflow():
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


def sum_gradients(optimizer: keras.optimizers.Optimizer) -> None:
    """Has an optimizer add up the replicas' gradients before it uses them.

    Keras adds them up last: each replica would clip its own, and look for
    numbers that are not finite in its own alone.

    Args:
        optimizer: is changed in place.
    """
    if not _is_tensorflow():
        return
    import tensorflow as tf

    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if not tf.distribute.has_strategy() or hasattr(inner, "_plain_sum"):
        return
    plain = inner._plain_sum = inner._all_reduce_sum_gradients
    apply = optimizer.apply

    def summed(grads: Any, trainable_variables: Any = None) -> None:
        pairs = plain(zip(grads, trainable_variables, strict=True))
        apply([gradient for gradient, _ in pairs], trainable_variables)

    optimizer.apply = summed
    inner._all_reduce_sum_gradients = list


class OnWorkers:
    """What a `keras.Model` has to inherit from, first, to train on workers.

    It is no model itself: Keras makes all bases of a class functional whose
    models are made of inputs and outputs, and others could not inherit. What
    its steps trace is freed with it.
    """

    def train_step(self, *args: Any) -> Any:
        with gradients.forgotten():
            return _logs(super().train_step(*args))  # type: ignore[misc]

    def test_step(self, *args: Any) -> Any:
        with gradients.forgotten():
            return _logs(super().test_step(*args))  # type: ignore[misc]

    def _maybe_symbolic_build(
        self, iterator: Any = None, data_batch: Any = None
    ) -> None:
        # Keras puts the parts of a batch together to see its shapes, and does
        # it wrongly for those of other workers: the first part is enough.
        strategy = self._distribute_strategy  # type: ignore[attr-defined]
        if strategy is not None and iterator is not None:
            for _, _, batches in iterator:
                data_batch = keras.tree.map_structure(
                    lambda x: strategy.experimental_local_results(x)[0],
                    next(batches),
                )
                break
        super()._maybe_symbolic_build(  # type: ignore[misc]
            data_batch=data_batch
        )


def _logs(row: Any) -> Any:
    """What a step returns, so that Keras can take its mean over workers.

    It does so along the first axis, which a scalar does not have.
    """
    if _is_apart or not _is_tensorflow():
        return row
    import tensorflow as tf

    strategy = tf.distribute.get_strategy()
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return row
    if not strategy.cluster_resolver.cluster_spec():
        return row
    return {key: ops.reshape(value, (1,)) for key, value in row.items()}


def _is_tensorflow() -> bool:
    return keras.backend.backend() == "tensorflow"
