"""Define the data of a run, whatever it was read from."""

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np

from tfminilm.tasks.kinds import Scale
from tfminilm.tasks.settings import Settings
from tfminilm.typing import Tokenizer

if TYPE_CHECKING:
    import tensorflow as tf

# As `fit` takes it: (inputs,), (inputs, labels) or (inputs, labels, weights).
Batch = tuple


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """Hold what a run trains on and what it is measured on.

    A batch is a function of the run's seed and the batch's number, so that a
    resumed run draws the batches that the first one would have drawn.

    Attributes:
        batches: gives the batches from one number on, so many of them:
            `batches(first, count)`.
        num_tokens: counts the real tokens of a batch, by its number.
        probe: the batch on which a model is checked before it is saved.
        used_ids: gives the token ids that occur in what is trained on.
        whole_numbers: gives the token ids and classes by which this data is
            told from other data. No floats: their last digit may differ from
            machine to machine.
        held_out: batches that are not trained on.
        held_out_weights: how much each of them counts; all alike if `None`.
        held_out_name: what messages call them.
        sentences: texts that are not trained on; `None` if they are not kept.
        score: gives the metrics of a model on what is not trained on, beside
            its losses; `None` if there are none.
        metric: the one of these that counts most.
        tune: gives the settings with which a model, and its tokenizer, score
            best on what is not trained on; `None` if nothing is to choose.
        batches_per_epoch: how many batches show every example once; 0 for
            text, whose batches may begin in one epoch and end in the next.
        label_scale: how the labels were standardised.
    """

    batches: "Callable[[int, int], tf.data.Dataset]"
    num_tokens: Callable[[int], int]
    probe: Batch
    used_ids: Callable[[], np.ndarray]
    whole_numbers: Callable[[], Iterable[np.ndarray]]
    held_out: Sequence[Batch] = ()
    held_out_weights: Sequence[int] | None = None
    held_out_name: str = ""
    sentences: list[str] | None = None
    score: Callable[[keras.Model], dict[str, float]] | None = None
    metric: str = ""
    tune: Callable[[keras.Model, Tokenizer], Settings] | None = None
    batches_per_epoch: int = 0
    label_scale: Scale = dataclasses.field(default_factory=Scale)

    def inputs(self, count: int) -> "Iterable[dict[str, tf.Tensor]]":
        """Yield what models read of the first `count` batches."""
        for batch in self.batches(0, count):
            yield batch[0] if isinstance(batch, tuple) else batch

    def digest(self) -> str:
        """Return a hash that tells this data from other data."""
        return _digest(self.whole_numbers())

    def digest_of_first_batch(self) -> str:
        """Return a hash of one batch: who is in it depends on all data."""
        return _digest(keras.tree.flatten(next(iter(self.batches(0, 1)))))


def _digest(arrays: Iterable[np.ndarray]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.asarray(array).tobytes())
    return digest.hexdigest()
