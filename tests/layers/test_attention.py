"""Layers that show the inside of a KerasHub encoder layer."""

import keras
import keras_hub
import numpy as np
import pytest

from tfminilm.layers import AttentionParts, ExposedEncoder, fused
from tfminilm.private.encoders import encoder_parts

PARTS = ("queries", "keys", "values", "attention_scores", "attention_probs")
LENGTHS = (6, 2)
SHAPE = (2, 6, 24)
HEADS, HEAD_DIM = 3, 8


@pytest.fixture(params=["norm last", "norm first"])
def encoder(request, randomise):
    return make_encoder(randomise, request.param == "norm first")


def make_encoder(randomise, normalize_first=False, **options):
    layer = keras_hub.layers.TransformerEncoder(
        intermediate_dim=40,
        num_heads=HEADS,
        dropout=0.3,
        activation="gelu",
        normalize_first=normalize_first,
        **options,
    )
    layer.build(SHAPE)
    return randomise(layer)


@pytest.fixture
def states():
    return np.random.default_rng(1).normal(size=SHAPE).astype("float32")


@pytest.fixture
def mask():
    return (np.arange(6) < np.array(LENGTHS)[:, None]).astype("int32")


def numpy(tensors):
    return keras.tree.map_structure(keras.ops.convert_to_numpy, tensors)


def numpy_parts(encoder, states, mask):
    """Queries, keys, values, scores and probabilities in NumPy float64."""
    if encoder.normalize_first:
        states = keras.ops.convert_to_numpy(
            encoder_parts(encoder).attention_norm(states)
        )
    attention = encoder_parts(encoder).attention
    parts = {
        name: np.einsum(
            "bti,ihd->bhtd",
            states.astype("float64"),
            keras.ops.convert_to_numpy(dense.kernel).astype("float64"),
        )
        + keras.ops.convert_to_numpy(dense.bias)[:, None, :]
        for name, dense in (
            ("queries", attention.query_dense),
            ("keys", attention.key_dense),
            ("values", attention.value_dense),
        )
    }
    scores = parts["queries"] @ parts["keys"].swapaxes(-1, -2)
    parts["attention_scores"] = scores / np.sqrt(HEAD_DIM)
    powers = np.exp(parts["attention_scores"]) * mask[:, None, None, :]
    parts["attention_probs"] = powers / powers.sum(-1, keepdims=True)
    return parts


@pytest.mark.parametrize("layer", [AttentionParts, ExposedEncoder])
def test_parts_are_those_of_the_definition(layer, encoder, states, mask):
    outputs = numpy(layer(encoder, PARTS)(states, mask))
    for name, exact in numpy_parts(encoder, states, mask).items():
        np.testing.assert_allclose(outputs[name], exact, atol=1e-5)


def test_probabilities_are_kerashubs_own(encoder, states, mask):
    _, theirs = encoder(states, padding_mask=mask, return_attention_scores=True)
    ours = AttentionParts(encoder, ["attention_probs"])(states, mask)
    np.testing.assert_allclose(
        *numpy([ours["attention_probs"], theirs]), atol=1e-5
    )


def test_output_is_kerashubs_own(encoder, states, mask):
    ours = ExposedEncoder(encoder, [])(states, mask)
    assert set(ours) == {"hidden_states"}
    theirs = encoder(states, padding_mask=mask)
    np.testing.assert_allclose(
        *numpy([ours["hidden_states"], theirs]), atol=1e-5
    )


def test_output_has_the_layers_dropout_in_training(encoder, states, mask):
    layer = ExposedEncoder(encoder, ["queries", "attention_probs"])
    calm = numpy(layer(states, mask, training=False))
    noisy, other = (numpy(layer(states, mask, training=True)) for _ in range(2))
    difference = noisy["hidden_states"] - other["hidden_states"]
    assert np.abs(difference).max() > 0.1
    # What a loss reads is never dropped out itself.
    for name in ("queries", "attention_probs"):
        np.testing.assert_array_equal(noisy[name], calm[name])


