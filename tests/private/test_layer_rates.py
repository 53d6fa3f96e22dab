"""Parts of a student that learn at a share of the rate."""

import keras
import numpy as np
import pytest

from tfminilm.errors import UsageError, UserError
from tfminilm.private import optimizers
from tfminilm.tasks import heads
from tfminilm.tasks.task import get_task
from tfminilm.train.build import shares_of
from tfminilm.train.optimizer import build_optimizer
from tfminilm.train.recipe import Recipe, TrainSpec


@pytest.fixture(scope="module")
def model(make_encoder):
    """Two layers. Shared: tests leave it as it is."""
    return make_encoder(num_layers=2, hidden_dim=8, intermediate_dim=8)


def step(model, rates, optimizer, weight_decay):
    """The model's weights after a step with random gradients."""
    spec = TrainSpec(
        optimizer=optimizer,
        steps=10,
        warmup_steps=0,
        learning_rate=0.1,
        weight_decay=weight_decay,
        layer_rates=rates,
    )
    made = build_optimizer(spec)
    optimizers.set_rates(made, shares_of(model, spec.shares()))
    # The token table alone is so large that one pass updates it.
    optimizers.prepare(made, 800)
    random = np.random.default_rng(0)
    variables = model.trainable_variables
    gradients = [random.normal(size=v.shape).astype("f4") for v in variables]
    before = [keras.ops.convert_to_numpy(v) for v in variables]
    made.build(variables)
    made.apply([keras.ops.array(g) for g in gradients], variables)
    moved = {
        v.path: keras.ops.convert_to_numpy(v) - old
        for v, old in zip(variables, before, strict=True)
    }
    for variable, old in zip(variables, before, strict=True):
        variable.assign(old)
    return moved


@pytest.mark.parametrize(
    ("optimizer", "weight_decay"), [("adamw", 0.5), ("lamb", 0.5)]
)
def test_a_share_of_the_whole_step(model, optimizer, weight_decay):
    whole, slow = (
        step(model, rates, optimizer, weight_decay)
        for rates in ("", "embeddings:0.25,-1:0.5")
    )
    seen = set()
    for path, moved in whole.items():
        share = 1.0
        if "embedding" in path:
            share = 0.25
        elif "transformer_layer_1" in path:
            share = 0.5
        seen.add(share)
        np.testing.assert_allclose(
            slow[path], share * moved, rtol=1e-4, atol=1e-6, err_msg=path
        )
    assert seen == {0.25, 0.5, 1.0}


@pytest.mark.parametrize(
    "rates",
    ["0", "layer:0.1", "0:x", "0:-1", "0:inf", "0:0.1:2", "0:0.1,0:0.2"],
)
def test_refuses_what_is_no_rate(rates):
    recipe = Recipe(train=TrainSpec(layer_rates=rates))
    with pytest.raises(UsageError, match="each part once with a share of 0"):
        Recipe.parse(recipe.config())


def test_replicas_that_take_turns_decay_alike(model):
    made = build_optimizer(TrainSpec(weight_decay=0.5))
    seen = []

    def decay(variables):
        seen.append(made.weight_decay)
        if len(seen) == 1:  # Where one replica waits, another one begins.
            made._apply_weight_decay(variables)

    made._apply_weight_decay = decay
    optimizers.set_rates(made, shares_of(model, {0: 0.1}))
    variables = model.transformer_layers[0].trainable_variables
    made.build(variables)
    made._apply_weight_decay(variables)
    # Biases and norms do not decay: six kernels of a layer, one of them twice.
    assert seen == pytest.approx([0.05] * (1 + 6))
    assert made.weight_decay == 0.5


@pytest.mark.parametrize("kind", ["sst2", "squad"])
def test_a_head_is_what_is_not_the_backbones(model, kind):
    """Of KerasHub's classifiers, and of the heads of this library."""
    head = heads.build_head(get_task(kind), model)
    shares = shares_of(head, TrainSpec(layer_rates="head:10").shares())
    old = {id(variable) for variable in model.variables}
    new = [v.path for v in head.trainable_variables if id(v) not in old]
    assert [(v.path, share) for v, share in shares] == [(x, 10) for x in new]
    assert len(new) >= 2
    with pytest.raises(UserError, match="layer_rates names layer head, but"):
        shares_of(model, {"head": 10})


def test_refuses_layers_that_are_not_there(model):
    with pytest.raises(UserError, match="layer_rates names layer 2, but the s"):
        shares_of(model, {2: 0.1})
