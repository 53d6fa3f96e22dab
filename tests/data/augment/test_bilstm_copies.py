"""Changed copies of texts: how often what happens, and to which text."""

import sys

import numpy as np
import pytest

import tfminilm
from tfminilm.data.augment.bilstm import Augmentation, augment, english_tagger

TEXT = "ada sees bob and cy hears dan while eve paints fay again"
NAMES = {"ada", "bob", "cy", "dan", "eve", "fay"}
VERBS = {"sees", "hears", "paints"}
MANY = [(f"{TEXT} {number}",) for number in range(200)]


def tagger(words):
    return [
        "name" if w in NAMES else "verb" if w in VERBS else "other"
        for w in words
    ]


def only(**options):
    nothing = {
        "mask_probability": 0.0,
        "replace_probability": 0.0,
        "ngram_probability": 0.0,
    }
    return Augmentation(**nothing | options)


def test_words_are_masked_as_often_as_told():
    how = only(mask_probability=0.3, copies=5, mask_token="<mask>")
    found = augment(MANY, how)
    words = [new.split() for _, (new,) in found]
    old = [MANY[number][0].split() for number, _ in found]
    masked = [w == "<mask>" for row in words for w in row]
    assert np.mean(masked) == pytest.approx(0.3, abs=0.02)
    for new, was in zip(words, old, strict=True):
        assert len(new) == len(was)
        assert all(a in (b, "<mask>") for a, b in zip(new, was, strict=True))


def test_words_are_replaced_by_their_like():
    how = only(replace_probability=0.4, copies=5)
    swapped = total = 0
    for number, (new,) in augment(MANY, how, tagger=tagger):
        old = MANY[number][0].split()
        assert tagger(new.split()) == tagger(old)
        swapped += sum(a != b for a, b in zip(new.split(), old, strict=True))
        total += len(old)
    assert 0.2 < swapped / total < 0.4  # Some draw the word itself.


def test_texts_are_cut_to_words_in_a_row():
    how = only(ngram_probability=1.0, max_ngram=3, copies=8)
    sizes = set()
    for number, (new,) in augment(MANY[:20], how):
        assert f" {new} " in f" {MANY[number][0]} "
        sizes.add(len(new.split()))
    assert sizes == {1, 2, 3}


def test_pairs_change_one_side_then_the_other_then_both():
    how = only(mask_probability=0.9, copies=3)
    pair = (TEXT, TEXT.upper())
    found = [new for _, new in augment([pair], how)]
    changed = [
        tuple(a != b for a, b in zip(new, pair, strict=True)) for new in found
    ]
    assert changed == [(True, False), (False, True), (True, True)]


def test_copies_differ_and_know_their_example():
    how = Augmentation(replace_probability=0.0)
    found = augment([("a b",), ("",), ("c",)], how)
    assert len(set(found)) == len(found)
    assert all(new != ("a b",) for number, new in found if number == 0)
    assert {number for number, _ in found} <= {0, 2}


def test_the_same_seed_gives_the_same_texts():
    first, again, other = (
        augment(MANY[:5], seed=seed, tagger=tagger) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_english_parts_of_speech():
    tag = english_tagger()
    first, second = (
        tag(f"the {noun} was very {word}".split())
        for noun, word in (("film", "funny"), ("story", "dull"))
    )
    assert first == second
    assert len(set(first)) == 5
    found = augment([("the film was funny",), ("a story is dull",)])
    assert found


def test_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "HanTa", None)
    with pytest.raises(tfminilm.UserError, match="pip install HanTa") as error:
        augment([("a b",)])
    assert "replace_probability=0" in str(error.value)
    assert "\n" not in str(error.value)
    augment([("a b",)], Augmentation(replace_probability=0.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mask_probability": 1.5}, "mask_probability is 1.5, expected 0 to 1"),
        ({"ngram_probability": -1}, "ngram_probability is -1, expected 0"),
        (
            {"mask_probability": 0.6, "replace_probability": 0.6},
            "at most 1 together",
        ),
        ({"copies": 0}, "copies is 0, expected 1 or more"),
        ({"max_ngram": 0}, "max_ngram is 0, expected 1 or more"),
    ],
)
def test_refuses_what_makes_no_sense(options, message):
    with pytest.raises(tfminilm.UserError, match=message):
        Augmentation(**options)
