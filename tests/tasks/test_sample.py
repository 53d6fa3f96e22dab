"""`max_examples` and its like: a part that scores as the whole does."""

import collections

import numpy as np
import pytest

from tfminilm.tasks import csv_task, get_task, metrics, read
from tfminilm.tasks.example import Example, QAExample
from tfminilm.tasks.sample import sample
from tfminilm.train.score import Data


def imdb(folder, each=300):
    """As many reviews of both classes, which lie class after class."""
    for name in ("neg", "pos"):
        (folder / "test" / name).mkdir(parents=True)
        for number in range(each):
            path = folder / "test" / name / f"{number}_5.txt"
            path.write_text(f"{name} {number}")
    return str(folder)


def accuracy(task, examples, is_right):
    """That of a model which is right where `is_right` says it, of two."""
    labels = [example.label for example in examples]
    given = [
        label if is_right(example) else 1 - label
        for example, label in zip(examples, labels, strict=True)
    ]
    return metrics.compute(task, labels, given)


def test_imdb_is_not_of_one_class(tmp_path):
    """A model that says "neg" of everything scored 1.0."""
    task, folder = get_task("imdb"), imdb(tmp_path)
    examples = Data(folder, max_examples=100).read(task, "test")
    assert collections.Counter(e.label for e in examples) == {0: 50, 1: 50}
    says_neg = accuracy(task, examples, lambda e: e.label == 0)
    assert says_neg == {"accuracy": 0.5}
    # And of each class they come from all over.
    numbers = [int(example.texts[0].split()[1]) for example in examples]
    for half in (numbers[:50], numbers[50:]):
        assert np.abs(np.diff(half) - 6).max() < 6
        assert abs(np.mean(half) - 149.5) < 5


def test_a_sorted_file_scores_as_the_whole(tmp_path):
    """F1 was 0, as the first rows had no positive among them."""
    rows = [f"text {n},{int(n >= 700)}\n" for n in range(1000)]
    path = tmp_path / "sorted.csv"
    path.write_text("text,label\n" + "".join(rows))
    task = csv_task(path, ["text"], "label")

    def is_right(example):
        return int(example.id) % 7 > 1

    whole = accuracy(task, read(task, "all"), is_right)
    part = Data(max_examples=200).read(task, "all")
    assert sum(example.label for example in part) == 60
    for name, value in accuracy(task, part, is_right).items():
        assert abs(value - whole[name]) < 0.1, name  # One of 0.6 was 0.


@pytest.mark.parametrize("count", [1, 7, 50, 333, 999])
def test_class_shares_are_those_of_the_whole(count):
    sizes = (3, 17, 280, 700)
    labels = np.repeat(range(4), sizes)
    for order in (labels, np.random.default_rng(0).permutation(labels)):
        examples = [Example(str(i), ("",), int(x)) for i, x in enumerate(order)]
        found = sample(examples, count)
        assert len(found) == len({example.id for example in found}) == count
        assert found == sorted(found, key=lambda example: int(example.id))
        for label, size in enumerate(sizes):
            share = sum(e.label == label for e in found)
            assert abs(share - count * size / 1000) <= 1


def test_scores_come_from_all_of_their_range():
    scores = np.random.default_rng(0).beta(0.5, 2, 4000).round(2)
    examples = [Example(str(i), ("",), float(s)) for i, s in enumerate(scores)]
    found = sorted(example.label for example in sample(examples, 100))
    quantiles = np.quantile(scores, (np.arange(100) + 0.5) / 100)
    spread = np.quantile(scores, np.arange(101) / 100)
    assert (np.abs(found - quantiles) <= np.diff(spread) + 0.011).all()


def test_questions_come_from_all_paragraphs():
    examples = [
        QAExample(f"{p} {n}", "Q?", f"Paragraph {p}.", (), (), True)
        for p in range(40)
        for n in range(1 + p % 5)
    ]
    found = sample(examples, 40)
    paragraphs = [int(example.id.split()[0]) for example in found]
    assert max(collections.Counter(paragraphs).values()) <= 2
    assert np.diff(paragraphs).max() <= 4
    assert (paragraphs[0], paragraphs[-1]) <= (3, 39)


def test_the_same_rows_on_every_machine():
    """Written down: hashes decide, and no library's random numbers."""
    examples = [Example(str(i), ("",), None) for i in range(100)]
    found = [int(example.id) for example in sample(examples, 8)]
    assert found == [6, 21, 29, 44, 57, 62, 79, 95]
    assert sample(examples, 8) == sample(examples, 8)


def test_all_of_a_small_split():
    examples = [Example(str(i), ("",), i % 2) for i in range(5)]
    for count in (0, 5, 6):
        assert sample(examples, count) == examples


def test_languages_are_asked_the_same(tmp_path):
    """XTREME's files of XNLI are translations, line by line."""
    labels = ("neutral", "entailment", "contradiction")
    for language in ("de", "zh"):
        lines = [f"{n}\t{n}\t{labels[n * n % 3]}" for n in range(300)]
        path = tmp_path / f"dev-{language}.tsv"
        path.write_text("\n".join(lines) + "\n")
    found = [
        Data(str(tmp_path), language, 30).read(get_task("xnli"), "validation")
        for language in ("de", "zh")
    ]
    assert found[0] == found[1]
