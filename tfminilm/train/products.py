"""A step's matrix products: how many, and how fast they are by themselves.

What a step takes longer than these is spent on passes over memory, on data
and on waiting: the share of the machine's matrix rate that training reaches
tells how much there is to gain.
"""

import collections
import math
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np

from tfminilm.distiller import Distiller
from tfminilm.private import gradients

# Going back, a product needs one more for each of its two gradients.
_PASSES = 3
_REPEATS = 5
# A rate no longer depends on them from here on.
_MOST_ROWS, _MOST_BATCHES = 4096, 512
# Calling TensorFlow takes longer than to make a product smaller than this.
_LEAST_OPERATIONS = 2**27


class Product(NamedTuple):
    """`[batch, rows, inner] x [batch, inner, columns]`, in a dtype."""

    batch: int
    rows: int
    inner: int
    columns: int
    dtype: str

    @property
    def operations(self) -> int:
        """Two for each multiply-add."""
        return 2 * self.batch * self.rows * self.inner * self.columns


@gradients.forgotten()
def step_products(
    model: keras.Model, inputs: Mapping[str, Any]
) -> collections.Counter[Product]:
    """The matrix products of a training step, and how often each is made.

    Those of the models, that is, not of the losses: of a teacher a forward
    pass, of what is trained a forward pass and two more for what goes back.

    Args:
        model: what is trained; a `Distiller` counts its teacher as well.
        inputs: a batch of it, arrays by name.

    Returns:
        Nothing for models that loop over the words of a text, and on other
        backends than TensorFlow.
    """
    found: collections.Counter[Product] = collections.Counter()
    if keras.backend.backend() != "tensorflow":
        return found
    passes = [(model, True)]
    if isinstance(model, Distiller):
        passes = model.passes
    for view, is_trained in passes:
        operations = _traced(view, inputs)
        if any("While" in operation.type for operation in operations):
            return collections.Counter()
        for product in filter(None, map(_product, operations)):
            found[product] += _PASSES if is_trained else 1
    return found


def seconds(products: Mapping[Product, int]) -> float:
    """How long the products take on this machine, measured.

    Each is made a few times; of a large one only a part, and a small one with
    more rows.
    """
    return sum(count * _seconds(product) for product, count in products.items())


def _traced(view: keras.Model, inputs: Mapping[str, Any]) -> list[Any]:
    """The operations of a forward pass."""
    import tensorflow as tf

    given = {
        name: tf.TensorSpec(inputs[name].shape, inputs[name].dtype)
        for name in view.input
    }
    forward = tf.function(lambda x: view(x, training=False), autograph=False)
    return forward.get_concrete_function(given).graph.get_operations()


def _product(operation: Any) -> Product | None:
    """The product that an operation makes, if it makes one."""
    if operation.type not in ("MatMul", "BatchMatMulV2"):
        return None
    left, right = (tuple(x.shape) for x in operation.inputs[:2])
    *batch, rows, columns = operation.outputs[0].shape
    if len(right) == 2:  # One matrix for all.
        batch, rows = [], math.prod(batch) * rows
    inner = math.prod(left) // (math.prod(batch) * rows)
    dtype = operation.inputs[0].dtype.name
    return Product(math.prod(batch), rows, inner, columns, dtype)


def _measured(product: Product) -> Product:
    """One of a size at which its rate can be measured."""
    is_small = product.operations < _LEAST_OPERATIONS
    return product._replace(
        batch=min(product.batch, _MOST_BATCHES),
        rows=_MOST_ROWS if is_small else min(product.rows, _MOST_ROWS),
    )


def _seconds(product: Product) -> float:
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
