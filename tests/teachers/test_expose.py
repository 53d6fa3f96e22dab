"""Encoders with their inner tensors as outputs: names, weights, errors."""

import importlib

import keras
import keras_hub
import numpy as np
import pytest

import tfminilm
from tfminilm.private.encoders import encoder_parts
from tfminilm.teachers import expose
from tfminilm.teachers.expose import encoder_calls

PARTS = ("queries", "keys", "values", "attention_scores", "attention_probs")
EVERYTHING = {name: [0, 1, 2] for name in PARTS} | {
    "hidden_states": [0, 1, 2, 3]
}


def test_negative_indices_count_from_the_top(encoder):
    model = expose(encoder, {"queries": [-1, -3], "hidden_states": [-1, -4]})
    assert list(model.output) == [
        "queries/2",
        "queries/0",
        "hidden_states/3",
        "hidden_states/0",
    ]


def test_a_tensor_asked_for_twice_comes_once(encoder):
    assert list(expose(encoder, {"values": [2, -1, 2]}).output) == ["values/2"]


def test_inputs_are_the_models_own(encoder):
    model = expose(encoder, {"values": [0]})
    assert model.input.keys() == encoder.input.keys()


def test_weights_are_the_models_own(encoder):
    model = expose(encoder, EVERYTHING)
    own = {id(v) for v in encoder.variables}
    assert all(id(v) in own for v in model.variables)


def test_a_changed_weight_shows(make_encoder, make_batch, run):
    encoder = make_encoder()
    model = expose(encoder, {"values": [1], "hidden_states": [0]})
    batch = make_batch(encoder)
    before = run(model, batch)
    attention = encoder_parts(encoder.transformer_layers[1]).attention
    attention.value_dense.bias.assign(attention.value_dense.bias + 1.0)
    after = run(model, batch)
    np.testing.assert_allclose(
        after["values/1"], before["values/1"] + 1, atol=1e-5
    )
    np.testing.assert_array_equal(
        after["hidden_states/0"], before["hidden_states/0"]
    )


@pytest.mark.parametrize(
    ("outputs", "num_layers", "top"),
    [
        ({"hidden_states": [0]}, 0, []),
        ({"values": [0]}, 0, ["value"]),
        ({"queries": [1]}, 1, ["query"]),
        (
            {"attention_scores": [-1], "values": [-1]},
            2,
            ["query", "key", "value"],
        ),
        ({"hidden_states": [2]}, 2, []),
        ({"hidden_states": [3]}, 3, []),
    ],
)
def test_holds_only_what_an_output_needs(
    make_encoder, outputs, num_layers, top
):
    encoder = make_encoder()
    model = expose(encoder, outputs)
    needed = [v for v in encoder.variables if "embeddings" in v.path]
    for layer in encoder.transformer_layers[:num_layers]:
        needed += layer.variables
    for name in top:
        layer = encoder.transformer_layers[num_layers]
        dense = getattr(encoder_parts(layer).attention, f"{name}_dense")
        needed += dense.variables
    weights = {v.path for v in needed if "seed" not in v.path}
    held = {v.path for v in model.variables if "seed" not in v.path}
    assert held == weights


def test_computes_only_what_an_output_needs(
    make_encoder, make_batch, count_calls
):
    encoder = make_encoder()
    model = expose(encoder, {"queries": [1]})
    ran = count_calls()
    model(make_batch(encoder))
    _, second, third = encoder.transformer_layers
    assert id(encoder.token_embedding) in ran
    for part in (
        encoder_parts(second).attention.key_dense,
        encoder_parts(second).attention.value_dense,
        encoder_parts(second).attention.output_dense,
        encoder_parts(second).intermediate,
        third,
        *third._flatten_layers(),
        encoder.pooled_dense,
    ):
        assert id(part) not in ran


