"""Tokenizers as TensorFlow functions: one after another, without a warning."""

import logging

import numpy as np

from tfminilm.tokenizer.graph import in_graph


def test_many_tokenizers_are_no_function_that_is_traced_again():
    import tensorflow as tf

    told = []
    handler = logging.Handler()
    handler.emit = told.append
    logger = logging.getLogger("tensorflow")
    logger.addHandler(handler)
    try:
        for number in range(12):
            encode = in_graph(
                lambda texts, n=number: (
                    tf.strings.unicode_decode(texts, "UTF-8") + n
                ),
                "codes",
            )
            flat, lengths = encode(["ab", "c"])
            np.testing.assert_array_equal(flat - number, [97, 98, 99])
            assert lengths.tolist() == [2, 1]
    finally:
        logger.removeHandler(handler)
    assert [record.getMessage() for record in told] == []
