"""Open the sentences of a text, each a sequence of its own."""

import heapq
from collections.abc import Iterator, Sequence

from tfminilm.data import corpus
from tfminilm.data.sentences import is_prose
from tfminilm.data.text import is_held_out, place
from tfminilm.errors import UserError
from tfminilm.tasks.encode import encode
from tfminilm.tasks.encoded import Encoded
from tfminilm.tasks.example import Example
from tfminilm.tasks.task import Task
from tfminilm.train.models import Cut, Models
from tfminilm.train.progress import Progress
from tfminilm.train.recipe import Recipe
from tfminilm.train.sources.encoder import Encoder
from tfminilm.train.sources.examples import Examples
from tfminilm.train.workdir import Workdir

# Examples of no task: single texts, and nothing to say of them.
_TEXTS = Task("sentences", "classification", metrics=(), files=())


def sentences(
    recipe: Recipe, models: Models, folder: Workdir, progress: Progress
) -> Examples:
    """Read the sentences of a stage's text.

    Args:
        recipe: names the text.
        models: those that read them.
        folder: the run's, where token ids are kept.
        progress: told of the work.

    Raises:
        UserError: the text is missing or too little.
    """
    with progress.working("reading examples"):
        train, held_out = _split(recipe)

    def encoded(few: Sequence[Example], cut: Cut) -> Encoded:
        length = cut.max_length
        return encode(_TEXTS, few, cut.tokenizer, length, folder.text)

    encoder = Encoder.of(models, recipe.data.sequence_length, encoded)
    return Examples(_TEXTS.name, train, held_out, encoder)


def _split(recipe: Recipe) -> tuple[list[Example], list[Example]]:
    """Return those to train on, and those of the documents held out."""
    train: list[Example] = []
    held_out: list[Example] = []
    for number, (text, is_out) in _draw(recipe):
        part = held_out if is_out else train
        part.append(Example(str(number), (text,), None))
    if not train or not held_out:
        raise UserError(
            f"{recipe.data.source} has {len(train)} sentences to train on and "
            f"{len(held_out)} in documents held out, expected some of "
            "both: give more text or a larger data.held_out_fraction"
        )
    return train, held_out


def _draw(recipe: Recipe) -> list[tuple[int, tuple[str, bool]]]:
    """Draw `data.max_examples` of the numbered sentences, from all over."""
    most, numbered = recipe.data.max_examples, enumerate(_read(recipe))
    if not most:
        return list(numbered)
    chosen = heapq.nsmallest(
        most, numbered, key=lambda pair: place(str(pair[0]), 0)
    )
    return sorted(chosen)


def _read(recipe: Recipe) -> Iterator[tuple[str, bool]]:
    """Yield sentences, and whether their document is held out."""
    spec = recipe.data
    for document in corpus.documents(spec.source):
        is_out = is_held_out(document, recipe.seed, spec.held_out_fraction)
        for text in filter(is_prose, document):
            yield text, is_out
