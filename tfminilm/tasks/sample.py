"""A few examples that stand for all: the same ones in every call.

The examples are put in an order in which like ones are neighbours, cut into as
many parts of one size as are wanted, and one is drawn of each part. (Surveys
call it systematic sampling with implicit stratification: Cochran, Sampling
Techniques, 1977, chapter 8.) The first ones would not do: files are sorted by
class, as IMDb's are, or by article, as SQuAD's.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

from tfminilm.data.text import place

T = TypeVar("T")

# Not a run's own: all models are to be compared on the same examples.
_SEED = 0


def sample(examples: Sequence[T], count: int) -> list[T]:
    """`count` examples of a split, in its order; all if there are no more.

    They are alike by label: of each class come as many as it has in the split,
    for its size, give or take one; and scores come from all of their range.
    Within a class, and where there are no labels, they are spread over the
    file, and so over SQuAD's articles and paragraphs. What is drawn depends on
    the labels, the order and the count alone, not on machine or version.

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


def _likeness(example: Any) -> tuple[bool, float]:
    """Returns a key that like examples share; equal ones keep their order."""
    label = getattr(example, "label", None)
    return label is None, label or 0.0
