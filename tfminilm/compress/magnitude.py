"""Magnitude pruning: the smallest weights become zero while it trains.

"To prune, or not to prune", arXiv 1710.01878: the share of zeros grows fast at
first and slowly at the end, or stands from the first step. The schedules are
those of tensorflow-model-optimization. The model keeps its shape; its file is
smaller when it is compressed, as an app's package is.
"""

from typing import Any

import keras
import numpy as np

from tfminilm.compress.optimization import import_tfmot
from tfminilm.teachers.expose import encoder_calls

# The masks change so often in a run, and no more in its last quarter.
_CHANGES = 100
_LAST = 0.75


class MagnitudePruning(keras.callbacks.Callback):
    """Holds the smallest weights of all encoder layers' kernels at zero.

    Each kernel has its own share. What is zero in a model that was saved in
    between stays so when the run goes on.

    Args:
        student: the model, or the part of the one that trains, to prune.
        sparsity: the share of zeros at the end.
        steps: updates of the whole run, as `optimizer.iterations` counts
            them: under gradient accumulation not its parts.
        schedule: of the share: "polynomial" grows as 1 - (1 - step / end)³,
            "constant" is there from the first step.
    """

    def __init__(
        self,
        student: keras.Model,
        sparsity: float,
        steps: int,
        schedule: str = "polynomial",
    ):
        super().__init__()
        known = import_tfmot().sparsity.keras
        end = max(int(_LAST * steps), 1)
        when = {"end_step": end, "frequency": max(end // _CHANGES, 1)}
        self.schedule = {
            "polynomial": known.PolynomialDecay(0.0, sparsity, 0, **when),
            "constant": known.ConstantSparsity(sparsity, 1, **when),
        }[schedule]
        self.kernels = [
            weight
            for call in encoder_calls(student)
            for weight in call.layer.weights
            if weight.name == "kernel"
        ]

    def on_train_begin(self, logs: Any = None) -> None:
        self._masks = [
            keras.ops.cast(keras.ops.not_equal(kernel, 0), kernel.dtype)
            for kernel in self.kernels
        ]

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        step = int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))
        is_due, sparsity = self.schedule(step)
        if is_due:
            self._masks = [
                _mask(kernel, float(sparsity)) for kernel in self.kernels
            ]
        for kernel, mask in zip(self.kernels, self._masks, strict=True):
            kernel.assign(kernel * mask)


def _mask(kernel: keras.Variable, sparsity: float) -> Any:
    """1 for the largest values of a kernel, 0 for that share of them."""
    sizes = np.abs(keras.ops.convert_to_numpy(kernel)).astype(np.float32)
    count = round(sparsity * sizes.size)
    mask = np.ones(sizes.size, np.float32)
    if count:
        mask[np.argpartition(sizes.ravel(), count - 1)[:count]] = 0.0
    return keras.ops.cast(mask.reshape(sizes.shape), kernel.dtype)
