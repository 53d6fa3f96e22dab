"""Ids of 2,500 lines in eight scripts are those of `transformers`."""

import json
import pathlib

import make_many_ids as made
import pytest

from tfminilm.teachers import load_tokenizer

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


WANTED = json.loads(made.GOLDEN.read_text())


@pytest.fixture
def ids(tmp_path, ids_of):
    """A function that cuts all lines with the tokenizer of a case."""

    def run(name):
        folder = made.copy(name, tmp_path / name)
        (folder / "model.safetensors").touch()  # Nothing here reads it.
        return ids_of(load_tokenizer(folder), made.lines())

    return run


def check(rows, wanted):
    lines = made.lines()
    assert len(lines) == len(rows) == 2_500
    pairs = zip(made.digests(rows), wanted, strict=True)
    differ = [i for i, pair in enumerate(pairs) if len({*pair}) > 1]
    first = differ[0] * made.BLOCK if differ else 0
    assert not differ, lines[first : first + made.BLOCK]


@pytest.mark.parametrize(
    "name", [n for n in made.NAMES if n not in made.PIECES]
)
def test_ids_of_many_lines(name, ids):
    check(ids(name), WANTED[name])


@pytest.mark.parametrize(
    ("name", "count"), [("xlm_roberta", 184), ("deberta_v3_pieces", 435)]
)
def test_ids_by_sentencepiece(name, count, ids):
    """Some lines are cut otherwise by `transformers`: the docs say how many."""
    rows, wanted = ids(name), WANTED[name]
    check([*map(sorted, rows)], wanted["sorted"])
    pairs = zip(made.line_digests(rows), wanted["lines"].split(), strict=True)
    assert sum(a != b for a, b in pairs) == count
    text = (GOLDEN.parents[1] / "docs/data.md").read_text("utf-8")
    told = f"{count} of the 2,500 lines ({wanted['differ']} by SentencePiece"
    assert told in " ".join(text.split())
