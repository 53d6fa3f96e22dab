"""Magnitude pruning: the smallest weights become zero during training.

"To prune, or not to prune", arXiv 1710.01878: the share of zeros grows fast at
first and slowly at the end, or is constant from the first step. The schedules
are those of tensorflow-model-optimization. The model keeps its shape; its file
becomes smaller only when it is compressed, as inside an app's package.
"""

from typing import Any

import keras
import numpy as np

from tfminilm.compress.optimization import import_tfmot
from tfminilm.teachers.expose import encoder_calls

# How often masks change, and after which share of a run they are fixed.
_NUM_CHANGES = 100
_END = 0.75


class MagnitudePruning(keras.callbacks.Callback):
    """Holds the smallest weights of all encoder layers' kernels at zero.

    Each kernel gets the same share of zeros. Zeros of a model that was saved
    during a run stay zero when the run goes on.

    Args:
        student: the model to prune; it may be a part of the trained model.
        sparsity: the share of zeros at the end.
        steps: updates of the whole run, as `optimizer.iterations` counts
            them: with gradient accumulation an update has several batches.
        schedule: the share by steps: "polynomial" grows as
            1 - (1 - step / end)³, "constant" has the full share from the
            first step.
    """

    def __init__(
        self,
        student: keras.Model,
        sparsity: float,
        steps: int,
        schedule: str = "polynomial",
    ):
        super().__init__()
        schedules = import_tfmot().sparsity.keras
        end = max(int(_END * steps), 1)
        timing = {"end_step": end, "frequency": max(end // _NUM_CHANGES, 1)}
        self.schedule = {
            "polynomial": schedules.PolynomialDecay(0.0, sparsity, 0, **timing),
            "constant": schedules.ConstantSparsity(sparsity, 1, **timing),
        }[schedule]
        self.kernels = [
            weight
            for call in encoder_calls(student)
            for weight in call.layer.weights
            if weight.name == "kernel"
        ]

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._masks = [
            keras.ops.cast(keras.ops.not_equal(kernel, 0), kernel.dtype)
            for kernel in self.kernels
        ]

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        step = int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))
        is_due, sparsity = self.schedule(step)
        if is_due:
            self._masks = [
                _mask(kernel, float(sparsity)) for kernel in self.kernels
            ]
        for kernel, mask in zip(self.kernels, self._masks, strict=True):
            kernel.assign(kernel * mask)


def _mask(kernel: keras.Variable, sparsity: float) -> Any:
    """Return a kernel's mask: 0 for that share of the smallest values."""
    sizes = np.abs(keras.ops.convert_to_numpy(kernel)).astype(np.float32)
    count = round(sparsity * sizes.size)
    mask = np.ones(sizes.size, np.float32)
    if count:
        mask[np.argpartition(sizes.ravel(), count - 1)[:count]] = 0.0
    return keras.ops.cast(mask.reshape(sizes.shape), kernel.dtype)
