"""The papers' optimizer: its schedule, its decay, and parts of a step."""

import keras
import numpy as np
import pytest

from tfminilm.train.optimizer import WarmupLinearDecay, build_optimizer
from tfminilm.train.recipe import TrainSpec


def oracle(peak, warmup, steps):
    """Both ends and the peak of the line, written as points to join."""
    points = [(0, 0.0), (warmup, peak), (warmup + 1, peak), (steps + 1, 0.0)]
    return np.interp(np.arange(1, steps + 1), *zip(*points, strict=True))


@pytest.mark.parametrize(
    ("peak", "warmup", "steps"), [(5e-4, 4, 20), (1.0, 1, 7), (3e-4, 10, 100)]
)
def test_schedule(peak, warmup, steps):
    schedule = WarmupLinearDecay(peak, warmup, steps)
    found = [float(schedule(step)) for step in range(steps)]
    np.testing.assert_allclose(found, oracle(peak, warmup, steps), rtol=1e-5)
    assert max(found) == pytest.approx(peak)
    assert min(found) > 0


def test_schedule_without_warmup_or_without_decay():
    first = float(WarmupLinearDecay(1.0, 0, 4)(0))
    assert first == 1.0
    rising = WarmupLinearDecay(1.0, 8, 4)
    np.testing.assert_allclose(
        [float(rising(step)) for step in range(4)], np.arange(1, 5) / 8
    )


def test_schedule_counts_parts():
    whole, parts = WarmupLinearDecay(1.0, 2, 9), WarmupLinearDecay(1.0, 2, 9, 3)
    found = [float(parts(iteration)) for iteration in range(27)]
    assert found == list(np.repeat([float(whole(s)) for s in range(9)], 3))
    again = WarmupLinearDecay.from_config(parts.get_config())
    assert float(again(13)) == found[13]


def test_the_rate_of_a_phase_of_transfer():
    """Of the authors' code: 3 times the rate, times the background's share.

    That is the smaller one of two polynomial decays: from 1 to 0.9 with a
    power of 0.5, and from 0 to 10 with one of 1, here a step ahead.
    """
    steps, base = 200, 1.5e-3
    t = np.arange(steps)
    fall = (1 - 0.9) * (1 - t / steps) ** 0.5 + 0.9
    rise = 10.0 * (t + 1) / steps
    spec = TrainSpec(
        steps=steps, learning_rate=4.5e-3, warmup_steps=20, final_rate=0.9
    )
    schedule = build_optimizer(spec)._learning_rate
    found = [float(schedule(step)) for step in range(steps)]
    np.testing.assert_allclose(
        found, 3 * base * np.minimum(rise, fall), rtol=1e-5
    )
    again = type(schedule).from_config(schedule.get_config() | {"parts": 2})
    assert float(again(13)) == found[6]


def train(gradients, **options):
    """The values of a kernel and a bias after these gradients."""
    settings = {"steps": 4, "warmup_steps": 1, "learning_rate": 0.1} | options
    names = ("kernel", "bias")
    variables = [keras.Variable([1.0, -2.0], name=name) for name in names]
    optimizer = build_optimizer(TrainSpec(**settings))
    for gradient in gradients:
        optimizer.apply([keras.ops.array(gradient)] * 2, variables)
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def test_decay_spares_biases():
    zero = [[0.0, 0.0]]
    kernel, bias = train(zero, weight_decay=0.5)
    np.testing.assert_allclose(kernel, np.array([1, -2]) * (1 - 0.1 * 0.5))
    np.testing.assert_array_equal(bias, [1, -2])


def test_parts_make_the_step_of_the_whole():
    """Else the schedule ends when half of the steps are done."""
    random = np.random.default_rng(0)
    halves = random.normal(size=(4, 2, 2)).astype("float32")
    expected = train(halves.mean(axis=1), clip_norm=0.5)
    found = train(
        halves.reshape(8, 2),
        clip_norm=0.5,
        gradient_accumulation=2,
        batch_size=2,
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_gradients_are_clipped_together():
    small, large = train([[3.0, 4.0]]), train([[3e3, 4e3]])
    np.testing.assert_allclose(small, large, rtol=1e-4)
    unclipped = build_optimizer(TrainSpec(clip_norm=0.0))
    assert unclipped.global_clipnorm is None


def test_float16_scales_the_loss():
    optimizer = build_optimizer(TrainSpec(), "mixed_float16")
    assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    plain = build_optimizer(TrainSpec(), "mixed_bfloat16")
    assert isinstance(plain, keras.optimizers.AdamW)


def lamb(values, gradients, rate, decay=0.0, is_scaled=True):
    """The rule of google-research/mobilebert, in float64."""
    values = np.array(values, "float64")
    mean, square = np.zeros(2), np.zeros(2)
    for gradient in np.array(gradients, "float64"):
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        update = mean / (np.sqrt(square) + 1e-6) + decay * values
        lengths = np.linalg.norm(values), np.linalg.norm(update)
        ratio = lengths[0] / lengths[1] if is_scaled and all(lengths) else 1.0
        values = values - rate * ratio * update
    return values


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_lamb_scales_kernels_alone(decay):
    gradients = [[0.3, -0.1], [0.2, 0.4], [-0.5, 0.1]]
    options = {"warmup_steps": 0, "steps": 1_000_000, "clip_norm": 0.0}
    kernel, bias = train(
        gradients, optimizer="lamb", weight_decay=decay, **options
    )
    start = [1.0, -2.0]
    np.testing.assert_allclose(
        kernel, lamb(start, gradients, 0.1, decay), rtol=1e-5
    )
    expected = lamb(start, gradients, 0.1, is_scaled=False)
    np.testing.assert_allclose(bias, expected, rtol=1e-5)


def test_lamb_leaves_zeros_where_there_is_no_gradient():
    zero = keras.Variable([0.0, 0.0], name="kernel")
    optimizer = build_optimizer(TrainSpec(optimizer="lamb"))
    optimizer.apply([keras.ops.zeros(2)], [zero])
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(zero), [0, 0])


def test_lamb_moves_what_starts_at_zero():
    """With a ratio its steps are a share of what it is: nearly nothing."""
    names, target = ("bias", "beta", "gamma"), 0.1
    variables = [keras.Variable(0.0, name=name) for name in names]
    spec = TrainSpec(
        optimizer="lamb", steps=1_000, warmup_steps=0, learning_rate=1.5e-3
    )
    optimizer = build_optimizer(spec)
    for _ in range(200):
        optimizer.apply([v - target for v in variables], variables)
    found = [float(variable) for variable in variables]
    np.testing.assert_allclose(found, target, rtol=0.1)
