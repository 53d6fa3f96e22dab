"""Matrix products of a step, counted by hand and by the graph."""

import keras
import numpy as np
import pytest

import tfminilm
from tfminilm.train import matmul

BATCH, LENGTH, WIDTH, INNER, HEADS = 2, 8, 24, 48, 4
INPUTS = {
    name: np.ones((BATCH, LENGTH), "int32")
    for name in ("token_ids", "segment_ids", "padding_mask")
}


def encoder(num_layers):
    return tfminilm.students.bert(
        num_layers, WIDTH, HEADS, INNER, vocabulary_size=50
    )


def operations(found):
    return sum(count * product.operations for product, count in found.items())


pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="counts TensorFlow's graph"
)


def test_those_of_minilm():
    """The last layers' queries, keys, values and scores, and no more."""
    distiller = tfminilm.Distiller(
        encoder(3), encoder(2), tfminilm.methods.MiniLM()
    )
    layer = 4 * WIDTH**2 + 2 * WIDTH * INNER + 2 * LENGTH * WIDTH
    top = 3 * WIDTH**2 + LENGTH * WIDTH
    # A pass of the teacher, and three of the student.
    once = (2 * layer + top) + 3 * (1 * layer + top)
    found = matmul.step_matmuls(distiller, INPUTS)
    assert operations(found) == 2 * BATCH * LENGTH * once
    assert matmul.seconds(found) > 0


@pytest.mark.parametrize(
    ("given", "measured"),
    [
        ((96, 16, 4, 16), (96, 4096, 4, 16)),
        ((1, 4096, 384, 384), (1, 4096, 384, 384)),
        ((1, 2**17, 768, 3072), (1, 4096, 768, 3072)),
        ((3072, 512, 64, 512), (512, 512, 64, 512)),
    ],
)
def test_sizes_at_which_a_rate_is_measured(given, measured):
    product = matmul.Matmul(*given, "float32")
    assert matmul._measured(product) == (*measured, "float32")


def test_texts_read_word_by_word():
    x = keras.Input((8, 3), name="x")
    model = keras.Model({"x": x}, keras.layers.LSTM(2)(x))
    found = matmul.step_matmuls(model, {"x": np.zeros((2, 8, 3), "float32")})
    assert not found
    assert matmul.seconds(found) == 0
