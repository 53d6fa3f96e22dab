"""Seed the random numbers of a step on PyTorch."""

import keras
import numpy as np


class TorchSeed:
    """Make a batch's dropout a function of the seed and the batch's number.

    On PyTorch, Keras draws for dropout from the process' own random state,
    which no checkpoint holds. Without effect on other backends.
    """

    def __init__(self) -> None:
        self._is_torch = keras.backend.backend() == "torch"
        if self._is_torch:
            import torch

            # The run's; the seeds of batches replace it.
            self._seed = torch.initial_seed()

    def set_for(self, batch: int) -> None:
        """Seed PyTorch for the batch of this number."""
        if not self._is_torch:
            return
        import torch

        mixed = np.random.SeedSequence([self._seed, batch])
        torch.manual_seed(int(mixed.generate_state(1)[0]))
