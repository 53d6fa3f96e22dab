"""The layer whose scores have a bias: KerasHub's where the bias is zero."""

import keras
import keras_hub
import numpy as np
import pytest
from keras import ops

from tfminilm.layers.attention import ExposedEncoder
from tfminilm.layers.relative import RelativeEncoder, RelativePositionBias

SHAPE = 2, 5, 8


def make(cls, dropout=0.0):
    """A layer of the class: its weights and seeds are the same each time."""
    keras.utils.set_random_seed(0)
    layer = cls(12, 2, dropout=dropout, activation="gelu")
    layer.build(SHAPE)
    return layer


@pytest.fixture
def inputs():
    random = np.random.default_rng(0)
    mask = np.ones(SHAPE[:2], "int32")
    mask[1, 3:] = 0
    return random.normal(size=SHAPE).astype("float32"), mask


def bias():
    random = np.random.default_rng(1)
    return random.normal(size=(1, 2, 5, 5)).astype("float32")


@pytest.mark.parametrize("training", [False, True])
def test_without_a_bias_it_is_keras_hubs(training, inputs):
    states, mask = inputs
    none = np.zeros((1, 2, 5, 5), "float32")
    found, wanted = (
        ops.convert_to_numpy(make(cls, 0.5)(states, **more, training=training))
        for cls, more in (
            (RelativeEncoder, {"padding_mask": mask, "position_bias": none}),
            (keras_hub.layers.TransformerEncoder, {"padding_mask": mask}),
        )
    )
    real = mask > 0
    np.testing.assert_allclose(found[real], wanted[real], atol=1e-5)
    still = make(RelativeEncoder, 0.5)(states, mask, position_bias=none)
    is_same = np.allclose(ops.convert_to_numpy(still)[real], found[real])
    assert is_same != training  # Something is dropped out.


@pytest.mark.parametrize("first_token_only", [False, True])
def test_it_is_the_same_exposed(first_token_only, inputs):
    layer, (states, mask) = make(RelativeEncoder), inputs
    rows = 1 if first_token_only else 5
    whole = ExposedEncoder(
        layer, ("attention_probs",), first_token_only=first_token_only
    )
    found = whole(states, mask, position_bias=bias())
    assert found["attention_probs"].shape == (2, 2, rows, 5)
    wanted = ops.convert_to_numpy(layer(states, mask, position_bias=bias()))
    got = ops.convert_to_numpy(found["hidden_states"])
    real = mask[:, :rows] > 0
    np.testing.assert_allclose(got[real], wanted[:, :rows][real], atol=1e-5)


def test_a_bias_is_for_a_head_and_a_distance():
    layer = RelativePositionBias(3)
    found = ops.convert_to_numpy(layer(np.zeros((2, 200, 4), "float32")))
    assert found.shape == (1, 3, 200, 200)
    table = ops.convert_to_numpy(layer.embedding.embeddings)
    for query, key, row in ((9, 9, 0), (9, 2, 7), (2, 9, 23), (0, 199, 31)):
        np.testing.assert_array_equal(found[0, :, query, key], table[row])
    again = RelativePositionBias.from_config(layer.get_config())
    assert again.num_heads == 3
