"""TinyBERT's copies: which words change, how often, and into what."""

import numpy as np
import pytest

import tfminilm
from tfminilm.data.augment import words
from tfminilm.data.augment.tinybert import Augmentation

TEXT = "The good film is unlikely, and the story sings."
CONTENT = (1, 2, 4, 8, 9)  # Among the words and marks.


def test_candidates_are_likely_or_near(make_augmenter, masked, tokenizer):
    (found,) = make_augmenter([TEXT]).candidates([TEXT])
    assert tuple(found) == CONTENT
    ids = np.asarray(tokenizer(TEXT))
    place = ids.tolist().index(tokenizer.token_to_id("film"))
    assert [found[2]] == masked.likeliest([ids], [(0, place)])
    assert found[4] == ["good", "bad", "fine", "film"]  # Of near vectors.


def test_without_a_model_all_are_near(make_augmenter, vectors):
    (found,) = make_augmenter([TEXT], masked=None).candidates([TEXT])
    assert found[2] == vectors.nearest(["film"], 4)[0]
    assert 9 in found


def test_words_change_as_often_as_told(make_augmenter):
    texts = [(f"{TEXT} {number}",) for number in range(60)]
    augmenter = make_augmenter([t for own in texts for t in own])
    candidates = augmenter.candidates([text for (text,) in texts])
    changed = total = 0
    for number, (new,) in augmenter.augment(texts):
        old = words.split(texts[number][0])
        split = words.split(new)
        assert len(split) == len(old)
        for place, (one, other) in enumerate(zip(split, old, strict=True)):
            if place not in CONTENT:
                assert one.text == other.text
            elif one.text != other.text:
                assert one.text in candidates[number][place]
                changed += 1
        total += len(CONTENT)
    # Of likely words one may be the word itself; copies that change nothing
    # are left out.
    assert 0.3 < changed / total < 0.45


def test_pairs_change_on_one_side_at_a_time(make_augmenter):
    pair = (TEXT, "A dull actor plays.")
    found = make_augmenter(pair, copies=6).augment([pair])
    sides = [
        tuple(a != b for a, b in zip(new, pair, strict=True))
        for _, new in found
    ]
    assert set(sides) == {(True, False), (False, True)}
    assert sides == sorted(sides, reverse=True)
    assert max(sides.count(side) for side in set(sides)) <= 6


def test_copies_differ_and_know_their_example(make_augmenter):
    texts = [("good film",), ("",), ("of the",), ("映画",), ("x" * 200,)]
    augmenter = make_augmenter([t for own in texts for t in own])
    found = augmenter.augment(texts, first=7)
    assert len(set(found)) == len(found)
    assert {number for number, _ in found} == {7}
    assert ("good film",) not in {new for _, new in found}


def test_words_beyond_the_window_stay(make_augmenter):
    text = "film " * 18
    (found,) = make_augmenter([text]).candidates([text])
    assert list(found) == list(range(14))


def test_the_same_seed_gives_the_same_copies(make_augmenter):
    texts = [(f"{TEXT} {number}",) for number in range(6)]
    flat = [text for own in texts for text in own]
    whole = make_augmenter(flat).augment(texts)
    parts = make_augmenter(flat)
    assert whole == parts.augment(texts[:2]) + parts.augment(texts[2:], 2)
    assert whole != make_augmenter(flat, seed=1).augment(texts)
    # Each example has its own chance.
    twice = make_augmenter(flat).augment([texts[0]] * 2)
    first, second = (
        [new for number, new in twice if number == own] for own in (0, 1)
    )
    assert first != second


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"probability": 0.0}, "probability is 0.0, expected 0 to 1, above 0"),
        ({"num_candidates": 0}, "num_candidates is 0, expected 1 or more"),
        ({"copies": 0}, "copies is 0, expected 1 or more"),
    ],
)
def test_refuses_what_makes_no_sense(options, message):
    with pytest.raises(tfminilm.UserError, match=message):
        Augmentation(**options)
