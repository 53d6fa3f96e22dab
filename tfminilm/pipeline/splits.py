"""Split examples into train, validation and test, each class in each."""

import collections
import hashlib
import math
from collections.abc import Sequence

from tfminilm.pipeline.table import Row

SPLITS = ("train", "validation", "test")
# Of each class, for validation and as much for test.
_SHARE = 0.1


def split(
    rows: Sequence[Row],
    strata: Sequence[tuple[str, ...]],
    seed: int = 0,
) -> dict[str, list[Row]]:
    """Split rows by class; rows of one group stay together.

    A tenth of each class, and one row at least, is for validation, as much
    for test, but never all of a class. Where groups are large, or rows have
    several classes, a split may have more or fewer. A row's
    place depends on its texts, its group and the seed alone: rows added to
    the data later leave the others where they are, but for a few at the edge.

    Args:
        rows: each text once.
        strata: of each row its class, or whatever each split shall have.
        seed: of the draw.

    Returns:
        The rows of each split, in their order.
    """
    labels: dict[str, collections.Counter[str]] = {}
    for row, names in zip(rows, strata, strict=True):
        group = row.group or "\0".join(row.key)
        labels.setdefault(group, collections.Counter()).update(names)
    with_label: dict[str, list[str]] = collections.defaultdict(list)
    for name in sorted(labels, key=lambda name: _place(name, seed)):
        for label in labels[name]:
            with_label[label].append(name)
    totals = sum(labels.values(), collections.Counter())
    left = totals.copy()
    chosen: dict[str, str] = {}
    for part in ("test", "validation"):
        counts: collections.Counter[str] = collections.Counter()
        # The rarest class first: it has the fewest groups to choose from.
        for label in sorted(totals, key=lambda name: (totals[name], name)):
            wanted = max(1, math.floor(_SHARE * totals[label] + 0.5))
            for name in with_label[label]:
                fits = labels[name][label] <= wanted - counts[label]
                # Some of each class it has are left to learn from.
                leaves = all(left[x] > n for x, n in labels[name].items())
                if name not in chosen and fits and leaves:
                    chosen[name] = part
                    counts += labels[name]
                    left -= labels[name]
    parts: dict[str, list[Row]] = {name: [] for name in SPLITS}
    for row in rows:
        name = row.group or "\0".join(row.key)
        parts[chosen.get(name, "train")].append(row)
    return parts


def _place(name: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\0{name}".encode()).digest()
