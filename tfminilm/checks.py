"""Refusals of values that are known only when a step runs."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import keras
from keras import ops

from tfminilm.errors import UserError
from tfminilm.typing import Tensor

_SIGN = "tfminilm"
_ASSERTED = re.compile(rf"\[{_SIGN}\] \[(.*?)\] \[(.*?)\] \[(.*?)\]", re.DOTALL)
# Keras wraps an error of a layer in its arguments; the error itself is bold.
_BOLD = re.compile(r"\x1b\[1m(.*?)\x1b\[0m", re.DOTALL)


def refuse(is_wrong: Any, values: Tensor, before: str, after: str) -> None:
    """Refuses a tensor of which some values are wrong.

    A value that is there is looked at. In a graph of TensorFlow an operation
    does it, whose error `plain_errors` turns into a `UserError`; XLA drops
    it, and in what JAX compiles there is none.

    Args:
        is_wrong: booleans of the shape of `values`.
        values: whole numbers.
        before: the message up to a wrong value.
        after: the rest of the message.

    Raises:
        UserError: some are wrong.
    """
    try:
        wrong = ops.convert_to_numpy(is_wrong)
    except Exception:  # Each backend has its own for what it traces.
        _refuse_later(is_wrong, values, before, after)
        return
    if wrong.any():
        found = ops.convert_to_numpy(values)[wrong].ravel()[0]
        raise UserError(f"{before}{found}{after}")


def _refuse_later(
    is_wrong: Any, values: Tensor, before: str, after: str
) -> None:
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    # Longer by one, as a replica may have no example at all.
    wrong = tf.concat([tf.reshape(is_wrong, [-1]), [False]], 0)
    values = tf.concat([tf.reshape(values, [-1]), [0]], 0)
    first = values[tf.argmax(tf.cast(wrong, "int32"))]
    tf.debugging.Assert(
        tf.logical_not(tf.reduce_any(wrong)), [_SIGN, before, first, after]
    )


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """In this context, a `UserError` is one line, wherever it comes from.

    Raises:
        UserError: one was raised in a layer, or in a graph.
    """
    try:
        yield
    except UserError as error:
        if "\n" not in str(error):
            raise
        told = _BOLD.findall(str(error))
        raise UserError(told[0] if told else str(error)) from error
    except Exception as error:
        # TensorFlow is not imported to see which of its errors this is.
        if found := _ASSERTED.search(str(error)):
            raise UserError("".join(found.groups())) from None
        raise
