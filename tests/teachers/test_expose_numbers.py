"""What exposed encoders compute, against KerasHub and another maker."""

import json
import pathlib
import shutil

import keras
import keras_hub
import numpy as np
import pytest

from tfminilm import teachers
from tfminilm.private.encoders import encoder_parts
from tfminilm.teachers import expose
from tfminilm.teachers.expose import encoder_calls

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
PARTS = ("queries", "keys", "values", "attention_scores", "attention_probs")
LAYERS = range(3)
EVERYTHING = {name: [*LAYERS] for name in PARTS} | {
    "hidden_states": [*LAYERS, 3]
}


def softmax(scores):
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def masked_probs(queries, keys, mask):
    """Equation 1 of the paper, in float64."""
    scores = queries.astype("float64") @ keys.astype("float64").swapaxes(-1, -2)
    scores /= np.sqrt(keys.shape[-1])
    return softmax(np.where(mask[:, None, None, :], scores, -np.inf))


def heads_first(x, num_heads):
    """From `[batch, length, width]` to `[batch, heads, length, head_dim]`."""
    split = x.reshape(*x.shape[:2], num_heads, -1)
    return split.swapaxes(1, 2)


def real_part(name, x, mask):
    """What remains where no query, key or token is padding."""
    mask = mask.astype(bool)
    if name.startswith("attention"):
        return x.swapaxes(0, 1)[:, mask[:, :, None] & mask[:, None, :]]
    if name.startswith("hidden_states"):
        return x[mask]
    return x.swapaxes(1, 2)[mask]


def assert_close(ours, theirs, mask, atol=1e-5):
    """Dicts of tensors, keyed "queries/0", are equal at real positions."""
    assert ours.keys() == theirs.keys()
    for key in ours:
        np.testing.assert_allclose(
            real_part(key, ours[key], mask),
            real_part(key, theirs[key], mask),
            atol=atol,
            rtol=1e-5,
            err_msg=key,
        )


def own_states_and_probs(model, batch, run):
    """Hidden states and attention as KerasHub's own layers return them."""
    calls = encoder_calls(model)
    states = [call.inputs for call in calls] + [calls[-1].layer.output]
    if len({id(call.layer) for call in calls}) < len(calls):
        states[-1] = model.output["sequence_output"]  # ALBERT's shared layer.
    tensors = run(keras.Model(model.input, dict(enumerate(states))), batch)
    found = {f"hidden_states/{i}": tensors[i] for i in tensors}
    for i, call in enumerate(calls):
        _, probs = call.layer(
            tensors[i],
            padding_mask=batch["padding_mask"],
            return_attention_scores=True,
        )
        found[f"attention_probs/{i}"] = keras.ops.convert_to_numpy(probs)
    return found


def test_outputs_are_the_backbones_own(encoder, make_batch, run):
    batch = make_batch(encoder)
    outputs = run(expose(encoder, EVERYTHING), batch)
    mask = batch["padding_mask"]
    theirs = own_states_and_probs(encoder, batch, run)
    assert_close({key: outputs[key] for key in theirs}, theirs, mask)
    top = run(encoder, batch)["sequence_output"]
    assert_close(
        {"hidden_states/3": outputs["hidden_states/3"]},
        {"hidden_states/3": top},
        mask,
    )


def test_the_parts_make_up_the_probabilities(encoder, make_batch, run):
    batch = make_batch(encoder)
    outputs = run(expose(encoder, EVERYTHING), batch)
    mask = batch["padding_mask"]
    for i in LAYERS:
        queries, keys = outputs[f"queries/{i}"], outputs[f"keys/{i}"]
        assert queries.shape == keys.shape == (3, 4, 9, 8)
        assert outputs[f"values/{i}"].shape == (3, 4, 9, 8)
        assert_close(
            {"attention_probs": outputs[f"attention_probs/{i}"]},
            {"attention_probs": masked_probs(queries, keys, mask)},
            mask,
        )
        scores = outputs[f"attention_scores/{i}"]
        assert_close(
            {"attention_scores": scores},
            {"attention_scores": queries @ keys.swapaxes(2, 3) / np.sqrt(8)},
            mask,
            atol=1e-4,
        )


def test_values_are_those_that_attention_mixes(encoder, make_batch, run):
    """From the parts to the layer's output, by KerasHub's own sub-layers."""
    batch = make_batch(encoder)
    outputs = run(expose(encoder, EVERYTHING), batch)
    for i, call in enumerate(encoder_calls(encoder)):
        layer = call.layer
        context = outputs[f"attention_probs/{i}"] @ outputs[f"values/{i}"]
        x = encoder_parts(layer).attention.output_dense(context.swapaxes(1, 2))
        x = x + keras.ops.convert_to_tensor(outputs[f"hidden_states/{i}"])
        middle = encoder_parts(layer).attention_norm(x)
        x = encoder_parts(layer).intermediate(middle)
        x = encoder_parts(layer).output(x) + middle
        state = keras.ops.convert_to_numpy(
            encoder_parts(layer).feedforward_norm(x)
        )
        assert_close(
            {"hidden_states": outputs[f"hidden_states/{i + 1}"]},
            {"hidden_states": state},
            batch["padding_mask"],
        )


