"""Ids of hard lines are those of `transformers`, for each family."""

import json
import pathlib

import pytest

from tfminilm.teachers import load_tokenizer
from tfminilm.tokenizer import rules_of

FOLDER = pathlib.Path(__file__).parents[1] / "golden" / "token_ids"
WANTED = json.loads((FOLDER / "golden.json").read_text())


def test_ids_are_those_of_transformers(family, folder_of, ids_of, lines):
    found = ids_of(load_tokenizer(folder_of(family)), lines)
    wanted = dict(zip(lines, WANTED[family], strict=True))
    assert dict(zip(lines, found, strict=True)) == wanted


# Lines of the table that KerasHub's rules cut otherwise, with U+0000, behind
# which TensorFlow reads nothing.
@pytest.mark.parametrize(
    ("family", "count"),
    [("bert", 9), ("bert_cased", 5), ("albert", 14), ("roberta", 1)],
)
def test_the_table_tells_rules_apart(family, count, folder_of, ids_of, lines):
    tokenizer = load_tokenizer(folder_of(family), rules="keras_hub")
    assert rules_of(tokenizer) == "keras_hub"
    found = ids_of(tokenizer, lines)
    differ = [a != b for a, b in zip(found, WANTED[family], strict=True)]
    assert sum(differ) >= count
