"""MobileBERT's layers against float64, equation by equation."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy.special import erf

from tfminilm.layers.attention import ATTENTION_PARTS
from tfminilm.layers.bottleneck import BottleneckEncoder
from tfminilm.layers.bottleneck_parts import BottleneckParts, ExposedBottleneck
from tfminilm.layers.no_norm import NoNorm
from tfminilm.layers.trigrams import Trigrams

HEADS, WIDTH, INNER, WIDE = 2, 6, 4, 5
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
STATES = np.random.default_rng(0).normal(size=(2, 5, WIDTH)).astype("float32")
ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "gelu": lambda x: 0.5 * x * (1 + erf(x / np.sqrt(2))),
    "gelu_approximate": lambda x: (
        0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    ),
}


def numpy(x):
    return keras.tree.map_structure(ops.convert_to_numpy, x)


@pytest.fixture
def make_block(randomise):
    def make(**options):
        sizes = {
            "num_heads": HEADS,
            "bottleneck_dim": INNER,
            "intermediate_dim": WIDE,
        }
        block = BottleneckEncoder(**sizes | options)
        block.build(STATES.shape)
        return randomise(block)

    return make


class Oracle:
    """Section 3 of the paper, read from a block's variables by their paths."""

    def __init__(self, block):
        self.block = block
        self.values = {
            v.path.split("/", 1)[1]: numpy(v).astype("float64")
            for v in block.weights
        }

    def dense(self, name, x):
        return x @ self.values[f"{name}/kernel"] + self.values[f"{name}/bias"]

    def normed(self, name, x, residual=0.0, epsilon=1e-12):
        x = self.dense(f"{name}/dense", x) + residual
        if self.block.normalization == "layer_norm":
            x = x - x.mean(-1, keepdims=True)
            x = x / np.sqrt((x**2).mean(-1, keepdims=True) + epsilon)
        gamma, beta = (
            self.values[f"{name}/norm/{part}"] for part in ("gamma", "beta")
        )
        return gamma * x + beta

    def heads(self, name, x):
        x = self.dense(name, x).reshape(*x.shape[:2], HEADS, -1)
        return x.swapaxes(1, 2)

    def __call__(self, states):
        states = states.astype("float64")
        inner = self.normed("bottleneck", states)
        asking = mixed = {"block": states, "bottleneck": inner}.get(
            self.block.attention_input
        )
        if asking is None:
            asking, mixed = self.normed("shared_bottleneck", states), states
        queries, keys = (self.heads(n, asking) for n in ("query", "key"))
        values = self.heads("value", mixed)
        scores = queries @ keys.swapaxes(2, 3) / np.sqrt(INNER / HEADS)
        powers = np.exp(scores) * MASK[:, None, None, :]
        probs = powers / powers.sum(-1, keepdims=True)
        context = (probs @ values).swapaxes(1, 2).reshape(inner.shape)
        x = self.normed("attention_output", context, inner)
        last = self.block.num_feedforwards - 1
        for index in range(last + 1):
            name = f"feedforward_{index}"
            act = ACTIVATIONS[self.block.activation]
            wide = act(self.dense(f"{name}/intermediate", x))
            epsilon = 1e-12 if index < last else self.block.outer_epsilon
            x = self.normed(f"{name}/output", wide, x, epsilon)
        output = self.normed("output_bottleneck", x, states)
        parts = queries, keys, values, scores, probs
        return dict(zip(ATTENTION_PARTS, parts, strict=True)) | {
            "hidden_states": output
        }


def test_no_norm_scales_and_shifts(randomise):
    layer = NoNorm()
    layer.build(STATES.shape)
    np.testing.assert_array_equal(numpy(layer(STATES)), STATES)
    randomise(layer)
    gamma, beta = numpy(layer.gamma), numpy(layer.beta)
    np.testing.assert_allclose(
        numpy(layer(STATES)), STATES * gamma + beta, rtol=1e-6
    )


