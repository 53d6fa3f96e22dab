"""Plans of precisions: damage decides, and limits are kept."""

import numpy as np
import pytest

from tfminilm.errors import UserError
from tfminilm.export.check import search
from tfminilm.export.litert import quantize
from tfminilm.export.litert.convert import convert
from tfminilm.private.encoders import encoder_parts


@pytest.fixture(scope="module")
def model(make_backbone):
    """The feed-forward's second matrix, which adds little, suffers least."""
    backbone = make_backbone(num_layers=1, max_sequence_length=8)
    (layer,) = backbone.transformer_layers
    encoder_parts(layer).output.kernel.assign(
        1e-3 * encoder_parts(layer).output.kernel
    )
    return convert(backbone, "float32", (8,))


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(1)
    return [
        {
            "token_ids": random.integers(0, 100, length),
            "segment_ids": np.zeros(length, int),
            "padding_mask": np.ones(length, int),
        }
        for length in (8, 6, 5, 3)
    ]


@pytest.fixture(scope="module")
def sizes(model):
    """Bytes with all layers in 8 bits, and in 4."""
    known = quantize.layers(model)
    return [
        len(quantize.quantize(model, dict.fromkeys(known, precision)))
        for precision in (search.HIGH, search.LOW)
    ]


def test_a_budget_is_kept_and_the_least_damage_taken(model, rows, sizes):
    seen = []
    budget = sum(sizes) / 2
    found = search.search(
        model, rows, budget, show=lambda *told: seen.append(told)
    )
    assert sizes[1] < found.bytes <= budget
    assert set(found.layers) == set(quantize.layers(model))
    low = {name for name, x in found.layers.items() if x == search.LOW}
    assert "layer_0/feedforward" in low
    known = quantize.layers(model)
    # Nothing that suffers could have 8 bits as well.
    for name in low:
        more = known[name].parameters / 2 + 16
        assert found.bytes + more > budget or not found.damage[name]
    assert found.damage["layer_0/feedforward"] < found.damage["tokens"]
    assert [told[1] for told in seen] == list(range(len(known) + 1))
    # What it says of its plan is true of the plan's file.
    again = quantize.quantize(model, found.layers)
    assert len(again) == found.bytes
    bench = search._Bench(model, rows)
    assert bench.measure(found.layers).drop == pytest.approx(found.drop)


def test_room_that_is_left_goes_to_what_suffers_most():
    low = dict.fromkeys(("table", "a", "b", "silent"), search.LOW)
    small = search._Measured({**low, "high": search.HIGH}, 100, 0.0, 0.0)
    damage = {"table": 9, "a": 1, "b": 3, "silent": 0, "high": 8}
    saved = {"table": 80, "a": 10, "b": 20, "silent": 5, "high": 5}
    raised = search._raised(small, damage, saved, 130)
    assert raised == {**small.layers, "a": search.HIGH, "b": search.HIGH}
    raised = search._raised(small, damage, saved, 129)
    assert raised == {**small.layers, "b": search.HIGH}
    assert search._raised(small, damage, saved, 100) == small.layers


def test_a_drop_is_kept(model, rows, sizes):
    bench = search._Bench(model, rows)
    known = quantize.layers(model)
    limits = [
        bench.measure(dict.fromkeys(known, precision)).drop
        for precision in (search.HIGH, search.LOW)
    ]
    found = search.search(model, rows, max_drop=sum(limits) / 2)
    assert found.drop <= sum(limits) / 2
    assert sizes[1] < found.bytes < sizes[0]


def test_limits_that_cannot_be_kept(model, rows, sizes):
    with pytest.raises(UserError, match=r"has 0\.\d MB, more than the 0\.001"):
        search.search(model, rows, 1e3)
    with pytest.raises(UserError, match=r"points are lost, more than the 0 "):
        search.search(model, rows, max_drop=0)
    with pytest.raises(UserError, match="no texts to measure damage on"):
        search.search(model, [], 1e6)
    assert search.search(model, rows, 1e9).bytes == sizes[0]


def test_drop():
    one, two = np.eye(2)
    wanted = {"logits": [one, one, two, two]}
    got = {"logits": [one, one, one + 7, two]}
    # Of one text in four the classes' probabilities change places.
    expected = 25 * (np.e - 1) / (np.e + 1)
    assert search.drop(got, wanted) == pytest.approx(expected)
    assert search.drop(wanted, wanted) == 0
    scores = {"logits": [np.array([[x]]) for x in (1.0, 2.0, 4.0)]}
    twice = {"logits": [2 * x for x in scores["logits"]]}
    assert search.drop(twice, scores) == pytest.approx(0)
    turned = {"logits": [-x for x in scores["logits"]]}
    assert search.drop(turned, scores) == pytest.approx(200)
    vectors = {"sentence_embedding": [one, two]}
    got = {"sentence_embedding": [one, one + two]}
    assert search.drop(got, vectors) == pytest.approx(50 * (1 - 0.5**0.5))
    both = {**wanted, **vectors}
    assert search.drop({**wanted, **got}, both) == search.drop(got, vectors)
