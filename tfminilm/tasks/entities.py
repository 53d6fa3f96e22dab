"""Turn the tags of words into entities, and score entities.

The tags are BIO's ("B-PER", "I-PER", "O"), BILOU's (L and U for the last word
of several and an only one) or BIOES' (E and S for the same). How they become
entities, and how those are scored, are the rules of seqeval (Nakayama 2018,
github.com/chakki-works/seqeval) in its default mode, which are conlleval's.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tfminilm.errors import UserError
from tfminilm.tasks import evidence
from tfminilm.tasks.evidence import ClassScore

OUTSIDE = "O"
EXPECTED = (
    "expected O, or B- or I- and a type, such as B-PER (BILOU's L- and U-, or "
    "BIOES' E- and S-, as well)"
)
_TAG = re.compile(r"O|[BIELSU]-\S.*")
# An entity's first word has one of these, and none of them ends one.
_SCHEMES = {"bio": "BI", "bilou": "BILU", "bioes": "BIES"}
_GOES_ON, _CONTINUES = "BI", "IEL"


class Entity(NamedTuple):
    """A part of a text that has a name, such as a person's.

    Attributes:
        start: its first character.
        end: the one behind its last.
        label: the type, such as "PER".
    """

    start: int
    end: int
    label: str


def is_tag(text: str) -> bool:
    """Tell whether a text is a tag of one of the schemes."""
    return _TAG.fullmatch(text) is not None


def scheme_of(labels: Iterable[str], where: str) -> str:
    """Return the scheme that tags are of: "bio", "bilou" or "bioes".

    Args:
        labels: the tags.
        where: what a message calls their place.

    Raises:
        UserError: one is no tag, or they are not of one scheme.
    """
    labels = list(labels)
    for label in labels:
        if not is_tag(label):
            raise UserError(f"{where}: tag {label[:60]!r} is none; {EXPECTED}")
    used = {label[0] for label in labels if label != OUTSIDE}
    for name, prefixes in _SCHEMES.items():
        if used <= set(prefixes):
            return name
    raise UserError(
        f"{where}: tags begin with {', '.join(sorted(used))}, expected those "
        "of one scheme: B and I; B, I, L and U; or B, I, E and S"
    )


def complete(tags: Iterable[str], where: str) -> tuple[str, ...]:
    """Return all tags that a model of these should know, by type.

    Args:
        tags: those of a file.
        where: what a message calls it.

    Returns:
        "O", and of each type every prefix of the scheme.

    Raises:
        UserError: as `scheme_of`; or all are "O".
    """
    tags = set(tags)
    prefixes = _SCHEMES[scheme_of(tags, where)]
    inside = [tag for tag in tags if tag != OUTSIDE]
    if not inside:
        raise UserError(
            f"{where}: every tag is O, expected entities to learn; {EXPECTED}"
        )
    labels = sorted({tag[2:] for tag in inside})
    return (
        OUTSIDE,
        *(f"{prefix}-{label}" for label in labels for prefix in prefixes),
    )


def chunks(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """Return the first word, the last one and the type of each entity.

    An entity may start with any tag but "O". It goes on with I, L or E of its
    type behind B or I of its type.

    Args:
        tags: of the words of a sentence.
    """
    chunks: list[tuple[int, int, str]] = []
    before = OUTSIDE
    for place, tag in enumerate(tags):
        if tag != OUTSIDE:
            goes_on = (
                tag[0] in _CONTINUES
                and before[0] in _GOES_ON
                and before[2:] == tag[2:]
            )
            first = chunks.pop()[0] if goes_on else place
            chunks.append((first, place, tag[2:]))
        before = tag
    return chunks


def begin_inside(tags: Sequence[str]) -> int:
    """Count the entities whose first tag is I, as in files of IOB1."""
    return sum(tags[first][0] == "I" for first, _, _ in chunks(tags))


def begun(tags: Sequence[str]) -> tuple[str, ...]:
    """Return tags of which those I that begin an entity are B."""
    fixed = list(tags)
    for first, _, label in chunks(tags):
        if tags[first][0] == "I":
            fixed[first] = f"B-{label}"
    return tuple(fixed)


def entities(
    tags: Sequence[str], words: Sequence[tuple[int, int]]
) -> tuple[Entity, ...]:
    """Return the entities of a text.

    Args:
        tags: of its words.
        words: where each begins, and the character behind its end.
    """
    return tuple(
        Entity(words[first][0], words[last][1], label)
        for first, last, label in chunks(tags)
    )


def score(
    expected: Sequence[Iterable[Entity]], predicted: Sequence[Iterable[Entity]]
) -> dict[str, float]:
    """Compute F1, precision and recall over the entities of all texts.

    An entity is right if its type, its start and its end are.

    Args:
        expected: the true entities of each text.
        predicted: a model's.

    Returns:
        Fractions under `f1`, `precision` and `recall`; 0 where there is
        nothing to divide by.
    """
    counts = [*_counts(expected, predicted)]
    return _scores(np.reshape(counts, (-1, 3)).sum(axis=0))


def resampled(
    names: Sequence[str],
    expected: Sequence[Iterable[Entity]],
    predicted: Sequence[Iterable[Entity]],
) -> Callable[[np.ndarray], list[float]]:
    """Return a function that scores a sample of the texts, often and fast.

    Args:
        names: which of `score`'s it returns.
        expected: the true entities of each text.
        predicted: a model's.

    Returns:
        It takes the places of a sample, which may repeat.
    """
    counts = np.reshape([*_counts(expected, predicted)], (-1, 3))

    def score(at: np.ndarray) -> list[float]:
        scores = _scores(counts[at].sum(axis=0))
        return [scores[name] for name in names]

    return score


def per_type(
    expected: Sequence[Iterable[Entity]], predicted: Sequence[Iterable[Entity]]
) -> list[ClassScore]:
    """Return the scores of each type of entity, in alphabetical order."""
    labels = sorted(
        {entity.label for row in (*expected, *predicted) for entity in row}
    )

    def of_type(rows: Sequence[Iterable[Entity]], label: str) -> list:
        return [[one for one in row if one.label == label] for row in rows]

    return [
        evidence.of_counts(label, *map(int, np.sum(counts, axis=0)))
        for label in labels
        for counts in [
            [*_counts(of_type(expected, label), of_type(predicted, label))]
        ]
    ]


def _counts(
    expected: Sequence[Iterable[Entity]], predicted: Sequence[Iterable[Entity]]
) -> Iterator[tuple[int, int, int]]:
    """Yield of each text how many are right, predicted, and there."""
    pairs = zip(map(set, expected), map(set, predicted), strict=True)
    for wanted, guessed in pairs:
        yield len(wanted & guessed), len(guessed), len(wanted)


def _scores(counts: np.ndarray) -> dict[str, float]:
    right, guessed, true = map(int, counts)
    return {
        "f1": 2 * right / max(true + guessed, 1),
        "precision": right / max(guessed, 1),
        "recall": right / max(true, 1),
    }