def test_dropout_is_where_the_layer_has_it(
    randomise, states, mask, monkeypatch
):
    encoder = make_encoder(randomise)
    random = np.random.default_rng(3)
    drawn = {}

    def bits(layer, shape):
        shape = tuple(int(size) for size in shape)
        if id(layer) not in drawn:
            drawn[id(layer)] = random.integers(0, 2**16, shape, "int32")
        return drawn[id(layer)]

    monkeypatch.setattr(fused, "dropout_bits", bits)
    monkeypatch.setattr(
        keras.layers.Dropout,
        "call",
        lambda self, x, training=False: fused.dropped(
            x, bits(self, x.shape), self.rate
        ),
    )
    ours = ExposedEncoder(encoder, [])(states, mask, training=True)
    theirs = encoder(states, padding_mask=mask, training=True)
    assert len(drawn) == 3
    np.testing.assert_allclose(
        *numpy([ours["hidden_states"], theirs]), atol=1e-5
    )


@pytest.mark.parametrize("layer", [AttentionParts, ExposedEncoder])
def test_returns_what_was_asked_for(layer, encoder, states, mask):
    for parts in (["values"], ["attention_probs"], ["attention_scores"], []):
        outputs = layer(encoder, parts)(states, mask)
        assert set(outputs) - {"hidden_states"} == set(parts)


def test_parts_hold_no_weights_beyond_their_own(encoder):
    attention = encoder_parts(encoder).attention
    norm = (
        encoder_parts(encoder).attention_norm.weights
        if encoder.normalize_first
        else []
    )
    for parts, layers in (
        (["values"], [attention.value_dense]),
        (["attention_scores"], [attention.query_dense, attention.key_dense]),
        (["queries"], [attention.query_dense]),
    ):
        expected = {id(w) for layer in layers for w in layer.weights}
        expected |= {id(w) for w in norm}
        held = AttentionParts(encoder, parts).weights
        assert {id(w) for w in held} == expected


def test_encoder_holds_the_layers_own_variables(encoder):
    layer = ExposedEncoder(encoder, PARTS)
    assert {id(w) for w in layer.weights} == {id(w) for w in encoder.weights}


@pytest.mark.parametrize("layer", [AttentionParts, ExposedEncoder])
def test_padding_changes_nothing(layer, encoder, states, mask):
    real = mask.astype(bool)
    noisy = np.where(real[..., None], states, 1e3).astype("float32")
    ours = numpy(layer(encoder, PARTS)(noisy, mask))
    plain = numpy(layer(encoder, PARTS)(states, mask))
    for name in plain:
        a, b = ours[name], plain[name]
        if name == "hidden_states":
            a, b = a[real], b[real]
        elif name.startswith("attention"):
            a = np.where(real[:, None, :, None] & real[:, None, None], a, 0)
            b = np.where(real[:, None, :, None] & real[:, None, None], b, 0)
        else:
            a, b = a.swapaxes(1, 2)[real], b.swapaxes(1, 2)[real]
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert not np.any(ours["attention_probs"][1, :, :, LENGTHS[1] :])


@pytest.mark.parametrize("layer", [AttentionParts, ExposedEncoder])
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_scores_are_float32_under_any_policy(
    layer, policy, randomise, states, mask
):
    low = make_encoder(randomise, dtype=policy)
    exact = make_encoder(randomise)
    outputs = layer(low, PARTS)(states, mask)
    close = numpy(layer(exact, PARTS)(states, mask))
    for name in PARTS:
        dtype = keras.backend.standardize_dtype(outputs[name].dtype)
        is_score = name.startswith("attention")
        assert dtype == ("float32" if is_score else policy.split("_")[1])
        np.testing.assert_allclose(
            numpy(keras.ops.cast(outputs[name], "float32")),
            close[name],
            atol=0.15,
        )