def test_exposing_again_differently_stands_alone(make_encoder, make_batch, run):
    encoder = make_encoder()
    batch = make_batch(encoder)
    first = expose(encoder, {"queries": [0], "hidden_states": [2]})
    before = run(first, batch) | run(encoder, batch)
    second = expose(encoder, EVERYTHING)
    third = expose(encoder, {"queries": [0], "hidden_states": [2]})
    for model in (first, second, third):
        outputs = run(model, batch)
        for key in first.output:
            np.testing.assert_allclose(outputs[key], before[key], atol=1e-5)
    for key, value in run(encoder, batch).items():
        np.testing.assert_array_equal(value, before[key])
    assert len(encoder_calls(encoder)) == 3


def test_exposing_leaves_the_model_as_it_was(make_encoder):
    encoder = make_encoder()
    config, paths = encoder.get_config(), [v.path for v in encoder.variables]
    expose(encoder, EVERYTHING)
    assert encoder.get_config() == config
    assert [v.path for v in encoder.variables] == paths


def test_low_precision_gives_float32_scores(make_encoder, make_batch, run):
    encoder = make_encoder(dtype="mixed_bfloat16")
    model = expose(encoder, EVERYTHING)
    outputs = model(make_batch(encoder))
    for key, value in outputs.items():
        dtype = keras.backend.standardize_dtype(value.dtype)
        exact = key.startswith("attention")
        assert dtype == ("float32" if exact else "bfloat16")


def test_training_brings_the_models_dropout(make_encoder, make_batch):
    encoder = make_encoder(dropout=0.5)
    model = expose(encoder, {"hidden_states": [0, 3]})
    batch = make_batch(encoder)
    for key in model.output:
        calm, noisy = (
            [
                keras.ops.convert_to_numpy(model(batch, training=training)[key])
                for _ in range(2)
            ]
            for training in (False, True)
        )
        np.testing.assert_array_equal(*calm)
        assert np.abs(noisy[0] - noisy[1]).max() > 0.1


def message(error):
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("outputs", "parts"),
    [
        ({"query": [0]}, ["'query'", "hidden_states", "mean 'queries'?"]),
        ({"atention_probs": [0]}, ["mean 'attention_probs'?"]),
        ({"queries": [3]}, ["queries of layer 3", "3 layers", "-3 to 2"]),
        ({"values": [-4]}, ["values of layer -4", "3 layers", "-3 to 2"]),
        ({"hidden_states": [4]}, ["hidden_states of layer 4", "-4 to 3"]),
        ({"hidden_states": [-5]}, ["hidden_states of layer -5", "-4 to 3"]),
        ({}, ["nothing to expose"]),
        ({"queries": []}, ["nothing to expose"]),
    ],
)
def test_refuses_what_does_not_exist(encoder, outputs, parts):
    with pytest.raises(tfminilm.UserError) as error:
        expose(encoder, outputs)
    for part in parts:
        assert part in message(error)


def sequential():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])


def gpt2():
    return keras_hub.models.GPT2Backbone(50, 1, 2, 8, 16)


def subclassed():
    class Mine(keras.Model):
        pass

    return Mine()


def single_layer():
    layer = keras_hub.layers.TransformerEncoder(16, 2)
    layer.build((2, 5, 8))
    return layer


@pytest.mark.parametrize(
    "make",
    [sequential, gpt2, subclassed, single_layer, lambda: None, lambda: "bert"],
)
def test_refuses_what_is_no_encoder(make):
    with pytest.raises(tfminilm.UserError) as error:
        expose(make(), {"queries": [0]})
    assert "expected a KerasHub encoder backbone" in message(error)


def test_the_old_keras_nlp_import_is_the_same(make_batch, randomise, run):
    keras_nlp = importlib.import_module("keras_nlp")
    options = {
        "vocabulary_size": 100,
        "num_layers": 2,
        "num_heads": 4,
        "hidden_dim": 32,
        "intermediate_dim": 64,
        "max_sequence_length": 24,
    }
    old = randomise(keras_nlp.models.BertBackbone(**options))
    new = randomise(keras_hub.models.BertBackbone(**options))
    outputs = {name: [0, 1] for name in PARTS}
    batch = make_batch(old)
    ours, theirs = (run(expose(m, outputs), batch) for m in (old, new))
    for key in theirs:
        np.testing.assert_array_equal(ours[key], theirs[key])
