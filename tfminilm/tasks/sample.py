"""Draw a few examples that stand for all: the same ones in every call.

The examples are sorted by label and cut into parts of equal size; one example
is drawn from each part. This is systematic sampling with implicit
stratification (Cochran, Sampling Techniques, 1977, chapter 8). Taking the
first examples would not do: IMDb's files are sorted by class, SQuAD's by
article.
"""

from collections.abc import Sequence
from typing import TypeVar

from tfminilm.data.text import place
from tfminilm.tasks.example import Label

T = TypeVar("T")

# The same for all runs, so that models are compared on the same examples.
_SEED = 0


def sample(examples: Sequence[T], count: int) -> list[T]:
    """Draw `count` examples of a split, in its order; all if it has no more.

    Each class keeps its share of the split, give or take one example, and
    scores come from their whole range. Within a class, and where there are no
    labels, the examples are spread over the file, and so over SQuAD's articles
    and paragraphs. The draw depends on the labels, their order and the count
    alone, not on machine or version.

    Args:
        examples: of one task, `Example` or `QAExample`.
        count: how many to draw; 0: all.
    """
    if not 0 < count < len(examples):
        return list(examples)
    order = sorted(range(len(examples)), key=lambda i: _likeness(examples[i]))
    drawn = []
    for part in range(count):
        start = part * len(order) // count
        size = (part + 1) * len(order) // count - start
        drawn.append(order[start + int(place(str(part), _SEED) * size)])
    return [examples[index] for index in sorted(drawn)]


def _likeness(example: object) -> tuple[bool, Label]:
    """Return a sorting key that puts examples with like labels together."""
    label = getattr(example, "label", None)
    return label is None, 0.0 if label is None else label
