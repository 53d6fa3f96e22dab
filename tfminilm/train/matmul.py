"""Count a step's matrix products, and time them by themselves.

What a step takes longer than these is spent on passes over memory, on data
and on waiting: the share of the machine's matrix rate that training reaches
tells how much there is to gain.
"""

import collections
import functools
import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np

from tfminilm.distiller import Distiller
from tfminilm.inputs import teacher_columns
from tfminilm.private import gradients
from tfminilm.train.distributed import DistributedContext
from tfminilm.train.sources.training_data import TrainingData

if TYPE_CHECKING:
    import tensorflow as tf

# Going back, a product needs one more for each of its two gradients.
_PASSES = 3
_REPEATS = 5
# A rate no longer depends on them from here on.
_MOST_ROWS, _MOST_BATCHES = 4096, 512
# Calling TensorFlow takes longer than to make a product smaller than this.
_LEAST_OPERATIONS = 2**27


class Matmul(NamedTuple):
    """Describe `[batch, rows, inner] x [batch, inner, columns]` in a dtype."""

    batch: int
    rows: int
    inner: int
    columns: int
    dtype: str

    @property
    def operations(self) -> int:
        """Count two operations for each multiply-add."""
        return 2 * self.batch * self.rows * self.inner * self.columns


@gradients.forgotten()
def step_matmuls(
    model: keras.Model, inputs: Mapping[str, Any]
) -> collections.Counter[Matmul]:
    """Count the matrix products of a training step.

    Those of the models, that is, not of the losses: of a teacher a forward
    pass, of what is trained a forward pass and two more for what goes back.

    Args:
        model: what is trained; a `Distiller` counts its teacher as well.
        inputs: a batch of it, arrays by name.

    Returns:
        Nothing for models that loop over the words of a text, and on other
        backends than TensorFlow.
    """
    counts: collections.Counter[Matmul] = collections.Counter()
    if keras.backend.backend() != "tensorflow":
        return counts
    passes = [(model, True)]
    if isinstance(model, Distiller):
        passes = model.passes
    for view, is_trained in passes:
        read = inputs if is_trained else teacher_columns(inputs)
        operations = _traced(view, read)
        if any("While" in operation.type for operation in operations):
            return collections.Counter()
        for product in filter(None, map(_matmul, operations)):
            counts[product] += _PASSES if is_trained else 1
    return counts


class MatmulUtilisation:
    """Tell what share of the machine's rate of matrix products a run reaches.

    Args:
        model: what is trained.
        data: what it is trained on.
        context: the replicas that share each batch.
    """

    def __init__(
        self,
        model: keras.Model,
        data: TrainingData,
        context: DistributedContext,
    ):
        self._model = model
        self._data = data
        self._team = context

    def __call__(self, tokens_per_second: float) -> float:
        """Return the share of a second that the products need by themselves.

        They are measured when this is first called. 0 if they are not known,
        or if several replicas share them.
        """
        return tokens_per_second * self._seconds_per_token

    @functools.cached_property
    def _seconds_per_token(self) -> float:
        if self._team.num_replicas > 1:
            return 0.0
        products = step_matmuls(self._model, next(iter(self._data.inputs(1))))
        # Real ones, as the rate counts: padding is multiplied as well.
        return seconds(products) / self._data.num_tokens(0)


def seconds(products: Mapping[Matmul, int]) -> float:
    """Measure how long the products take on this machine.

    Each is made a few times; of a large one only a part, and a small one with
    more rows.
    """
    return sum(count * _seconds(product) for product, count in products.items())


def _traced(view: keras.Model, inputs: Mapping[str, Any]) -> list[Any]:
    """Return the operations of a forward pass."""
    import tensorflow as tf

    specs = {
        name: tf.TensorSpec(inputs[name].shape, inputs[name].dtype)
        for name in view.input
    }
    forward = tf.function(lambda x: view(x, training=False), autograph=False)
    return forward.get_concrete_function(specs).graph.get_operations()


def _matmul(operation: "tf.Operation") -> Matmul | None:
    """Return the product that an operation makes, if it makes one."""
    if operation.type not in ("MatMul", "BatchMatMulV2"):
        return None
    left, right = (tuple(x.shape) for x in operation.inputs[:2])
    *batch, rows, columns = operation.outputs[0].shape
    if len(right) == 2:  # One matrix for all.
        batch, rows = [], math.prod(batch) * rows
    inner = math.prod(left) // (math.prod(batch) * rows)
    dtype = operation.inputs[0].dtype.name
    return Matmul(math.prod(batch), rows, inner, columns, dtype)


def _measured(product: Matmul) -> Matmul:
    """Return a product of a size at which its rate can be measured."""
    is_small = product.operations < _LEAST_OPERATIONS
    return product._replace(
        batch=min(product.batch, _MOST_BATCHES),
        rows=_MOST_ROWS if is_small else min(product.rows, _MOST_ROWS),
    )


# The next run of a process often makes the same products.
@functools.lru_cache(maxsize=256)
def _seconds(product: Matmul) -> float:
    import tensorflow as tf

    part = _measured(product)
    batch = [part.batch] * (part.batch > 1)
    random = np.random.default_rng(0)
    left, right = (
        tf.cast(random.standard_normal([*batch, *shape], "float32"), part.dtype)
        for shape in ((part.rows, part.inner), (part.inner, part.columns))
    )
    multiply = tf.function(tf.matmul)
    times = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        result = multiply(left, right)
        result[..., :1, :1].numpy()  # Devices answer before they are done.
        times.append(time.perf_counter() - start)
    share = product.operations / part.operations
    return share * min(times)  # The others waited for something.