def test_padding_changes_nothing(encoder, make_batch, run):
    model = expose(encoder, EVERYTHING)
    batch = make_batch(encoder)
    longer = make_batch(encoder, total=14)
    mask = batch["padding_mask"]
    noise = np.random.default_rng(1).integers(5, 100, mask.shape)
    tokens = np.where(mask, batch["token_ids"], noise).astype("int32")
    plain = run(model, batch)
    assert_close(run(model, batch | {"token_ids": tokens}), plain, mask)
    cut = {
        key: value[:, :, :9, :9]
        if key.startswith("attention")
        else value[:, :9]
        if key.startswith("hidden")
        else value[:, :, :9]
        for key, value in run(model, longer).items()
    }
    assert_close(cut, plain, mask)


def test_the_real_teacher(real_teacher, make_batch, run):
    every = range(real_teacher.num_layers)
    model = expose(
        real_teacher,
        {name: every for name in PARTS} | {"hidden_states": range(7)},
    )
    batch = make_batch(real_teacher, lengths=(24, 10, 2), total=24)
    mask = batch["padding_mask"]
    outputs = run(model, batch)
    theirs = own_states_and_probs(real_teacher, batch, run)
    assert_close({key: outputs[key] for key in theirs}, theirs, mask)
    top = run(real_teacher, batch)["sequence_output"]
    np.testing.assert_allclose(
        outputs["hidden_states/6"][mask > 0], top[mask > 0], atol=1e-5
    )
    for i in every:
        probs = masked_probs(
            outputs[f"queries/{i}"], outputs[f"keys/{i}"], mask
        )
        assert_close(
            {"attention_probs": outputs[f"attention_probs/{i}"]},
            {"attention_probs": probs},
            mask,
        )


def compare_with_golden(model, golden, run, layer, states, atol, heads=None):
    """Compares a layer's parts and some hidden states with a golden file."""
    batch = {
        "token_ids": golden["input_ids"],
        "padding_mask": golden["attention_mask"],
    }
    if "segment_ids" in model.input:
        batch["segment_ids"] = golden["token_type_ids"]
    parts = ("queries", "keys", "values", "attention_probs")
    outputs = run(
        expose(model, {name: [layer] for name in parts} | states), batch
    )
    theirs = {
        f"attention_probs/{layer}": golden[f"attentions_{layer}"],
        **{
            f"hidden_states/{i}": golden[f"hidden_states_{i}"]
            for i in states["hidden_states"]
        },
    }
    num_heads = golden[f"attentions_{layer}"].shape[1]
    for name in parts[:3]:
        theirs[f"{name}/{layer}"] = heads_first(
            golden[f"{name}_{layer}"], num_heads
        )
    for key in theirs:
        if not key.startswith("hidden_states"):
            outputs[key] = outputs[key][:, :num_heads]
    assert_close(outputs, theirs, golden["attention_mask"], atol)


@pytest.mark.parametrize(
    "name", ["bert", "xlm_roberta", "distil_bert", "albert"]
)
def test_another_implementation_agrees(name, run):
    model = teachers.load_backbone(GOLDEN / name)
    golden = np.load(GOLDEN / name / "golden.npz")
    layer = model.num_layers - 1
    states = {"hidden_states": [*range(layer + 2)]}
    compare_with_golden(model, golden, run, layer, states, 1e-5)


def test_another_implementation_agrees_on_roberta(tmp_path, run):
    """XLM-R's tensors under RoBERTa's name are a RoBERTa."""
    source = GOLDEN / "xlm_roberta"
    shutil.copytree(source, tmp_path / "roberta")
    config = json.loads((source / "config.json").read_text())
    config["model_type"] = "roberta"
    (tmp_path / "roberta" / "config.json").write_text(json.dumps(config))
    model = teachers.load_backbone(tmp_path / "roberta")
    assert not isinstance(model, keras_hub.models.XLMRobertaBackbone)
    golden = np.load(source / "golden.npz")
    states = {"hidden_states": [0, 1, 2]}
    compare_with_golden(model, golden, run, 1, states, 1e-5)


def test_another_implementation_agrees_on_the_real_teacher(real_teacher, run):
    golden = np.load(GOLDEN / "all_minilm_l6_v2" / "golden.npz")
    states = {"hidden_states": [6]}
    compare_with_golden(real_teacher, golden, run, 5, states, 2e-5)


def test_layers_of_albert_are_counted_by_call(make_encoder, make_batch, run):
    """Four layers in two groups, of which each "layer" calls one."""
    encoder = make_encoder(
        "albert", num_layers=4, num_groups=2, num_inner_repetitions=2
    )
    model = expose(encoder, {"hidden_states": [*range(9)]})
    batch = make_batch(encoder)
    outputs = run(model, batch)
    state = outputs["hidden_states/0"]
    order = [call.layer for call in encoder_calls(encoder)]
    assert len(order) == 8
    assert len({id(layer) for layer in order}) == 4
    for i, layer in enumerate(order):
        state = keras.ops.convert_to_numpy(
            layer(state, padding_mask=batch["padding_mask"])
        )
        np.testing.assert_allclose(
            outputs[f"hidden_states/{i + 1}"], state, atol=1e-4
        )
    real = batch["padding_mask"] > 0
    top = run(encoder, batch)["sequence_output"]
    np.testing.assert_allclose(
        outputs["hidden_states/8"][real], top[real], atol=1e-4
    )
