"""KerasHub's tokenizers as TensorFlow functions of lists of strings."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfminilm.errors import UserError
from tfminilm.typing import Tensor


@functools.lru_cache(maxsize=2)
def in_graph(
    tokenize: Callable[[Any], Any], name: str, reads_special: bool = False
) -> Callable[[Sequence[str]], tuple[np.ndarray, np.ndarray]]:
    """Compile a tokenizer into a function of texts.

    The function returns the ids of all texts in one row, and the number of
    each. Called eagerly, a KerasHub tokenizer gives the same ids at an eighth
    of the speed, and holds Python's interpreter lock.

    Args:
        tokenize: a KerasHub tokenizer, or a method of one. Changes of its
            settings after the function's first call have no effect.
        name: the name of its class, for the error.
        reads_special: whether special tokens in strings are read as such.

    Raises:
        UserError: in the call: the tokenizer pads.
    """
    import tensorflow as tf

    # Without AutoGraph: it would rewrite the message of the error below.
    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.string)], autograph=False
    )
    def graph(texts: Tensor) -> Any:
        rows = tokenize(texts)
        if not isinstance(rows, tf.RaggedTensor):
            raise UserError(
                f"{name} pads its output; make it without sequence_length"
            )
        return tf.cast(rows.flat_values, tf.int32), rows.row_lengths()

    # TensorFlow takes the functions of one tokenizer after another for one
    # that is traced again and again, and would warn of it.
    traced = functools.cache(graph.get_concrete_function)

    def encode(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        with tf.device("cpu"):
            flat, lengths = traced()(tf.constant(texts, tf.string))
        return flat.numpy(), lengths.numpy()

    return encode
