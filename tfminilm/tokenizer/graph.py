"""KerasHub's tokenizers as TensorFlow functions of lists of strings."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfminilm.errors import UserError


@functools.lru_cache(maxsize=2)
def in_graph(
    tokenize: Callable[[Any], Any], name: str, reads_special: bool = False
) -> Callable[[Sequence[str]], tuple[np.ndarray, np.ndarray]]:
    """A function that gives the ids of texts in a row, and their lengths.

    Called eagerly a KerasHub tokenizer works in Python: the same ids at an
    eighth of the speed, and it holds the interpreter's lock.

    Args:
        tokenize: a KerasHub tokenizer, or a method of one. The function is
            as the tokenizer is when it is first called.
        name: of its class, for the error.
        reads_special: whether it takes special tokens in strings for such.

    Raises:
        UserError: in the call: the tokenizer pads.
    """
    import tensorflow as tf

    # Without AutoGraph: it would rewrite the message of the error below.
    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.string)], autograph=False
    )
    def graph(texts: Any) -> Any:
        rows = tokenize(texts)
        if not isinstance(rows, tf.RaggedTensor):
            raise UserError(
                f"{name} pads its output; make it without sequence_length"
            )
        return tf.cast(rows.flat_values, tf.int32), rows.row_lengths()

    def encode(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        with tf.device("cpu"):
            flat, lengths = graph(tf.constant(texts, tf.string))
        return flat.numpy(), lengths.numpy()

    return encode
