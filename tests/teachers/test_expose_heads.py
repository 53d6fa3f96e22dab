"""Models with heads: their output beside what is inside their backbone."""

import keras
import numpy as np
import pytest

import tfminilm
from tfminilm.teachers.expose import expose, head_outputs, with_output


def names(model):
    return {key: [-1] for key in head_outputs(model)}


def numpy(tensors):
    return keras.tree.map_structure(keras.ops.convert_to_numpy, tensors)


def test_outputs_are_the_models_own(headed, make_batch, run):
    batch = make_batch(headed)
    model = expose(headed, names(headed) | {"hidden_states": [0, -1]})
    found = run(model, batch)
    expected = numpy(headed(batch, training=False))
    if not isinstance(expected, dict):
        expected = {"logits": expected}
    assert {key.partition("/")[0] for key in found} == {
        *expected,
        "hidden_states",
    }
    for name, value in expected.items():
        np.testing.assert_allclose(found[f"{name}/0"], value, atol=2e-4)
    inner = run(
        expose(headed.backbone, {"hidden_states": [0, 3]}),
        {name: batch[name] for name in headed.backbone.input},
    )
    for key, value in inner.items():
        np.testing.assert_allclose(found[key], value, atol=1e-5)


def test_variables_are_the_models_own(headed):
    model = expose(headed, names(headed))
    own = {id(v) for v in headed.variables}
    assert all(id(v) in own for v in model.variables)
    # Of the backbone, a head on the states leaves out the pooler.
    unused = {v.path for v in headed.weights} - {v.path for v in model.weights}
    reads_pooler = "TextClassifier" in type(headed).__name__
    expected = set()
    if not reads_pooler and hasattr(headed.backbone, "pooled_dense"):
        expected = {v.path for v in headed.backbone.pooled_dense.weights}
    assert unused == expected


def test_inner_tensors_alone_need_no_head(headed):
    model = expose(headed, {"values": [0]})
    assert set(model.input) == set(headed.backbone.input)
    alone = expose(headed.backbone, {"values": [0]})
    assert {v.path for v in model.weights} == {v.path for v in alone.weights}


def test_computes_nothing_twice(headed, make_batch, count_calls):
    model = expose(headed, names(headed) | {"attention_probs": [-1]})
    batch = make_batch(headed)
    counts = count_calls()
    model(batch)
    embedding = headed.backbone.token_embedding
    if "MaskedLM" in type(headed).__name__:  # Its head embeds in reverse.
        assert counts.pop(id(embedding)) == 2
    assert set(counts.values()) == {1}


def test_the_whole_output_comes_with_inner_tensors(
    make_encoder, make_batch, run
):
    encoder = make_encoder()
    batch = make_batch(encoder)
    model = with_output(encoder, {"values": [0]}, "whole")
    found = model(batch, training=False)
    expected = run(encoder, batch)
    assert found["whole"].keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(
            numpy(found["whole"][name]), value, atol=1e-4
        )


def test_any_model_with_an_output_will_do():
    tokens = keras.Input((None,), dtype="int32", name="token_ids")
    x = keras.layers.Embedding(9, 4)(tokens)
    model = keras.Model({"token_ids": tokens}, keras.layers.Dense(2)(x))
    exposed = expose(model, {"logits": [-1]})
    assert exposed.output.keys() == {"logits/0"}


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"logits": [1]}, "cannot expose logits of layer 1"),
        ({"start_logits": [-1]}, "did you mean"),
    ],
)
def test_refuses_what_a_head_has_not(outputs, message, make_head):
    with pytest.raises(tfminilm.UserError, match=message) as error:
        expose(make_head("classifier"), outputs)
    assert "\n" not in str(error.value)


def test_a_backbone_has_no_logits(make_encoder):
    with pytest.raises(tfminilm.UserError, match="cannot expose 'logits'"):
        expose(make_encoder(), {"logits": [-1]})
