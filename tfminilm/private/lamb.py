"""LAMB as MobileBERT was trained with it, which Keras' own is not."""

import keras
from keras import ops

from tfminilm.private import Use
from tfminilm.typing import Tensor

_OPTIMIZER = "keras.optimizers.Optimizer"
_LAMB = "keras.optimizers.Lamb"
USES = (
    Use(_LAMB, "update_step", "the update of one variable, replaced"),
    Use(_OPTIMIZER, "_apply_weight_decay", "decay, which the update holds"),
    Use(_OPTIMIZER, "_use_weight_decay", "what is neither decayed nor scaled"),
    Use(_OPTIMIZER, "_get_variable_index", "a variable's state, in a step"),
    Use(_OPTIMIZER, "_trainable_variables", "a variable's name, in a step"),
)


@keras.saving.register_keras_serializable(package="tfminilm")
class Lamb(keras.optimizers.Lamb):
    """Update by u = m / (sqrt(v) + epsilon) + decay * x, as long as x.

    The rule is that of You et al. (arXiv 1904.00962, algorithm 2) in the code
    of google-research/mobilebert:

        m = beta_1 m + (1 - beta_1) g,  v = beta_2 v + (1 - beta_2) g²
        x = x - rate * r * u,  r = ||x|| / ||u||, or 1 where either is 0

    What is excluded from the weight decay also has r = 1. That has to be
    biases and norms: a bias starts at 0, and with a ratio it would stay near
    it. Unlike algorithm 2, and like that code, m and v are not corrected for
    having started at 0. Keras' own class scales all variables, and decays
    them before it takes the ratio.
    """

    def update_step(
        self, gradient: Tensor, variable: Tensor, learning_rate: Tensor
    ) -> None:
        """Update one variable and its two moments."""
        rate = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        index = self._get_variable_index(variable)
        mean, square = self._momentums[index], self._velocities[index]
        self.assign_add(mean, (gradient - mean) * (1 - self.beta_1))
        self.assign_add(
            square, (ops.square(gradient) - square) * (1 - self.beta_2)
        )
        update = mean / (ops.sqrt(square) + self.epsilon)
        if self._use_weight_decay(self._trainable_variables[index]):
            update = update + (self.weight_decay or 0.0) * variable
            length, step = (
                ops.sqrt(ops.sum(ops.square(x))) for x in (variable, update)
            )
            is_scaled = ops.logical_and(length > 0, step > 0)
            ratio = length / ops.where(is_scaled, step, 1.0)
            update = ops.where(is_scaled, ratio, 1.0) * update
        self.assign_sub(variable, rate * update)

    def _apply_weight_decay(self, variables: list[keras.Variable]) -> None:
        """Leave the decay to the update, whose ratio counts it in."""
