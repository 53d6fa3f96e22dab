"""Chains of elementwise operations in one pass over memory.

TensorFlow runs every operation as a pass of its own: a GELU is eight of them
forward and twenty backward, and on a CPU a step spends as long on such passes
as on its matrix products. `fused` has XLA compile a chain into one loop, and
its gradient into another that starts from the inputs again, so that nothing
in between is kept. JAX does this for the whole step by itself.
"""

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from tfminilm.typing import Shape, Tensor

# Dropout compares random integers of 16 bits with a threshold.
_BITS = 16


def fused(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of float tensors; the result is differentiable.

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
            tape.watch([x for x in arguments if x.dtype.is_floating])
            result = function(*arguments)
        return tape.gradient(result, arguments, upstream)

    forward = compiled(function)

    @tf.custom_gradient
    def differentiable(*arguments):
        return forward(*arguments), lambda up: backward(arguments, up)

    def call(*arguments):
        # Variables are turned into tensors here: eager TensorFlow refuses a
        # custom gradient that reads them itself.
        return differentiable(*map(tf.convert_to_tensor, arguments))

    return call


def after(value: object) -> contextlib.AbstractContextManager:
    """Let what is built in this context run only after `value` is computed.

    Else TensorFlow would run independent terms of a loss side by side, and
    hold the tensors of all of them at once. Without effect on other backends.
    """
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    import tensorflow as tf

    return tf.control_dependencies([value])


def dropout_bits(layer: keras.layers.Dropout, shape: Shape) -> Any:
    """Draw the 16 random bits per element that `dropped` needs.

    TensorFlow draws half as many random numbers for them as for the floats of
    `keras.layers.Dropout`, which also uses few bits of each.
    """
    if keras.backend.backend() != "tensorflow":
        return keras.random.randint(
            shape, 0, 2**_BITS, "int32", layer.seed_generator
        )
    import tensorflow as tf

    count = tf.reduce_prod(shape)
    seed = tf.cast(layer.seed_generator.next(), "int32")
    words = tf.random.stateless_uniform(
        [(count + 1) // 2], seed, None, None, "uint32"
    )
    halves = tf.reshape(tf.bitcast(words, "uint16"), [-1])
    return tf.reshape(halves[:count], shape)


def dropped(x: Tensor, bits: Tensor, rate: float) -> Any:
    """Set the share `rate` of `x` to zero, and scale up the rest."""
    threshold = round(rate * 2**_BITS)
    scale = 2**_BITS / (2**_BITS - threshold)
    keep = ops.cast(bits, "int32") >= threshold
    return ops.where(keep, x * scale, ops.zeros((), x.dtype))


@functools.cache
def dropout(rate: float) -> Callable[..., Any]:
    """Return `(x, bits) -> dropped(x, bits, rate)`, fused."""
    return fused(lambda x, bits: dropped(x, bits, rate))


@functools.cache
def bias_activation(activation: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return `(x, bias) -> activation(x + bias)`, fused."""
    return fused(lambda x, bias: activation(x + bias))


@functools.cache
def residual_norm(epsilon: float, rate: float = 0.0) -> Callable[..., Any]:
    """Return a fused norm behind a bias and a residual.

    It is `(x, bias, residual, gamma, beta) -> LayerNorm(x + bias + residual)`;
    the last axis is normalised, in float32. With a `rate` it takes the bits
    of `dropout_bits` as a sixth argument, and drops out `x + bias`.
    """

    def norm(x, bias, residual, gamma, beta, bits=None):
        x = x + bias
        if rate:
            x = dropped(x, bits, rate)
        total = ops.cast(x + residual, "float32")
        centred = total - ops.mean(total, axis=-1, keepdims=True)
        variance = ops.mean(ops.square(centred), axis=-1, keepdims=True)
        scale = ops.rsqrt(variance + epsilon) * ops.cast(gamma, "float32")
        return ops.cast(centred * scale + ops.cast(beta, "float32"), x.dtype)

    return fused(norm)
