"""Refuse values that are known only when a step runs."""

import contextlib
import re
from collections.abc import Iterator

import keras
from keras import ops

from tfminilm.errors import UserError
from tfminilm.typing import Tensor

_SIGN = "tfminilm"
_ASSERTED = re.compile(rf"\[{_SIGN}\] \[(.*?)\] \[(.*?)\] \[(.*?)\]", re.DOTALL)
# Keras adds a layer's arguments to its error; the original message is bold.
_BOLD = re.compile(r"\x1b\[1m(.*?)\x1b\[0m", re.DOTALL)


def refuse(is_wrong: Tensor, values: Tensor, before: str, after: str) -> None:
    """Refuse a tensor in which some values are wrong.

    Values of eager tensors are checked at once. In a TensorFlow graph an
    operation checks them, and `plain_errors` turns its error into a
    `UserError`. Graphs that XLA or JAX compile are not checked.

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
    except Exception:  # Tracing: each backend raises its own error.
        _refuse_later(is_wrong, values, before, after)
        return
    if wrong.any():
        value = ops.convert_to_numpy(values)[wrong].ravel()[0]
        raise UserError(f"{before}{value}{after}")


def _refuse_later(
    is_wrong: Tensor, values: Tensor, before: str, after: str
) -> None:
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    # One element is added, as a replica may have no example at all.
    wrong = tf.concat([tf.reshape(is_wrong, [-1]), [False]], 0)
    values = tf.concat([tf.reshape(values, [-1]), [0]], 0)
    first = values[tf.argmax(tf.cast(wrong, "int32"))]
    tf.debugging.Assert(
        tf.logical_not(tf.reduce_any(wrong)), [_SIGN, before, first, after]
    )


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Let errors of this context be `UserError`s of one line.

    Raises:
        UserError: one was raised in a layer, or in a graph.
    """
    try:
        yield
    except UserError as error:
        if "\n" not in str(error):
            raise
        messages = _BOLD.findall(str(error))
        raise UserError((messages or [str(error)])[0]) from error
    except Exception as error:
        # Recognised by its text, so that TensorFlow need not be imported.
        if match := _ASSERTED.search(str(error)):
            raise UserError("".join(match.groups())) from None
        raise
