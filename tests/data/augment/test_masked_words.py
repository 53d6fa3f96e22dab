"""The likeliest words of masked places, as of one call for each."""

import numpy as np
import pytest
from keras import ops

from tfminilm.data.augment.masked_words import MaskedWords
from tfminilm.data.masking import whole_words


def likeliest(model, tokenizer, text, place, count=4):
    """One call for one place, without padding."""
    ids = np.array([2, *text, 3], "int32")
    ids[place + 1] = tokenizer.mask_token_id
    inputs = {
        "token_ids": ids[None],
        "segment_ids": np.zeros((1, len(ids)), "int32"),
        "padding_mask": np.ones((1, len(ids)), "int32"),
        "mask_positions": np.array([[place + 1]], "int32"),
    }
    logits = ops.convert_to_numpy(model(inputs, training=False))[0, 0]
    words = whole_words(tokenizer)
    order = [i for i in np.argsort(-logits) if i < len(words) and words[i]]
    return [words[i] for i in order[:count]]


def test_whole_words(tokenizer):
    words = whole_words(tokenizer)
    assert words[:6] == ["", "", "", "", "", "good"]
    assert words[tokenizer.token_to_id("##like")] == ""
    assert words[tokenizer.token_to_id(".")] == ""
    assert words[tokenizer.token_to_id("s")] == "s"


def test_batches_say_what_single_calls_say(masked, masked_lm, tokenizer):
    random = np.random.default_rng(0)
    texts = [
        random.integers(5, 18, size).astype("int32")
        for size in random.integers(1, 11, 30)
    ]
    places = [(t, p) for t, own in enumerate(texts) for p in range(len(own))]
    assert len(places) % 64  # The last batch is filled up.
    found = masked.likeliest(texts, places)
    for (text, place), words in zip(places, found, strict=True):
        if place == 0:
            expected = likeliest(masked_lm, tokenizer, texts[text], place)
            assert words == expected
    assert all(len(set(words)) == 4 for words in found)


def test_long_texts_are_seen_through_a_window(masked, masked_lm, tokenizer):
    text = np.array([*range(5, 18), *range(5, 12)], "int32")
    assert masked.is_visible(13)
    assert not masked.is_visible(14)
    (found,) = masked.likeliest([text], [(0, 13)])
    assert found == likeliest(masked_lm, tokenizer, text[:14], 13)


def test_never_more_than_the_vocabulary_and_the_positions(masked_lm, tokenizer):
    masked = MaskedWords(masked_lm, tokenizer, count=500, max_length=500)
    assert not masked.is_visible(30)
    ((*found,),) = masked.likeliest([np.array([5, 6])], [(0, 1)])
    assert sorted(found) == sorted(filter(None, whole_words(tokenizer)))


@pytest.mark.parametrize(
    ("word", "known"), [("good", True), ("unlikely", False), (".", False)]
)
def test_knows_single_pieces_of_letters(masked, tokenizer, word, known):
    assert masked.is_word(np.asarray(tokenizer(word))) == known
    assert not masked.is_word(np.array([tokenizer.token_to_id("[UNK]")]))
