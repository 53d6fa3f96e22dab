import numpy as np
import pytest

from tfminilm import data
from tfminilm.data import shards
from tfminilm.data.shards.instances import Layout
from tfminilm.errors import UsageError, UserError

COPIES = {"masked_copies": 3, "mask_rate": 0.2, "whole_words": False}


@pytest.fixture(scope="module", params=[False, True], ids=["alone", "pairs"])
def with_copies(request, prepared, make_shards, tmp_path_factory):
    folder = tmp_path_factory.mktemp("copies") / "shards"
    text, pairs = prepared.parent / "text", request.param
    make_shards(text, folder, next_sentence=pairs, **COPIES)
    return folder, pairs


def batch(folder, pairs, tokenizer, step=0):
    """A batch and the sequences that it was made of."""
    text = shards.open_shards(folder, tokenizer, 16).train
    layout = text.layout(0.2, False, pairs)
    masked = data.masked_batch(text.records, step, 64, 0, layout)
    return masked, data.batch(text, step, 64, 0)["token_ids"]


def test_the_text_is_the_same(with_copies, prepared, tokenizer):
    folder, _ = with_copies
    ours = shards.open_shards(folder, tokenizer, 16)
    theirs = shards.open_shards(prepared, tokenizer, 16)
    for name in ("train", "held_out"):
        ours_, theirs_ = getattr(ours, name), getattr(theirs, name)
        np.testing.assert_array_equal(ours_.token_ids[:], theirs_.token_ids[:])
        assert ours_.sequence_length == 16


def test_copies_are_masked_sequences(with_copies, tokenizer):
    folder, pairs = with_copies
    (x, y, weights), plain = batch(folder, pairs, tokenizer)
    labels = y["logits"] if pairs else y
    assert x["mask_positions"].shape == labels.shape == (64, 3)
    assert weights.sum(axis=1).min() >= 1
    restored = x["token_ids"].copy()
    rows, places = np.nonzero(weights)
    restored[rows, x["mask_positions"][rows, places]] = labels[rows, places]
    assert (x["token_ids"] != restored).any(axis=1).mean() > 0.7
    if not pairs:
        np.testing.assert_array_equal(restored, plain)
        assert not x["segment_ids"].any()
        return
    is_first = x["segment_ids"] == 0
    lengths = is_first.sum(axis=1)
    assert (np.diff(x["segment_ids"], axis=1) >= 0).all()
    for row, length in enumerate(lengths):
        # The first text, the mark behind it, and the second text.
        assert (restored[row, : length - 1] == plain[row, : length - 1]).all()
        assert restored[row, length - 1] == 3
        follows = plain[row, length - 1 : -2]
        is_next = (restored[row, length:-1] == follows).all()
        assert is_next == (y["next_sentence_logits"][row] == 0)


def test_a_sequence_has_several_copies(with_copies, tokenizer):
    folder, pairs = with_copies
    seen: dict[bytes, set[bytes]] = {}
    for step in range(40):
        (x, *_), plain = batch(folder, pairs, tokenizer, step)
        for row, ids in zip(plain, x["token_ids"], strict=True):
            seen.setdefault(row.tobytes(), set()).add(ids.tobytes())
    assert {len(copies) for copies in seen.values()} <= {1, 2, 3}
    assert np.mean([len(copies) for copies in seen.values()]) > 2
    again, _ = batch(folder, pairs, tokenizer, 39)
    np.testing.assert_array_equal(again[0]["token_ids"], x["token_ids"])


def test_masked_in_another_way(with_copies, tokenizer):
    folder, pairs = with_copies
    text = shards.open_shards(folder, tokenizer, 16).train
    with pytest.raises(UserError, match=r"mask_rate=0.2, .* asks for 0.15"):
        text.layout(0.15, False, pairs)
    with pytest.raises(UserError, match="without --masked_copies"):
        text.layout(0.2, False, not pairs)


def test_pairs_are_of_copies(make_shards, text, tmp_path):
    with pytest.raises(UsageError, match="--masked_copies with it"):
        make_shards(text, tmp_path / "shards", next_sentence=True)


def test_without_copies_a_record_is_the_sequence():
    settings = shards.Settings("docs", "tiny:bert", sequence_length=9)
    assert Layout.of(settings).width == 9
