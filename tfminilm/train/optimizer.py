"""Build the papers' optimizers, with linear warm-up and linear decay."""

import keras

from tfminilm.private.lamb import Lamb
from tfminilm.train.recipe import TrainSpec

_OPTIMIZERS = {"adamw": keras.optimizers.AdamW, "lamb": Lamb}


@keras.saving.register_keras_serializable(package="tfminilm")
class WarmupLinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Rise from 0 to `peak` in `warmup_steps`, then fall to 0 at `steps`.

    Under gradient accumulation an optimizer counts the `parts` of a step.
    """

    def __init__(
        self, peak: float, warmup_steps: int, steps: int, parts: int = 1
    ):
        self.peak = peak
        self.warmup_steps = warmup_steps
        self.steps = steps
        self.parts = parts

    def __call__(self, iteration):
        """Return the learning rate of an iteration, counted from 0; never 0."""
        step = keras.ops.floor_divide(iteration, self.parts)
        step = keras.ops.cast(step, "float32") + 1.0
        rise = step / max(self.warmup_steps, 1)
        fall = (self.steps + 1 - step) / max(self.steps - self.warmup_steps, 1)
        share = keras.ops.minimum(rise, fall)
        return self.peak * keras.ops.clip(share, 0.0, 1.0)

    def get_config(self):
        return {
            "peak": self.peak,
            "warmup_steps": self.warmup_steps,
            "steps": self.steps,
            "parts": self.parts,
        }


@keras.saving.register_keras_serializable(package="tfminilm")
class WarmupRootDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Rise from 0 in `warmup_steps`, and fall to `final` of `peak` at `steps`.

    The share of the peak is the smaller one of t / warmup_steps and
    final + (1 - final) sqrt(1 - t / steps): that of a phase of MobileBERT's
    transfer (arXiv 2004.02984) in the authors' code. Under gradient
    accumulation an optimizer counts the `parts` of a step.
    """

    def __init__(
        self,
        peak: float,
        warmup_steps: int,
        steps: int,
        final: float,
        parts: int = 1,
    ):
        self.peak = peak
        self.warmup_steps = warmup_steps
        self.steps = steps
        self.final = final
        self.parts = parts

    def __call__(self, iteration):
        """Return the learning rate of an iteration, counted from 0; never 0."""
        step = keras.ops.floor_divide(iteration, self.parts)
        step = keras.ops.cast(step, "float32")
        rise = (step + 1.0) / max(self.warmup_steps, 1)
        left = keras.ops.clip(1.0 - step / self.steps, 0.0, 1.0)
        fall = self.final + (1.0 - self.final) * keras.ops.sqrt(left)
        return self.peak * keras.ops.minimum(rise, fall)

    def get_config(self):
        return {
            "peak": self.peak,
            "warmup_steps": self.warmup_steps,
            "steps": self.steps,
            "final": self.final,
            "parts": self.parts,
        }


def build_optimizer(
    spec: TrainSpec, precision: str = "float32"
) -> keras.optimizers.Optimizer:
    """Build AdamW or LAMB as a recipe says; norms and biases do not decay.

    Nor does LAMB scale their steps; see `private.lamb.Lamb`.

    Args:
        spec: the recipe's training part.
        precision: the dtype policy trained in; float16 needs a scaled loss.
    """
    parts = spec.gradient_accumulation
    optimizer = _OPTIMIZERS[spec.optimizer](
        _schedule(spec),
        weight_decay=spec.weight_decay,
        beta_2=spec.beta_2,
        epsilon=1e-6,
        global_clipnorm=spec.clip_norm or None,
        gradient_accumulation_steps=parts if parts > 1 else None,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    if precision == "mixed_float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def _schedule(
    spec: TrainSpec,
) -> keras.optimizers.schedules.LearningRateSchedule:
    rise = spec.learning_rate, spec.warmup_steps, spec.steps
    parts = spec.gradient_accumulation
    if spec.final_rate:
        return WarmupRootDecay(*rise, spec.final_rate, parts)
    return WarmupLinearDecay(*rise, parts)
