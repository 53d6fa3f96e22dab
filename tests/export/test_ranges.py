"""Which activations leave the range of a number format."""

import keras
import numpy as np
import pytest

from tfminilm import students
from tfminilm.errors import UserError
from tfminilm.export.check.ranges import Range, activation_ranges, require_range
from tfminilm.private.encoders import encoder_parts
from tfminilm.teachers import expose


@pytest.fixture(scope="module")
def built():
    keras.utils.set_random_seed(0)
    return students.mobilebert(
        num_layers=2,
        hidden_dim=12,
        bottleneck_dim=8,
        intermediate_dim=6,
        embedding_dim=4,
        num_feedforwards=1,
        vocabulary_size=100,
        max_sequence_length=16,
    )


@pytest.fixture
def model(built):
    """Its weights come back after each test."""
    start = built.get_weights()
    yield built
    built.set_weights(start)


def enlarge(model, layer, factor):
    norm = model.transformer_layers[layer].output_bottleneck.norm
    norm.gamma.assign(factor * keras.ops.convert_to_numpy(norm.gamma))


def test_ranges_are_those_at_real_tokens(model, make_batch, run, randomise):
    randomise(model)
    batches = [make_batch(lengths, 8) for lengths in ([8, 5], [2, 1])]
    found = {x.tensor: x for x in activation_ranges(model, batches)}
    assert [*found][:3] == ["hidden_states/0", "queries/0", "keys/0"]
    plain = activation_ranges(model, batches, inside=False)
    assert len(plain) == 3 + 4 * 2
    inside = [key for key in found if key not in {x.tensor for x in plain}]
    assert [key[9:] for key in inside if key.startswith("layer 1, ")] == [
        "bottleneck dense",
        "bottleneck norm",
        "shared bottleneck dense",
        "shared bottleneck norm",
        "attention output dense",
        "attention output norm's input",
        "attention output norm",
        "feed-forward 0 intermediate",
        "feed-forward 0 output dense",
        "feed-forward 0 output norm's input",
        "feed-forward 0 output norm",
        "output bottleneck dense",
        "output bottleneck norm's input",
    ]
    view = expose(model, {"hidden_states": [1], "attention_scores": [1]})
    dense = model.transformer_layers[1].bottleneck.dense
    states, inner, scores = [], [], []
    for batch in batches:
        outputs, real = run(view, batch), batch["padding_mask"] > 0
        states.append(outputs["hidden_states/1"][real].ravel())
        made = keras.ops.convert_to_numpy(dense(outputs["hidden_states/1"]))
        inner.append(made[real].ravel())
        for row, mask in zip(outputs["attention_scores/1"], real, strict=True):
            scores.append(row[:, mask][:, :, mask].ravel())
    for key, rows in (
        ("hidden_states/1", states),
        ("layer 1, bottleneck dense", inner),
        ("attention_scores/1", scores),
    ):
        every = np.concatenate(rows)
        assert found[key].largest == pytest.approx(np.abs(every).max())
        typical = np.sqrt(np.mean(every**2))
        assert found[key].typical == pytest.approx(typical, rel=1e-5)


def test_the_layer_that_leaves_float16_is_named(model, make_batch):
    assert Range("x", 65_504.0, 1.0).fits("float16")
    assert not Range("x", 65_505.0, 1.0).fits("float16")
    batches = [make_batch([8, 5], 8)]
    enlarge(model, 1, 1e7)
    with pytest.raises(UserError, match=r"ends at 65,504: hidden_states/2 rea"):
        require_range(model, batches, "float16")
    enlarge(model, 0, 1e9)
    with pytest.raises(
        UserError, match=r"hidden_states/1 reaches .*of 37 tens"
    ):
        require_range(model, batches, "float16")


def test_float16_sees_a_feed_forward_inside(model, make_batch):
    batches = [make_batch([8, 5], 8)]
    block = model.transformer_layers[1].feedforwards[0]
    block.intermediate.bias.assign(np.full(6, 1.8e6, "float32"))
    block.output_dense.dense.kernel.assign(np.full((6, 8), 1e-9, "float32"))
    message = "65,504: layer 1, feed-forward 0 intermediate reaches 1.8e"
    before = [dict(vars(part)) for part in block._flatten_layers()]
    with pytest.raises(UserError, match=message):
        require_range(model, batches, "float16")
    assert [dict(vars(part)) for part in block._flatten_layers()] == before


def test_float16_sees_inside_of_bert(make_encoder, make_batch):
    model = make_encoder(num_layers=2)
    batches = [make_batch([8, 5], 8)]
    layer = model.transformer_layers[1]
    for part in (
        encoder_parts(layer).attention.output_dense,
        encoder_parts(layer).intermediate,  # GELU makes 0 of it.
        encoder_parts(layer).output,
    ):
        bias = np.array(keras.ops.convert_to_numpy(part.bias))
        bias[0] = -1e6
        part.bias.assign(bias)
    ranges = activation_ranges(model, batches)
    assert [x.tensor for x in ranges if not x.fits("float16")] == [
        "layer 1, self attention layer attention output",
        "layer 1, self attention layer norm's input",
        "layer 1, feed-forward intermediate dense",
        "layer 1, feed-forward output dense",
        "layer 1, feed-forward layer norm's input",
    ]


def test_what_int8_holds(model, make_batch):
    assert Range("x", 1000.0, 1000.0 / 126).fits("int8")
    assert not Range("x", 1000.0, 1000.0 / 128).fits("int8")
    batches = [make_batch([8, 5], 8)]
    # Inside a layer single large numbers are common where int8 does well.
    inner = model.transformer_layers[1].feedforwards[0].intermediate
    inner.bias.assign(np.full(6, -np.inf, "float32"))
    require_range(model, batches, "int8")
    norm = model.transformer_layers[0].output_bottleneck.norm
    norm.beta.assign(np.full(12, np.nan, "float32"))
    with pytest.raises(UserError, match="int8, which has 127 steps: hidden_st"):
        require_range(model, batches, "int8")
