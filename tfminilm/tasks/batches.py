"""Batch sequences of similar length, with little padding and few shapes.

Like those of `tfminilm.data.batches` they are a pure function of the seed and
the step, so that a resumed run asks for the step where it stopped.
"""

import functools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfminilm.inputs import TEACHER
from tfminilm.tasks.encoded import Encoded

if TYPE_CHECKING:
    import tensorflow as tf

# Each bucket is a shape to trace and compile, which takes a second or two.
_BUCKETS = 16
# The fewest batches an epoch that make one more bucket worth it.
_LEAST_BATCHES = 8


class Batches:
    """Batches of encoded sequences, each padded to the length of its bucket.

    Every epoch shuffles the sequences, sorts them by bucket, cuts them into
    batches and shuffles the batches. Each sequence comes once an epoch. The
    last batch is filled up to `batch_size` with repeated sequences whose
    sample weight is 0.

    Args:
        encoded: the sequences.
        batch_size: sequences of a batch.
        seed: of the shuffling; `None` sorts by length instead.
        buckets: lengths to pad to; the last one has room for the longest
            sequence. By default those that need the least padding: one for
            every eight batches, up to 16.
    """

    def __init__(
        self,
        encoded: Encoded,
        batch_size: int,
        seed: int | None = None,
        buckets: Sequence[int] | None = None,
    ):
        self.encoded = encoded
        self.batch_size = batch_size
        self.seed = seed
        # A bucket of few batches costs more to compile than it saves, and
        # makes batches less random.
        batches_of_each = len(encoded) // (_LEAST_BATCHES * batch_size)
        count = min(max(batches_of_each, 1), _BUCKETS)
        self.buckets = np.array(buckets or best_buckets(encoded.lengths, count))
        self._bucket = np.searchsorted(self.buckets, encoded.lengths)
        self._teacher_buckets = self.buckets
        if encoded.teacher is not None:
            self._teacher_buckets = self._longest_of_teacher(encoded.teacher)
        self._plan = functools.lru_cache(maxsize=2)(self._make_plan)

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return -(-len(self.encoded) // self.batch_size)

    def rows(self, step: int) -> np.ndarray:
        """Return which sequences the batch of a step holds, -1 for a filler."""
        epoch, place = divmod(step, len(self))
        return self._plan(epoch)[place]

    def batch(
        self, step: int
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
        """Return the batch of a global step, counted from 0.

        Returns:
            The model's inputs `[batch_size, bucket's length]` (the teacher's
            own, if it has some, are as long as it needs; outputs that it has
            computed before are `[batch_size, ...]`), the labels
            `[batch_size, ...]` and the sample weights `[batch_size]`. A
            filler has weight 0, and real examples are scaled up so that the
            batch mean equals the mean over real examples, however replicas
            split the batch. A filler's tokens are masked: means over tokens
            leave it out too. Labels and weights of tokens are those of
            `TokenLabels`.
        """
        planned = self.rows(step)
        is_real = (planned >= 0).astype(np.int32)
        rows = np.where(planned >= 0, planned, planned[0])
        bucket = self._bucket[rows].max()
        length = int(self.buckets[bucket])
        inputs = self.encoded.padded(rows, length)
        if (teacher := self.encoded.teacher) is not None:
            read = teacher.padded(rows, int(self._teacher_buckets[bucket]))
            inputs |= {TEACHER + name: value for name, value in read.items()}
        for name in inputs:
            if name.endswith("padding_mask"):
                inputs[name] = inputs[name] * is_real[:, None]
        inputs |= self._outputs(rows)
        return (
            inputs,
            self.encoded.targets(rows, length),
            self.encoded.weights(planned, length),
        )

    def epoch(self) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
        """Yield the rows and the inputs of each batch of the first epoch."""
        for step in range(len(self)):
            yield self.rows(step), self.batch(step)[0]

    def dataset(self, first_step: int, num_steps: int) -> "tf.data.Dataset":
        """Return the batches of `num_steps` steps from `first_step` on."""
        import tensorflow as tf

        inputs, labels, weights = self.batch(first_step)
        names, targets = list(inputs), list(labels)
        first = [*inputs.values(), *labels.values(), weights]
        types = [tf.as_dtype(array.dtype) for array in first]
        computed = self._outputs(self.rows(first_step))
        columns = ["" if name in computed else name for name in names]
        columns += [""] * (len(first) - len(names))
        are_of_tokens = self.encoded.labels_are_of_tokens
        shapes = [
            [self.batch_size, self._length(column)]
            if column or (are_of_tokens and place >= len(names))
            else array.shape
            for place, (column, array) in enumerate(
                zip(columns, first, strict=True)
            )
        ]

        def draw(step: np.ndarray) -> list[np.ndarray]:
            inputs, labels, weights = self.batch(int(step))
            return [*inputs.values(), *labels.values(), weights]

        def parts(step: "tf.Tensor") -> Any:
            flat = tf.numpy_function(draw, [step], types)
            for tensor, shape in zip(flat, shapes, strict=True):
                tensor.set_shape(shape)
            *tensors, weights = flat
            inputs, labels = tensors[: len(names)], tensors[len(names) :]
            return (
                dict(zip(names, inputs, strict=True)),
                dict(zip(targets, labels, strict=True)),
                weights,
            )

        steps = tf.data.Dataset.range(first_step, first_step + num_steps)
        return steps.map(parts).prefetch(tf.data.AUTOTUNE)

    def _outputs(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Return what a teacher has computed of the rows, if it has."""
        outputs = self.encoded.outputs
        if outputs is None:
            return {}
        return {TEACHER + key: value for key, value in outputs.of(rows).items()}

    def _length(self, column: str) -> int | None:
        """Return the length of all batches; `None` if they are padded apart."""
        is_teachers = column.startswith(TEACHER)
        buckets = self._teacher_buckets if is_teachers else self.buckets
        return int(buckets[0]) if len(buckets) == 1 else None

    def _longest_of_teacher(self, teacher: Encoded) -> np.ndarray:
        """Return the teacher's length for each bucket: so there is one shape.

        A batch may hold sequences of shorter buckets, too.
        """
        longest = np.zeros(len(self.buckets), np.int64)
        np.maximum.at(longest, self._bucket, teacher.lengths)
        return np.maximum.accumulate(longest)

    def waste(self, num_steps: int | None = None) -> float:
        """Return the share of padding in the first batches.

        Args:
            num_steps: how many batches to look at; an epoch's by default.
        """
        steps = range(len(self) if num_steps is None else num_steps)
        masks = [self.batch(step)[0]["padding_mask"] for step in steps]
        used = sum(int(mask.sum()) for mask in masks)
        return 1 - used / sum(mask.size for mask in masks)

    def _make_plan(self, epoch: int) -> np.ndarray:
        """Return `[batches, batch_size]`: each batch's rows, -1 as filler."""
        count = len(self.encoded)
        if self.seed is None:
            order = np.argsort(self.encoded.lengths, kind="stable")
        else:
            random = np.random.Generator(np.random.PCG64([self.seed, epoch]))
            order = random.permutation(count)
            order = order[np.argsort(self._bucket[order], kind="stable")]
        filled = np.full(len(self) * self.batch_size, -1)
        filled[:count] = order
        plan = filled.reshape(-1, self.batch_size)
        return plan if self.seed is None else random.permutation(plan)


def best_buckets(lengths: np.ndarray, count: int = _BUCKETS) -> list[int]:
    """Return the lengths to pad to that need the least padding.

    Args:
        lengths: tokens of each sequence.
        count: the most lengths to return.
    """
    # Dynamic programming over the distinct lengths: cost[i] is the number of
    # positions, padding included, of all sequences up to distinct[i - 1].
    distinct, counts = np.unique(lengths, return_counts=True)
    total = np.concatenate([[0], np.cumsum(counts)])
    size = len(distinct)
    cost = np.full(size + 1, np.inf)
    cost[0] = 0.0
    choices = []
    for _ in range(min(count, size)):
        padded = (total[1:, None] - total[None, :-1]) * distinct[:, None]
        every = np.where(
            np.tri(size, dtype=bool), cost[None, :-1] + padded, np.inf
        )
        choices.append(every.argmin(axis=1))
        cost = np.concatenate([[np.inf], every.min(axis=1)])
    buckets = []
    end = size
    for choice in reversed(choices):
        buckets.append(int(distinct[end - 1]))
        end = int(choice[end - 1])
    return buckets[::-1]