def test_trigrams_are_next_own_and_previous():
    vectors = np.arange(1.0, 11.0).reshape(1, 5, 2).repeat(2, 0)
    own = vectors * MASK[:, :, None]
    expected = np.zeros((2, 5, 6))
    expected[:, :-1, :2] = own[:, 1:]
    expected[:, :, 2:4] = own
    expected[:, 1:, 4:] = own[:, :-1]
    found = numpy(Trigrams()(vectors.astype("float32"), padding_mask=MASK))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("attention_input", "normalization", "activation", "num_feedforwards"),
    [
        ("shared", "no_norm", "relu", 4),
        ("bottleneck", "no_norm", "relu", 2),
        ("block", "no_norm", "gelu_approximate", 4),
        ("shared", "layer_norm", "gelu", 3),
        ("block", "layer_norm", "gelu", 1),
    ],
)
def test_a_block_is_the_papers(
    make_block, attention_input, normalization, activation, num_feedforwards
):
    block = make_block(
        attention_input=attention_input,
        normalization=normalization,
        activation=activation,
        num_feedforwards=num_feedforwards,
        outer_epsilon=0.1,
    )
    expected = Oracle(block)(STATES)
    found = numpy(block.run(STATES, MASK))
    assert found.keys() == expected.keys()
    for name in found:
        np.testing.assert_allclose(
            found[name], expected[name], rtol=1e-4, atol=1e-4, err_msg=name
        )
    np.testing.assert_array_equal(
        numpy(block(STATES, MASK)), found["hidden_states"]
    )


@pytest.mark.parametrize("attention_input", ["shared", "bottleneck", "block"])
def test_parts_are_those_of_the_whole(make_block, attention_input):
    block = make_block(attention_input=attention_input)
    whole = numpy(block.run(STATES, MASK))
    names = {
        "queries": {"query"},
        "values": {"value"},
        "attention_scores": {"query", "key"},
    }
    through = {"shared": "shared_bottleneck", "bottleneck": "bottleneck"}
    for part, expected in names.items():
        layer = BottleneckParts(block, [part])
        np.testing.assert_allclose(
            numpy(layer(STATES, MASK)[part]), whole[part], rtol=1e-6
        )
        held = {v.path.split("/")[1] for v in layer.weights}
        reads_block = attention_input == "block" or (
            attention_input == "shared" and part == "values"
        )
        if not reads_block:
            expected = {*expected, through[attention_input]}
        assert held == expected


def test_the_first_token_alone(make_block):
    block = make_block(num_feedforwards=2)
    whole = numpy(block.run(STATES, MASK))
    layer = ExposedBottleneck(block, ["queries", "values"], True)
    found = numpy(layer(STATES, MASK))
    assert found.keys() == {"queries", "values", "hidden_states"}
    assert_close = np.testing.assert_allclose
    assert_close(found["queries"], whole["queries"][:, :, :1], rtol=1e-5)
    assert_close(found["values"], whole["values"], rtol=1e-6)
    assert_close(
        found["hidden_states"], whole["hidden_states"][:, :1], rtol=1e-5
    )


def test_dropout_is_for_training_alone(make_block):
    for rates in ({"dropout": 0.5}, {"attention_dropout": 0.5}):
        block = make_block(**rates)
        quiet = numpy(block(STATES, MASK, training=False))
        np.testing.assert_array_equal(quiet, numpy(block(STATES, MASK)))
        assert not np.allclose(quiet, numpy(block(STATES, MASK, training=True)))


def test_a_config_makes_the_same_layer(make_block):
    block = make_block(
        num_feedforwards=2,
        attention_input="block",
        normalization="layer_norm",
        activation="gelu",
        dropout=0.2,
        attention_dropout=0.3,
        epsilon=0.01,
        outer_epsilon=0.1,
    )
    again = BottleneckEncoder.from_config(block.get_config())
    again.build(STATES.shape)
    again.set_weights(block.get_weights())
    np.testing.assert_array_equal(
        numpy(again(STATES, MASK)), numpy(block(STATES, MASK))
    )
    assert again.get_config() == block.get_config()
