"""Structured pruning keeps what matters, in plain smaller models."""

import keras
import keras_hub
import numpy as np
import pytest

from tfminilm import students
from tfminilm.compress.prune import importance, prune, prune_into
from tfminilm.errors import UserError
from tfminilm.private.encoders import encoder_parts
from tfminilm.tasks import heads
from tfminilm.tasks.task import get_task

SIZE = {
    "num_layers": 3,
    "hidden_dim": 8,
    "num_heads": 2,
    "intermediate_dim": 6,
    "vocabulary_size": 20,
    "max_sequence_length": 12,
}


def randomised(model):
    random = np.random.default_rng(0)
    for weight in model.weights:
        value = 0.5 * random.normal(size=weight.shape)
        weight.assign(value + (weight.name == "gamma"))
    return model


@pytest.fixture(scope="module")
def model():
    task = get_task("sst2")
    return randomised(heads.build_head(task, students.bert(**SIZE), 0.0))


@pytest.fixture(scope="module")
def batches():
    random = np.random.default_rng(1)
    mask = (np.arange(9) < np.array([[9], [4]])).astype("int32")
    return [
        {
            "token_ids": random.integers(0, 20, (2, 9)).astype("int32"),
            "segment_ids": np.zeros((2, 9), "int32"),
            "padding_mask": mask,
        }
        for _ in range(2)
    ]


