"""Learning rates of their own for some of a model's layers."""

from collections.abc import Mapping
from typing import Any

import keras

from tfminilm.train.build import layers_of
from tfminilm.typing import Tensor


def set_layer_rates(
    optimizer: keras.optimizers.Optimizer,
    student: keras.Model,
    rates: Mapping[str | int, float],
) -> None:
    """Gives parts of a student a share of the learning rate.

    A step of AdamW is linear in its rate, weight decay included: a part with
    a share of 0.1 makes a tenth of it. So is one of LAMB but for its ratio,
    which is of weights that have decayed a tenth as far.

    Args:
        optimizer: is changed in place, before `compile` and its first step.
        student: whose parts they are.
        rates: "embeddings", or a layer's index from the bottom (negative from
            the top), and its share.

    Raises:
        UserError: the student has no such layer.
    """
    shares = {
        id(variable): share
        for part, share in rates.items()
        for layer in layers_of(student, part, "train.layer_rates")
        for variable in layer.trainable_variables
    }
    if not shares:
        return
    inner: Any = getattr(optimizer, "inner_optimizer", optimizer)
    step, decay = inner.update_step, inner._apply_weight_decay
    # Read once: replicas take turns within a pass over the variables, and one
    # would find what another has set.
    whole = inner.weight_decay

    def share_of(variable: keras.Variable) -> float:
        # A step sees what is inside the variable that the model has.
        index = inner._get_variable_index(variable)
        return shares.get(id(inner._trainable_variables[index]), 1.0)

    def update_step(
        gradient: Tensor, variable: keras.Variable, learning_rate: Tensor
    ) -> None:
        step(gradient, variable, learning_rate * share_of(variable))

    def apply_weight_decay(variables: Any) -> None:
        for variable in variables:
            inner.weight_decay = whole * share_of(variable)
            decay([variable])
        inner.weight_decay = whole

    inner.update_step = update_step
    inner._apply_weight_decay = apply_weight_decay
