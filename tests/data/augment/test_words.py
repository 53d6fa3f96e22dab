"""Which words of a text may change, and what stays when they do."""

import pytest

from tfminilm.data.augment import words


def test_splits_as_bert_does():
    found = words.split("It's an A_1 film, café!")
    assert [word.text for word in found] == (
        "It ' s an A _ 1 film , café !".split()
    )
    assert [found[0].start, found[0].end] == [0, 2]
    assert words.split(" \t") == []


@pytest.mark.parametrize("word", ["film", "Café", "GOOD"])
def test_words_may_change(word):
    assert words.may_change(word)


@pytest.mark.parametrize("word", ["the", "Not", "t", ",", "7", "mp3", "_"])
def test_stop_words_marks_and_numbers_stay(word):
    assert not words.may_change(word)


def test_all_but_the_new_words_stays():
    text = "A  Film,  so dull."
    split = words.split(text)
    new = {1: "play", 4: "bright"}
    assert words.replace(text, split, new) == "A  Play,  so bright."
    assert words.replace(text, split, {}) == text
