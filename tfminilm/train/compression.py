"""Make a student smaller while it learns."""

import math

import keras

from tfminilm.compress import fake_quantization, magnitude
from tfminilm.train.recipe import Recipe
from tfminilm.train.sources.training_data import TrainingData

_TEXTS_TO_ROUND = 64  # As many as an export measures scales on.


class Compression:
    """Prune a student's weights and round them, if its recipe says so.

    Attributes:
        callbacks: of `fit`.
        variables: what a checkpoint has to hold beside the student.

    Args:
        recipe: says what.
        student: is changed in place until `finish`.
        data: what it learns from, on which ranges are measured first.
    """

    def __init__(
        self, recipe: Recipe, student: keras.Model, data: TrainingData
    ):
        compress, train = recipe.compress, recipe.train
        self.callbacks: list[keras.callbacks.Callback] = []
        self.variables: list[keras.Variable] = []
        self._rounding: fake_quantization.FakeQuantization | None = None
        if compress.sparsity:
            self.callbacks.append(
                magnitude.MagnitudePruning(
                    student,
                    compress.sparsity,
                    train.steps,
                    compress.sparsity_schedule,
                )
            )
        if compress.quantization_aware:
            count = math.ceil(_TEXTS_TO_ROUND / train.batch_size)
            self._rounding = fake_quantization.FakeQuantization(
                student, data.inputs(count)
            )
            self.variables += self._rounding.variables

    def finish(self) -> dict | None:
        """Remove what was put into the student.

        Returns:
            The ranges that it was rounded in; `None` if it was not.
        """
        if self._rounding is None:
            return None
        ranges = self._rounding.ranges()
        self._rounding.remove()
        return ranges
