"""Chains of elementwise operations in one pass over memory.

TensorFlow runs every operation as a pass of its own: a GELU is eight of them
forward and twenty backward, and on a CPU a step spends as long on such passes
as on its matrix products. `fused` has XLA compile a chain into one loop, and
its gradient into another that starts from the inputs again, so that nothing
in between is kept. JAX does this for the whole step by itself.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

# Elements of a variable from which on one pass is worth a compilation.
_LARGE = 2**20


def fused(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a function of float tensors; the result is differentiable.

    It is compiled anew for every combination of shapes and dtypes.
    """
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    compiled = functools.partial(
        tf.function, jit_compile=True, autograph=False, reduce_retracing=True
    )

    @compiled
    def backward(arguments, upstream):
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            result = function(*arguments)
        return tape.gradient(result, arguments, upstream)

    forward = compiled(function)

    @tf.custom_gradient
    def differentiable(*arguments):
        return forward(*arguments), lambda up: backward(arguments, up)

    def call(*arguments):
        # Variables are read out here: TensorFlow's eager mode refuses a
        # custom gradient that reads them itself.
        return differentiable(*map(tf.convert_to_tensor, arguments))

    return call


def fuse_updates(
    optimizer: keras.optimizers.Optimizer, least_elements: int = _LARGE
) -> None:
    """Makes the optimizer update large variables in one pass.

    AdamW takes nine passes over its embedding table where one will do.
    Without effect on other backends, and where replicas share the update.

    Args:
        optimizer: is changed in place.
        least_elements: of a variable for which it is compiled, which takes
            a tenth of a second each.
    """
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if tf.distribute.has_strategy() or hasattr(optimizer, "_plain_update_step"):
        return
    plain = optimizer._plain_update_step = optimizer.update_step
    compiled: dict[int, Any] = {}

    def update_step(gradient: Any, variable: Any, learning_rate: Any) -> None:
        if math.prod(variable.shape) < least_elements:
            plain(gradient, variable, learning_rate)
            return
        if id(variable) not in compiled:
            compiled[id(variable)] = tf.function(
                lambda gradient, rate: plain(gradient, variable, rate),
                jit_compile=True,
                autograph=False,
            )
        compiled[id(variable)](
            tf.convert_to_tensor(gradient),  # An embedding's is sparse.
            tf.convert_to_tensor(learning_rate),
        )

    optimizer.update_step = update_step


@functools.cache
def bias_activation(activation: Callable[[Any], Any]) -> Callable[..., Any]:
    """`(x, bias) -> activation(x + bias)`, fused."""
    return fused(lambda x, bias: activation(x + bias))


@functools.cache
def residual_norm(epsilon: float) -> Callable[..., Any]:
    """`(x, bias, residual, gamma, beta) -> LayerNorm(x + bias + residual)`.

    Fused; the last axis is normalised, in float32.
    """

    def norm(x, bias, residual, gamma, beta):
        total = ops.cast(x + bias + residual, "float32")
        centred = total - ops.mean(total, axis=-1, keepdims=True)
        variance = ops.mean(ops.square(centred), axis=-1, keepdims=True)
        scale = ops.rsqrt(variance + epsilon) * ops.cast(gamma, "float32")
        return ops.cast(centred * scale + ops.cast(beta, "float32"), x.dtype)

    return fused(norm)
