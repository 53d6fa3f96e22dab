"""Splits hold every class, keep groups together and stay where they are."""

import collections
import itertools
import random

import pytest

from tfminilm.pipeline.splits import SPLITS, split
from tfminilm.pipeline.table import Row


def rows(counts, groups=0, seed=0):
    draw = random.Random(seed)
    made = [
        Row("", (f"{label} {n}",), label, str(draw.randrange(groups)))
        if groups
        else Row("", (f"{label} {n}",), label)
        for label, count in counts.items()
        for n in range(count)
    ]
    draw.shuffle(made)
    return made


def cut(data, seed=0):
    return split(data, [(row.label,) for row in data], seed)


def count(part):
    return collections.Counter(row.label for row in part)


@pytest.mark.parametrize(
    "counts", [{"a": 3, "b": 3}, {"a": 1000, "b": 4, "c": 57}]
)
def test_shares_of_each_class(counts):
    parts = cut(rows(counts))
    for name in ("validation", "test"):
        wanted = {k: max(1, int(n / 10 + 0.5)) for k, n in counts.items()}
        assert count(parts[name]) == wanted
    every = [row for name in SPLITS for row in parts[name]]
    assert collections.Counter(every) == collections.Counter(rows(counts))


def test_groups_stay_together():
    parts = cut(rows({"a": 500, "b": 100}, groups=60))
    seen = [{row.group for row in parts[name]} for name in SPLITS]
    for one, two in itertools.combinations(seen, 2):
        assert not one & two
    for name in ("validation", "test"):
        assert 30 <= count(parts[name])["a"] <= 60
        assert 5 <= count(parts[name])["b"] <= 15


def test_order_does_not_matter_and_seed_does():
    data = rows({"a": 50, "b": 50})
    first = {name: set(part) for name, part in cut(data).items()}
    again = {name: set(part) for name, part in cut(data[::-1]).items()}
    assert first == again
    assert set(cut(data, seed=1)["test"]) != first["test"]


def test_a_large_group_leaves_some_of_each_class():
    data = [Row("", (f"b {n}",), "b", "large") for n in range(50)]
    data += [Row("", (f"a {n}",), "a", str(n)) for n in range(9)]
    data.append(Row("", ("a 9",), "a", "large"))
    for seed in range(12):
        assert count(cut(data, seed)["train"]).keys() == {"a", "b"}


def test_rows_of_several_classes_leave_some_of_each():
    for seed in range(200):
        draw = random.Random(seed)
        data = [Row("", (f"{seed} {n}",), "") for n in range(10)]
        strata = [tuple(draw.sample("abcdef", 2)) for _ in data]
        parts = split(data, strata)
        names = dict(zip(data, strata, strict=True))
        left = {name for row in parts["train"] for name in names[row]}
        several = collections.Counter(itertools.chain(*strata))
        assert left == set(several)
