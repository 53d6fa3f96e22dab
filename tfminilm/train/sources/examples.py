"""Batch examples of any length, padded to the longest of their batch."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import keras
import numpy as np

from tfminilm.data.text import place
from tfminilm.errors import UserError
from tfminilm.tasks.batches import Batches
from tfminilm.tasks.encoded import Encoded, join
from tfminilm.tasks.sample import sample
from tfminilm.tasks.settings import Settings
from tfminilm.train.progress import Progress
from tfminilm.train.recipe import Recipe
from tfminilm.train.sources.training_data import TrainingData
from tfminilm.train.workdir import Workdir
from tfminilm.typing import Tokenizer

_MOST_SENTENCES = 256


@dataclasses.dataclass(frozen=True)
class Examples:
    """Hold the examples of a stage, and how to turn them into token ids.

    Attributes:
        name: of the task, for messages.
        train: those to train on.
        held_out: those that are not trained on.
        encode: gives the token ids of examples.
        copies: gives changed copies of the training examples, encoded, some
            at a time.
        score: gives a model's metrics on what is held out, or `None`.
        metric: the one of these that counts most.
        tune: gives the settings with which a model scores best on these.
        weighted: lets training examples count by their class.
        needs_labels: whether there is nothing to learn without labels.
    """

    name: str
    train: Sequence[Any]
    held_out: Sequence[Any]
    encode: Callable[[Sequence[Any]], Encoded]
    copies: Iterable[Encoded] = ()
    score: Callable[[keras.Model], dict[str, float]] | None = None
    metric: str = ""
    tune: Callable[[keras.Model, Tokenizer], Settings] | None = None
    weighted: Callable[[Encoded], Encoded] = lambda labelled: labelled
    needs_labels: bool = False


class Recorded(Protocol):
    """Hold what a teacher has computed before."""

    def attach(
        self, encoded: Encoded, what: str, examples: Sequence[Any]
    ) -> Encoded:
        """Return sequences with the teacher's outputs in its place."""


def example_data(
    examples: Examples,
    recipe: Recipe,
    folder: Workdir,
    progress: Progress,
    outputs: Recorded | None = None,
) -> TrainingData:
    """Encode the examples of a stage and draw batches of like length.

    Args:
        examples: the stage's.
        recipe: the stage.
        folder: the run's.
        progress: told of the work.
        outputs: of a teacher that does not run; `None` for one that does.

    Raises:
        UserError: they have no labels, and need some; or they have no
            outputs.
    """
    train, held_out = _encoded(examples, recipe, progress, outputs)
    size = recipe.train.microbatch_size
    buckets = folder.context.buckets(recipe.data.sequence_length)
    batches = Batches(train, size, recipe.seed, buckets)
    progress.say(
        f"{examples.name}: {len(train):,} sequences, "
        f"{len(batches):,} batches an epoch"
    )
    if examples.needs_labels and not train.labels:
        raise UserError(
            f"{examples.name}: its training examples have no labels"
        )
    measured = Batches(held_out, size, buckets=buckets)
    numbers = range(len(measured))
    rows = [measured.batch(number) for number in numbers]
    return TrainingData(
        batches=batches.dataset,
        num_tokens=lambda batch: num_tokens(batches, batch),
        probe=rows[0],
        used_ids=lambda: np.unique(train.token_ids),
        whole_numbers=lambda: (
            array
            for encoded in (train, held_out)
            for array in encoded.whole_numbers()
        ),
        held_out=rows,
        # The last one may be filled up.
        held_out_weights=[int((measured.rows(n) >= 0).sum()) for n in numbers],
        held_out_name="held-out examples",
        sentences=_sentences(examples.held_out, recipe.seed),
        score=examples.score,
        metric=examples.metric,
        tune=examples.tune,
        batches_per_epoch=len(batches),
    )


def _encoded(
    examples: Examples,
    recipe: Recipe,
    progress: Progress,
    outputs: Recorded | None,
) -> tuple[Encoded, Encoded]:
    """Return the sequences to train on, and those the loss is measured on."""
    with progress.working("encoding examples"):
        train = examples.weighted(examples.encode(examples.train))
        measured_on = sample(examples.held_out, recipe.train.held_out_sequences)
        held_out = examples.encode(measured_on)
    copies = list(examples.copies)
    if recipe.data.augment_copies and not copies:
        progress.say("augmenting: 0 copies, as no text has words to change")
    train = join([train, *copies])
    if outputs is None:
        return train, held_out
    name = examples.name
    return (
        outputs.attach(train, name, examples.train),
        outputs.attach(held_out, f"{name}, held out", measured_on),
    )


def num_tokens(batches: Batches, batch: int) -> int:
    """Count the tokens of a batch, without padding and fillers."""
    rows = batches.rows(batch)
    return int(batches.encoded.lengths[rows[rows >= 0]].sum())


def _sentences(examples: Sequence[Any], seed: int) -> list[str]:
    texts = {text for example in examples for text in example.sentences}
    # In an order by chance: exports take the first ones.
    order = sorted(texts, key=lambda text: (place(text, seed), text))
    return order[:_MOST_SENTENCES]
