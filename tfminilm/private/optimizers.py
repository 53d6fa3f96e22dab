"""Changes of Keras' optimizers, each made to an optimizer in place.

Three changes, from the inside to the outside: `set_rates` scales the learning
rate of some variables; `prepare` lets one compiled pass update a large
variable, and adds up the gradients of replicas before they are clipped.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras

from tfminilm.private import Use, replicas
from tfminilm.typing import Tensor

_OPTIMIZER = "keras.optimizers.Optimizer"
_TORCH = "keras.src.backend.torch.optimizers.torch_adam.Adam"
_TF = "keras.src.backend.tensorflow.optimizer.TFOptimizer"
USES = (
    Use(_OPTIMIZER, "update_step", "the update of one variable, replaced"),
    Use(_OPTIMIZER, "_apply_weight_decay", "decay of some variables alone"),
    Use(_OPTIMIZER, "_use_weight_decay", "decay of some variables alone"),
    Use(_TORCH, "_parallel_update_step", "the update of all variables"),
    Use(_OPTIMIZER, "_get_variable_index", "a variable's share, in a step"),
    Use(_OPTIMIZER, "_trainable_variables", "a variable's share, in a step"),
    Use(_TF, "_all_reduce_sum_gradients", "replicas' sum, made first"),
    Use(_OPTIMIZER, "_learning_rate", "the rate of a step to come"),
    Use(_OPTIMIZER, "_iterations", "the rate of a step to come"),
)
# The number of elements from which on compiling an update saves time.
_LARGE = 2**17


def prepare(
    optimizer: keras.optimizers.Optimizer, least_elements: int = _LARGE
) -> None:
    """Let an optimizer update large variables in one pass, on all replicas.

    To be called once it is compiled into its model, which may wrap it; a
    second call changes nothing.

    Args:
        optimizer: is changed in place.
        least_elements: updates of variables with so many elements are
            compiled, which takes a tenth of a second each.
    """
    _fuse_updates(optimizer, least_elements)
    _sum_gradients(optimizer)


def learning_rate(optimizer: keras.optimizers.Optimizer, count: int) -> float:
    """Return the learning rate of the last of the next `count` iterations."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    rate = optimizer._learning_rate(optimizer._iterations + (count - 1))
    return float(keras.ops.convert_to_numpy(rate))


def set_rates(
    optimizer: keras.optimizers.Optimizer,
    shares: Sequence[tuple[keras.Variable, float]],
) -> None:
    """Let variables learn at a share of the learning rate.

    Args:
        optimizer: is changed in place, before `compile` and its first step.
        shares: variables, each with its share; others have 1.
    """
    share_by_id = {id(variable): share for variable, share in shares}
    if not share_by_id:
        return
    inner: Any = getattr(optimizer, "inner_optimizer", optimizer)
    step, decay = inner.update_step, inner._apply_weight_decay
    # Read once: replicas take turns while they update the variables, and each
    # would read the value that another has set.
    full_decay = inner.weight_decay

    def share_of(variable: keras.Variable) -> float:
        # A step gets the backend's variable; its index leads to Keras' own.
        index = inner._get_variable_index(variable)
        return share_by_id.get(id(inner._trainable_variables[index]), 1.0)

    def update_step(
        gradient: Tensor, variable: keras.Variable, learning_rate: Tensor
    ) -> None:
        step(gradient, variable, learning_rate * share_of(variable))

    def apply_weight_decay(variables: Sequence[keras.Variable]) -> None:
        for variable in filter(inner._use_weight_decay, variables):
            inner.weight_decay = full_decay * share_of(variable)
            decay([variable])
        inner.weight_decay = full_decay

    inner.update_step = update_step
    inner._apply_weight_decay = apply_weight_decay
    # On PyTorch some optimizers update all variables in one call.
    if hasattr(inner, "_parallel_update_step"):
        inner._parallel_update_step = _in_groups(
            inner._parallel_update_step, share_of
        )


def _in_groups(
    update: Callable[..., None], share_of: Callable[[keras.Variable], float]
) -> Callable[..., None]:
    """Return an update of many variables that calls it once for each share."""

    def update_groups(
        gradients: Sequence[Tensor],
        variables: Sequence[keras.Variable],
        learning_rate: Tensor,
    ) -> None:
        shares = [share_of(variable) for variable in variables]
        for share in sorted(set(shares)):
            pairs = [
                pair
                for pair, x in zip(
                    zip(gradients, variables, strict=True), shares, strict=True
                )
                if x == share
            ]
            update(*map(list, zip(*pairs, strict=True)), learning_rate * share)

    return update_groups


def _fuse_updates(
    optimizer: keras.optimizers.Optimizer, least_elements: int
) -> None:
    """Make the optimizer update large variables in one pass.

    AdamW reads and writes its embedding table eleven times where once is
    enough. Each replica updates its own copy in this way, except for the
    weight decay, which Keras applies to all copies at once. Without effect on
    other backends.

    Args:
        optimizer: is changed in place.
        least_elements: updates of variables with so many elements are
            compiled, which takes a tenth of a second each.
    """
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if hasattr(optimizer, "_plain_update_step"):
        return
    is_alone = not tf.distribute.has_strategy()
    plain = optimizer._plain_update_step = optimizer.update_step
    decay = optimizer._apply_weight_decay
    compiled: dict[int, Any] = {}

    def is_large(variable: keras.Variable) -> bool:
        return math.prod(variable.shape) >= least_elements

    def apply_weight_decay(variables: Sequence[keras.Variable]) -> None:
        decay([v for v in variables if not is_large(v)])

    def update_step(
        gradient: Tensor, variable: keras.Variable, learning_rate: Tensor
    ) -> None:
        if not is_large(variable):
            plain(gradient, variable, learning_rate)
            return

        def update(gradient: Tensor, learning_rate: Tensor) -> None:
            if is_alone:
                decay([variable])
            plain(gradient, variable, learning_rate)

        if id(variable) not in compiled:
            compiled[id(variable)] = tf.function(
                update, jit_compile=True, autograph=False
            )
        compiled[id(variable)](
            tf.convert_to_tensor(gradient),  # Embeddings have sparse ones.
            tf.convert_to_tensor(learning_rate),
        )

    optimizer.update_step = update_step
    if is_alone:
        optimizer._apply_weight_decay = apply_weight_decay


def _sum_gradients(optimizer: keras.optimizers.Optimizer) -> None:
    """Make an optimizer add up the replicas' gradients before it uses them.

    Keras adds them up last, so each replica would clip its own gradients, and
    would look for infinite numbers in its own gradients only.

    Args:
        optimizer: is changed in place.
    """
    if not replicas.is_tensorflow():
        return
    import tensorflow as tf

    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if not tf.distribute.has_strategy() or hasattr(inner, "_plain_sum"):
        return
    plain = inner._plain_sum = inner._all_reduce_sum_gradients
    apply = optimizer.apply

    def summed(grads: Any, trainable_variables: Any = None) -> None:
        pairs = plain(zip(grads, trainable_variables, strict=True))
        apply([gradient for gradient, _ in pairs], trainable_variables)

    optimizer.apply = summed
    inner._all_reduce_sum_gradients = list
