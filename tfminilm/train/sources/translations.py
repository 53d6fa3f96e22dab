"""Open pairs of translations, for a student that learns another language.

The teacher reads a text, and the student the text and its translation: both
are to be embedded as the teacher embeds the text (arXiv 2004.09813).
"""

import dataclasses
import heapq
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np

from tfminilm import teachers
from tfminilm.data import parallel
from tfminilm.data.text import is_held_out, place
from tfminilm.errors import UserError
from tfminilm.methods import vocabularies
from tfminilm.tasks import similarity
from tfminilm.tasks.encode import encode
from tfminilm.tasks.encoded import Encoded
from tfminilm.tasks.example import Example
from tfminilm.tasks.retrieval import likeness_correlation, retrieval_accuracy
from tfminilm.tasks.task import Task
from tfminilm.teachers.embedding import embedding_of
from tfminilm.train import smoke
from tfminilm.train.models import Cut, Models
from tfminilm.train.progress import Progress
from tfminilm.train.recipe import Recipe
from tfminilm.train.sources.encoder import Encoder
from tfminilm.train.sources.examples import Examples
from tfminilm.train.workdir import Workdir

# Examples of no task: single texts, and nothing to say of them.
_TEXTS = Task("translations", "classification", metrics=(), files=())
# Pairs that a translation is looked for in.
_MOST_SCORED = 1_000
METRIC = "translation_accuracy"


@dataclasses.dataclass(frozen=True)
class Translation(Example):
    """A text of the student's, and what its teacher reads instead."""

    teacher_texts: tuple[str, ...] = ()


def translations(
    recipe: Recipe, models: Models, folder: Workdir, progress: Progress
) -> Examples:
    """Read the pairs of a stage's parallel text.

    Args:
        recipe: names the files.
        models: those that read them.
        folder: the run's, where token ids are kept.
        progress: told of the work.

    Raises:
        UserError: a file is missing or broken, there are too few pairs, or
            the method compares token by token.
    """
    if not vocabularies.may_differ(models.trained.terms):
        raise UserError(
            f"recipe: {type(recipe.method).__name__} compares token by token, "
            "and a translation has other tokens: expected SentenceEmbedding"
        )
    with progress.working("reading translations"):
        train, held_out = _split(recipe)

    def encoded(few: Sequence[Example], cut: Cut) -> Encoded:
        return encode(_TEXTS, few, cut.tokenizer, cut.max_length, folder.text)

    encoder = Encoder.of(models, recipe.data.sequence_length, encoded)

    def both(few: Sequence[Translation]) -> Encoded:
        read = [Example(x.id, x.teacher_texts, None) for x in few]
        return encoder.apart(few, read)

    return Examples(
        _TEXTS.name,
        _rows(train),
        _rows(held_out),
        both,
        score=_scorer(held_out, encoder, models),
        metric=METRIC,
    )


def _split(recipe: Recipe) -> tuple[list[parallel.Pair], list[parallel.Pair]]:
    """Return the pairs to train on, and those held out, by their text."""
    spec = recipe.data
    every: Iterator[parallel.Pair] | list[parallel.Pair]
    is_made_up = spec.translations == teachers.TINY
    every = smoke.pairs() if is_made_up else parallel.pairs(spec.translations)
    if spec.max_examples:
        every = heapq.nsmallest(
            spec.max_examples, every, key=lambda pair: place(pair.text, 0)
        )
    sides: tuple[list[parallel.Pair], list[parallel.Pair]] = ([], [])
    for pair in every:
        # All translations of a text are on one side.
        is_out = is_held_out([pair.text], recipe.seed, spec.held_out_fraction)
        sides[is_out].append(pair)
    if not all(sides):
        raise UserError(
            f"{spec.source} has {len(sides[0])} pairs to train on and "
            f"{len(sides[1])} held out, expected some of both: give more "
            "pairs or a larger data.held_out_fraction"
        )
    return sides


def _rows(pairs: Sequence[parallel.Pair]) -> list[Translation]:
    """Return each text once, and each translation, with what is read of it."""
    texts = dict.fromkeys(pair.text for pair in pairs)
    both = [(text, text) for text in texts]
    both += [(pair.translation, pair.text) for pair in pairs]
    return [
        Translation(str(number), (mine,), None, teacher_texts=(read,))
        for number, (mine, read) in enumerate(both)
    ]


def _scorer(
    pairs: Sequence[parallel.Pair], encoder: Encoder, models: Models
) -> Callable[[keras.Model], dict[str, float]]:
    """Return what scores a student on held-out pairs, one of each text."""
    of_text = {pair.text: pair for pair in pairs}
    some = [*of_text.values()][:_MOST_SCORED]
    texts = [Example(str(n), (x.text,), None) for n, x in enumerate(some)]
    others = [
        Example(str(n), (x.translation,), None) for n, x in enumerate(some)
    ]
    teacher = models.trained.teacher
    pooling = embedding_of(teacher).pooling
    pooling = getattr(models.trained.method, "pooling", "") or pooling
    expected = None
    # One whose outputs are read embeds no texts.
    if hasattr(teacher, "token_embedding"):
        read = encoder.of_teacher(texts)
        expected = np.stack(similarity.embedder(teacher, pooling)(read))

    def score(student: keras.Model) -> dict[str, float]:
        embed = similarity.embedder(student, pooling)
        first, second = (
            np.stack(embed(encoder.of_student(few))) for few in (texts, others)
        )
        scores = {METRIC: retrieval_accuracy(first, second)}
        if expected is not None and len(some) > 2:
            scores["likeness"] = likeness_correlation(expected, second)
        return scores

    return score