def gelu(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def test_importance_is_what_parts_do_to_the_states(model, batches):
    found = importance(model, batches)
    layer = model.backbone.transformer_layers[1]
    # What the layer's feed-forward block reads, of Keras' own pass.
    states = keras.Model(
        model.backbone.input,
        [model.backbone.transformer_layers[i].output for i in (0, 1)],
    )
    adds, angles, attended = [], [], []
    for batch in batches:
        before, after = (np.array(x, float) for x in states(batch))
        mask = batch["padding_mask"].astype(bool)
        given = before.astype("float32")
        inner, scores = encoder_parts(layer).attention(
            given,
            given,
            attention_mask=mask[:, None, :],
            return_attention_scores=True,
        )
        values = np.array(encoder_parts(layer).attention.value_dense(given))
        output = encoder_parts(layer).attention.output_dense.kernel
        heard = np.einsum(
            "bhqk,bkhd,hdw->bqhw", scores, values, output, dtype=float
        )
        attended.append(heard[mask])
        inner = encoder_parts(layer).attention_norm(inner + before)
        up = encoder_parts(layer).intermediate
        down = np.array(encoder_parts(layer).output.kernel, float)
        active = gelu(np.array(inner, float) @ np.array(up.kernel) + up.bias)
        adds.append((active[..., None] * down)[mask])
        cosine = (before * after).sum(-1) / (
            np.linalg.norm(before, axis=-1) * np.linalg.norm(after, axis=-1)
        )
        angles.append(1 - cosine[mask])
    wanted = np.sqrt(np.square(np.concatenate(adds)).sum(-1).mean(0))
    np.testing.assert_allclose(found.neurons[1], wanted, rtol=1e-4)
    wanted = np.sqrt(np.square(np.concatenate(attended)).sum(-1).mean(0))
    np.testing.assert_allclose(found.heads[1], wanted, rtol=1e-4)
    wanted = np.concatenate(angles).mean()
    np.testing.assert_allclose(found.layers[1], wanted, rtol=1e-4)


def test_of_a_model_whose_other_parts_do_nothing(model, batches):
    source = heads.rebuilt(model)
    source.set_weights(model.get_weights())
    for layer in source.backbone.transformer_layers:
        kernel = np.array(encoder_parts(layer).output.kernel)
        kernel[[0, 2, 5]] = 0
        encoder_parts(layer).output.kernel.assign(kernel)
    smaller = prune(source, batches, intermediate_dim=3)
    np.testing.assert_allclose(
        smaller(batches[0]), source(batches[0]), atol=1e-5
    )
    assert type(smaller) is type(source)
    assert type(smaller.backbone) is keras_hub.models.BertBackbone
    assert smaller.backbone.intermediate_dim == 3
    assert smaller.count_params() == source.count_params() - 3 * 3 * (8 + 8 + 1)


def given_by(head, layer):
    """A head's values, their bias, and its rows of the output kernel."""
    attention = encoder_parts(layer).attention
    value, output = attention.value_dense, attention.output_dense
    parts = value.kernel[:, head], value.bias[head], output.kernel[head]
    return [np.array(part) for part in parts]


def test_heads_that_add_least_fall_silent(model, batches):
    source = heads.rebuilt(model)
    source.set_weights(model.get_weights())
    useless = (1, 0, 1)
    layers = source.backbone.transformer_layers
    for head, layer in zip(useless, layers, strict=True):
        kernel = encoder_parts(layer).attention.output_dense.kernel
        value = np.array(kernel)
        value[head] *= 1e-6
        kernel.assign(value)
    smaller = prune(source, batches, kept_heads=1)
    np.testing.assert_allclose(
        smaller(batches[0]), source(batches[0]), atol=1e-4
    )
    for head, ours, theirs in zip(
        useless, smaller.backbone.transformer_layers, layers, strict=True
    ):
        assert not any(part.any() for part in given_by(head, ours))
        for kept, whole in zip(
            given_by(1 - head, ours), given_by(1 - head, theirs), strict=True
        ):
            np.testing.assert_array_equal(kept, whole)


def test_training_leaves_silent_heads_silent(model, batches):
    smaller = prune(model, batches, kept_heads=1)
    layers = smaller.backbone.transformer_layers
    silent = importance(model, batches).heads.argmin(1)
    before = [given_by(1 - h, x) for h, x in zip(silent, layers, strict=True)]
    smaller.compile(
        keras.optimizers.AdamW(0.1, weight_decay=0.1),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    smaller.fit(batches[0], np.array([0, 1]), shuffle=False, verbose=0)
    for head, layer, then in zip(silent, layers, before, strict=True):
        assert not any(part.any() for part in given_by(head, layer))
        for part, old in zip(given_by(1 - head, layer), then, strict=True):
            assert np.abs(part - old).max() > 0.01


def test_the_layer_that_changes_nothing_goes_first(model, batches):
    source = heads.rebuilt(model)
    source.set_weights(model.get_weights())
    layer = source.backbone.transformer_layers[1]
    for dense in (
        encoder_parts(layer).attention.output_dense,
        encoder_parts(layer).output,
    ):
        for weight in dense.weights:
            weight.assign(np.zeros(weight.shape))
    smaller = prune(source, batches, num_layers=2)
    kept = smaller.backbone.transformer_layers
    for ours, index in zip(kept, (0, 2), strict=True):
        theirs = source.backbone.transformer_layers[index]
        for weight, value in zip(ours.weights, theirs.weights, strict=True):
            np.testing.assert_array_equal(np.array(weight), np.array(value))


def test_padding_has_no_say(model, batches):
    other = [dict(batch) for batch in batches]
    for batch in other:
        batch["token_ids"] = np.where(
            batch["padding_mask"], batch["token_ids"], 7
        )
    wanted, got = importance(model, batches), importance(model, other)
    np.testing.assert_allclose(got.neurons, wanted.neurons, rtol=1e-5)
    np.testing.assert_allclose(got.layers, wanted.layers, rtol=1e-5)


def test_bad_input(model, batches):
    with pytest.raises(UserError, match="cannot keep 7 of intermediate_dim 6"):
        prune(model, batches, intermediate_dim=7)
    with pytest.raises(UserError, match="cannot keep 0 of num_heads 2"):
        prune(model, batches, kept_heads=0)
    with pytest.raises(UserError, match="no batches"):
        prune(model, [], num_layers=1)
    wider = students.bert(**SIZE | {"hidden_dim": 16})
    with pytest.raises(UserError, match="expected one that differs in layers"):
        prune_into(wider, model.backbone, batches)
    other = students.mobilebert(
        num_layers=1, num_heads=2, hidden_dim=8, bottleneck_dim=4,
        intermediate_dim=4, embedding_dim=4, vocabulary_size=20,
    )  # fmt: skip
    with pytest.raises(UserError, match="cannot prune layers of Bottleneck"):
        prune(other, batches)
