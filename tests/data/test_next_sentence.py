"""Pairs of texts: what follows what, and what is said of it."""

import numpy as np
import pytest

from tfminilm.data import Masking, PackedText, SentencePairs, masked_dataset
from tfminilm.data.masking import masked_batch
from tfminilm.errors import UserError

CLS, SEP, MASK, STOP = 0, 1, 2, 3
LENGTH = 24


@pytest.fixture(scope="module")
def pairs():
    special = np.arange(2000) < STOP
    return SentencePairs(SEP, special, np.arange(2000) == STOP)


def texts(count, stops=(10,)):
    """Sequences of ids that count up, so that each tells its place."""
    ids = 10 + np.arange(LENGTH) + 30 * np.arange(count)[:, None]
    ids[:, 0], ids[:, -1] = CLS, SEP
    ids[:, list(stops)] = STOP
    return ids.astype("int32")


def apply(pairs, ids, seed=0):
    ones = np.ones_like(ids)
    inputs = {"token_ids": ids, "segment_ids": 0 * ones, "padding_mask": ones}
    return pairs.apply(inputs, np.random.default_rng(seed))


def test_the_second_text_follows_or_begins_another(pairs):
    ids = texts(20)
    found, labels = apply(pairs, ids)
    assert set(labels) == {0, 1}
    for row, (new, segments, label) in enumerate(
        zip(found["token_ids"], found["segment_ids"], labels, strict=True)
    ):
        own = ids[row]
        # Behind the sentence's end stands the end of the first text.
        assert list(new[:11]) == list(own[:11])
        assert new[11] == new[-1] == SEP
        assert list(segments) == [0] * 12 + [1] * 12
        second = new[12:-1]
        if label == 0:
            assert list(second) == list(own[11:22])
        else:
            (other,) = np.flatnonzero((ids[:, 1:12] == second).all(axis=1))
            assert other != row
    assert (found["padding_mask"] == 1).all()
    assert ids.shape == found["token_ids"].shape


def test_of_two_sequences_it_is_the_other(pairs):
    ids = texts(2)
    for seed in range(20):
        found, labels = apply(pairs, ids, seed)
        for row in np.flatnonzero(labels):
            second = found["token_ids"][row, 12:-1]
            np.testing.assert_array_equal(second, ids[1 - row, 1:12])


def test_half_of_them_follow(pairs):
    labels = np.concatenate(
        [apply(pairs, texts(50), seed)[1] for seed in range(40)]
    )
    assert labels.mean() == pytest.approx(0.5, abs=0.04)


def test_a_cut_is_behind_one_of_the_sentences(pairs):
    def cuts(stops):
        segments = apply(pairs, texts(50, stops))[0]["segment_ids"]
        return set(np.argmax(segments, axis=1) - 1)

    assert cuts((8, 12)) == {9, 13}
    # Not at the sides, nor between two documents; else in the middle.
    assert cuts((2, 22)) == cuts(()) == {12}
    ids = texts(2, (8,))
    ids[:, 9] = SEP
    found, _ = apply(pairs, ids)
    assert (np.argmax(found["segment_ids"], axis=1) == 13).all()


def test_one_sequence_has_no_other(pairs):
    with pytest.raises(UserError, match="gradient_accumulation, to be 2 or m"):
        apply(pairs, texts(1))


def test_masked_pairs(pairs):
    """Both labels, the same in a dataset; neither end of a text is masked."""
    masking = Masking(
        mask_id=MASK,
        is_special=pairs.is_special,
        starts_word=np.ones(2000, bool),
        replacements=np.arange(10, 1000, dtype="int32"),
        rate=0.4,
    )
    packed = PackedText(texts(30), 30 * LENGTH)
    given = packed, 4, 7
    x, labels, weights = masked_batch(packed, 3, 4, 7, masking, pairs)
    assert set(labels) == {"logits", "next_sentence_logits"}
    assert labels["next_sentence_logits"].shape == (4,)
    assert labels["logits"].shape == weights.shape == x["mask_positions"].shape
    assert (x["token_ids"] == SEP).sum() == 2 * 4
    (again,) = masked_dataset(*given, 3, 1, masking, pairs)
    for theirs, ours in zip(again, (x, labels, weights), strict=True):
        if isinstance(ours, dict):
            assert set(theirs) == set(ours)
            for name, value in ours.items():
                np.testing.assert_array_equal(theirs[name], value)
        else:
            np.testing.assert_array_equal(theirs, ours)


def test_what_a_vocabulary_says(make_tokenizer):
    tokenizer = make_tokenizer(["a", ".", "?"])
    found = SentencePairs.of(tokenizer)
    assert found.end_id == tokenizer.sep_token_id
    ends = [tokenizer.token_to_id(piece) for piece in (".", "?")]
    assert list(np.flatnonzero(found.ends_sentence)) == sorted(ends)
    assert found.is_special[tokenizer.cls_token_id]
    assert not found.is_special[tokenizer.token_to_id("a")]
