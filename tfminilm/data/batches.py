"""Batches of packed text, a pure function of the seed and the step.

So a run that resumes at step k needs no saved state of an iterator.
"""

import functools
import itertools
from typing import TYPE_CHECKING

import numpy as np

from tfminilm.data.packing import PackedText
from tfminilm.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf


def batch(
    packed: PackedText, step: int, batch_size: int, seed: int
) -> dict[str, np.ndarray]:
    """Return the batch of a global step, counted from 0.

    Each epoch is another permutation of the sequences; a batch may contain
    the end of one epoch and the beginning of the next.

    Returns:
        `token_ids`, `segment_ids` (zeros) and `padding_mask` (ones), int32
        `[batch_size, sequence_length]` each.

    Raises:
        UserError: the text has no sequence.
    """
    return _inputs(_draw(packed, step, batch_size, seed))


def dataset(
    packed: PackedText,
    batch_size: int,
    seed: int = 0,
    first_step: int = 0,
    num_steps: int | None = None,
) -> "tf.data.Dataset":
    """Return the batches of a text as a `tf.data.Dataset`, shapes static.

    Without `num_steps` it is one epoch: as many batches as hold all sequences.
    If it is read again, as `fit(..., epochs=3)` does, it continues with the
    next epoch, in another order. A new data set begins with the first epoch.

    Args:
        packed: the text, `TextData.train` for example.
        batch_size: sequences in a batch. All batches are full: the last one
            of an epoch also has the first sequences of the next epoch.
        seed: decides the order.
        first_step: the step to begin with, counted from 0.
        num_steps: number of batches, the same ones each time it is read.

    Raises:
        UserError: the text has no sequence.
    """
    import tensorflow as tf

    _check_not_empty(packed)
    shape = (batch_size, packed.sequence_length)

    def draw(step: np.ndarray) -> np.ndarray:
        return _draw(packed, int(step), batch_size, seed)

    def inputs(step: tf.Tensor) -> dict[str, tf.Tensor]:
        token_ids = tf.numpy_function(draw, [step], tf.int32)
        return {
            "token_ids": tf.ensure_shape(token_ids, shape),
            "segment_ids": tf.zeros(shape, tf.int32),
            "padding_mask": tf.ones(shape, tf.int32),
        }

    steps = steps_dataset(packed, batch_size, first_step, num_steps)
    return steps.map(inputs).prefetch(tf.data.AUTOTUNE)


def steps_dataset(
    packed: PackedText, batch_size: int, first_step: int, num_steps: int | None
) -> "tf.data.Dataset":
    """Return the numbers of the steps of `dataset`, int64 scalars."""
    import tensorflow as tf

    if num_steps is not None:
        return tf.data.Dataset.range(first_step, first_step + num_steps)
    length = -(-packed.num_sequences // batch_size)
    starts = itertools.count(first_step, length)

    def epoch(_: tf.Tensor) -> tf.data.Dataset:
        start = tf.numpy_function(lambda: next(starts), [], tf.int64)
        return tf.data.Dataset.range(start, start + length)

    steps = tf.data.Dataset.range(1).flat_map(epoch)
    return steps.apply(tf.data.experimental.assert_cardinality(length))


def held_out_batches(
    packed: PackedText, batch_size: int, count: int | None = None
) -> list[dict[str, np.ndarray]]:
    """Return up to `count` batches (None: all), the same ones in every call.

    Their sequences are spread evenly over the whole part. All batches are
    full, unless there are fewer than `batch_size` sequences: then there is one
    batch of all of them.

    Raises:
        UserError: the text has no sequence.
    """
    _check_not_empty(packed)
    size = min(batch_size, packed.num_sequences)
    most = packed.num_sequences // size
    num_batches = most if count is None else min(count, most)
    chosen = np.arange(num_batches * size) * packed.num_sequences
    rows = (chosen // max(1, num_batches * size)).reshape(num_batches, size)
    return [_inputs(_gather(packed, indices)) for indices in rows]


def _inputs(token_ids: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "token_ids": token_ids,
        "segment_ids": np.zeros_like(token_ids),
        "padding_mask": np.ones_like(token_ids),
    }


def _draw(
    packed: PackedText, step: int, batch_size: int, seed: int
) -> np.ndarray:
    _check_not_empty(packed)
    count = packed.num_sequences
    epochs, positions = np.divmod(
        np.arange(step * batch_size, (step + 1) * batch_size), count
    )
    rows = np.empty(batch_size, np.int64)
    for epoch in np.unique(epochs):
        is_in_epoch = epochs == epoch
        order = _permutation(seed, int(epoch), count)
        rows[is_in_epoch] = order[positions[is_in_epoch]]
    return _gather(packed, rows)


def _gather(packed: PackedText, rows: np.ndarray) -> np.ndarray:
    return np.asarray(packed.token_ids[rows], np.int32)


@functools.lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, count: int) -> np.ndarray:
    bits = np.random.PCG64([seed, epoch])
    return np.random.Generator(bits).permutation(count)


def _check_not_empty(packed: PackedText) -> None:
    if not packed.num_sequences:
        raise UserError(
            "this part of the text has no sequence; give more documents or "
            "another held-out fraction"
        )
