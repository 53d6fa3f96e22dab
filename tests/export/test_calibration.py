"""Texts as a model reads them, in any length."""

import numpy as np
import pytest

from tfminilm.errors import UserError
from tfminilm.export.check import calibration
from tfminilm.tasks.example import Example, QAExample
from tfminilm.tasks.settings import Settings
from tfminilm.teachers import load_tokenizer


def test_sentences_and_one_pair():
    texts = calibration.of_sentences(["a", "b", "c"])
    assert texts == [("a",), ("b",), ("c",), ("a", "b")]
    assert calibration.of_sentences(["a"]) == [("a",)]
    pairs = calibration.of_sentences(["a", "b", "c"], only_pairs=True)
    assert pairs == [("a", "b"), ("b", "c"), ("c", "a")]


@pytest.mark.parametrize(
    ("kind", "num_texts", "pairs"),
    [("classification", 1, 1), ("classification", 2, 3), ("qa", 1, 3)],
)
def test_a_model_of_pairs_gets_pairs(kind, num_texts, pairs):
    settings = Settings("x", kind, ("no", "yes"), 16, num_texts=num_texts)
    texts = calibration.as_texts(["a", "b", "c"], settings)
    assert sum(len(one) == 2 for one in texts) == pairs
    assert calibration.as_texts([("a", "b")], settings) == [("a", "b")]


def test_examples():
    examples = [
        Example("0", ("one", "two"), 1),
        QAExample("1", "why", "because", ("be",), (0,), False),
    ]
    texts = calibration.of_examples(examples)
    assert texts == [("one", "two"), ("why", "because")]


def test_a_batch(tokenizer):
    texts = [("the cat",), ("the", "old dog")]
    batch = calibration.batch(tokenizer, texts, 8)
    words = ["the cat", "the", "old dog"]
    one, the, old = ([int(i) for i in tokenizer(word)] for word in words)
    np.testing.assert_array_equal(
        batch["token_ids"],
        [[2, *one, 3, 0, 0, 0, 0], [2, *the, 3, *old, 3, 0, 0]],
    )
    np.testing.assert_array_equal(
        batch["segment_ids"], [[0] * 8, [0, 0, 0, 1, 1, 1, 0, 0]]
    )
    np.testing.assert_array_equal(batch["padding_mask"].sum(1), [4, 6])


def test_pairs_only_where_they_have_room(tokenizer):
    texts = [("the cat",), ("the", "old dog")]
    shown, encoded = calibration.encode(tokenizer, texts, 4)
    assert shown == ["the cat"]
    assert encoded.lengths.tolist() == [4]
    # Of XLM-R's a pair takes six.
    other = load_tokenizer("tiny:xlm_roberta")
    for length, count in ((5, 1), (6, 2)):
        assert len(calibration.encode(other, texts, length)[0]) == count
    with pytest.raises(UserError, match="max length is 4, expected 5"):
        calibration.encode(tokenizer, texts[1:], 4)
