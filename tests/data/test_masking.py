"""What is masked, how often, and that a step always masks the same."""

import dataclasses
import io

import keras_hub
import numpy as np
import pytest
import sentencepiece

import tfminilm
from tfminilm.data import (
    Masking,
    PackedText,
    masked_batch,
    masked_dataset,
    masked_held_out_batches,
)
from tfminilm.data.masking import smoothed_chances
from tfminilm.errors import UserError

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]"]
PAD, _, CLS, SEP, MASK, UNUSED = range(6)
# Words of one, two and three pieces.
PIECES = ["a", "b", "c", "d", "##x", "##y", "##z"]
LENGTH = 40


@pytest.fixture(scope="module")
def word_piece():
    return keras_hub.models.BertTokenizer(SPECIAL + PIECES, lowercase=True)


@pytest.fixture(scope="module")
def packed():
    random = np.random.default_rng(0)
    words = [[6], [7, 10], [8, 11, 12], [9]]
    rows = []
    for _ in range(32):
        row = [CLS]
        while len(row) < LENGTH - 3:
            row += words[random.integers(4)]

        rows.append([*[*row, 6, 6, 6][: LENGTH - 1], SEP])
    return PackedText(np.array(rows, "int32"), 32 * LENGTH)


def test_a_step_is_a_function_of_seed_and_step(packed, word_piece):
    masking = Masking.of(word_piece)
    one, again, other, seeded = (
        masked_batch(packed, step, 4, seed, masking)[0]
        for step, seed in ((3, 5), (3, 5), (4, 5), (3, 6))
    )
    for name in one:
        np.testing.assert_array_equal(one[name], again[name])
    for changed in (other, seeded):
        assert np.any(one["mask_positions"] != changed["mask_positions"])


def test_an_epoch_masks_anew(packed, word_piece):
    masking = Masking.of(word_piece)
    first, second = (masked_batch(packed, s, 32, 0, masking) for s in (0, 1))
    rows = {tuple(row) for row in first[0]["token_ids"]}
    assert rows.isdisjoint(tuple(row) for row in second[0]["token_ids"])


@pytest.mark.parametrize("whole_words", [True, False])
def test_labels_are_the_text_and_the_rest_stays(
    packed, word_piece, whole_words
):
    masking = Masking.of(word_piece, whole_words=whole_words)
    plain = tfminilm.data.batch(packed, 2, 16, 1)
    x, y, weights = masked_batch(packed, 2, 16, 1, masking)
    assert x["mask_positions"].shape == y.shape == weights.shape == (16, 6)
    restored = x["token_ids"].copy()
    for row, column in np.argwhere(weights > 0):
        restored[row, x["mask_positions"][row, column]] = y[row, column]
    np.testing.assert_array_equal(restored, plain["token_ids"])
    for row in range(16):
        used = x["mask_positions"][row][weights[row] > 0]
        assert len(set(used)) == len(used)
        chosen = plain["token_ids"][row][used]
        assert not np.isin(chosen, [CLS, SEP, PAD, MASK]).any()
    assert not y[weights == 0].any()
    assert {v.dtype.name for v in x.values()} == {"int32"}


def test_eighty_ten_ten(packed, word_piece):
    masking = Masking.of(word_piece, whole_words=False)
    masked = random = same = total = 0
    for step in range(60):
        x, y, weights = masked_batch(packed, step, 32, 0, masking)
        used = weights > 0
        new = np.take_along_axis(x["token_ids"], x["mask_positions"], 1)[used]
        total += used.sum()
        masked += (new == MASK).sum()
        same += (new == y[used]).sum()
        random += ((new != MASK) & (new != y[used])).sum()
        assert not np.isin(new, [PAD, CLS, SEP, UNUSED]).any()
    assert total == 60 * 32 * 6  # 15 % of 40.
    assert masked / total == pytest.approx(0.8, abs=0.01)
    # One of the eight tokens to draw from is the old one.
    drawn = len(PIECES) + 1
    assert random / total == pytest.approx(0.1 * (drawn - 1) / drawn, abs=0.01)
    assert same / total == pytest.approx(0.1 + 0.1 / drawn, abs=0.01)


def words_of(row):
    """Positions of each word of a row of ids."""
    words = []
    for position, token in enumerate(row):
        if token in (CLS, SEP):
            continue
        if token >= 10 and words and words[-1][-1] == position - 1:
            words[-1].append(position)
        else:
            words.append([position])
    return words


@pytest.mark.parametrize("whole_words", [True, False])
def test_words_are_whole_if_they_are_to_be(packed, word_piece, whole_words):
    masking = Masking.of(word_piece, whole_words=whole_words)
    plain = tfminilm.data.batch(packed, 0, 32, 1)["token_ids"]
    x, _, weights = masked_batch(packed, 0, 32, 1, masking)
    torn = 0
    for row in range(32):
        used = set(x["mask_positions"][row][weights[row] > 0].tolist())
        assert 4 <= len(used) <= 6
        for word in words_of(plain[row]):
            torn += 0 < len(used & set(word)) < len(word)
    assert (torn == 0) == whole_words


def test_rare_tokens_are_masked_more_often(word_piece):
    """One of two tokens: in proportion to what their ids' counts give."""
    counts = np.ones(len(SPECIAL + PIECES))
    counts[6], counts[9] = 1000, 10
    masking = dataclasses.replace(
        Masking.of(word_piece, whole_words=False),
        chances=smoothed_chances(counts, 0.7),
    )
    rows = 5_000
    ids = np.tile(np.array([[CLS, 6, 9, SEP]], "int32"), (rows, 1))
    _, labels, weights = masking.apply(
        {"token_ids": ids, "padding_mask": np.ones_like(ids)},
        np.random.default_rng(0),
    )
    assert weights.sum() == rows
    frequent, rare = 1000**-0.7, 10**-0.7
    assert np.mean(labels == 9) == pytest.approx(
        rare / (rare + frequent), abs=0.006
    )


def test_a_second_draw_is_among_the_rest(word_piece):
    """Of three tokens two are drawn, without replacement."""
    chances = np.ones(len(SPECIAL + PIECES))
    chances[[6, 7, 8]] = rates = np.array([5.0, 2.0, 1.0])
    masking = dataclasses.replace(
        Masking.of(word_piece, rate=0.4, whole_words=False), chances=chances
    )
    rows = 5_000
    ids = np.tile(np.array([[CLS, 6, 7, 8, SEP]], "int32"), (rows, 1))
    _, labels, _ = masking.apply(
        {"token_ids": ids, "padding_mask": np.ones_like(ids)},
        np.random.default_rng(0),
    )
    shares = rates / rates.sum()
    # The last one is left out if the other two are drawn in either order.
    left_out = sum(
        shares[a] * shares[b] / (1 - shares[a]) for a, b in ((0, 1), (1, 0))
    )
    found = np.mean((labels != 8).all(axis=1))
    assert found == pytest.approx(left_out, abs=0.02)


def test_all_positions_in_their_order(packed, word_piece):
    """The same tokens are masked; the rest have weight 0."""
    masking = Masking.of(word_piece)
    few, labels, used = masked_batch(packed, 3, 4, 0, masking)
    whole, all_labels, weights = masked_batch(
        packed, 3, 4, 0, dataclasses.replace(masking, at_all=True)
    )
    expected = np.tile(np.arange(LENGTH), (4, 1))
    np.testing.assert_array_equal(whole["mask_positions"], expected)
    for row in range(4):
        chosen = few["mask_positions"][row][used[row] > 0]
        assert set(np.flatnonzero(weights[row])) == set(chosen)
        np.testing.assert_array_equal(
            all_labels[row][chosen], labels[row][used[row] > 0]
        )


def test_padding_is_never_masked_and_short_texts_less(packed, word_piece):
    masking = Masking.of(word_piece, whole_words=False)
    mask = np.zeros((32, LENGTH), "int32")
    mask[:16, :20] = 1
    mask[16:24, :3] = 1
    inputs = {"token_ids": packed.token_ids, "padding_mask": mask}
    x, _, weights = masking.apply(inputs, np.random.default_rng(0))
    np.testing.assert_array_equal(weights.sum(1), [3] * 16 + [1] * 8 + [0] * 8)
    changed = x["token_ids"] != packed.token_ids
    assert changed.any()
    assert not changed[mask == 0].any()


def test_the_dataset_has_the_same_batches(packed, word_piece):
    masking = Masking.of(word_piece)
    found = list(masked_dataset(packed, 4, 9, 2, 3, masking))
    assert len(found) == 3
    for step, (x, y, weights) in enumerate(found, 2):
        expected = masked_batch(packed, step, 4, 9, masking)
        assert x.keys() == expected[0].keys()
        for name, value in expected[0].items():
            np.testing.assert_array_equal(x[name], value)
            assert x[name].shape == value.shape
        np.testing.assert_array_equal(y, expected[1])
        np.testing.assert_array_equal(weights, expected[2])


def test_without_steps_each_reading_is_another_epoch(packed, word_piece):
    masking = Masking.of(word_piece)
    epochs = masked_dataset(packed, 5, masking=masking)
    length = -(-packed.num_sequences // 5)
    for first in (0, length):
        found = [labels for _, labels, _ in epochs]
        assert len(found) == epochs.cardinality() == length
        for step, labels in enumerate(found, first):
            expected = masked_batch(packed, step, 5, 0, masking)
            np.testing.assert_array_equal(labels, expected[1])


def test_a_masked_dataset_without_masking_is_refused(packed):
    with pytest.raises(UserError, match=r"give masking=Masking\.of"):
        masked_dataset(packed, 4)


def test_held_out_batches_are_always_the_same(packed, word_piece):
    masking = Masking.of(word_piece)
    one, again = (
        masked_held_out_batches(packed, 8, masking, count=2) for _ in "ab"
    )
    assert len(one) == 2
    for a, b in zip(one, again, strict=True):
        np.testing.assert_array_equal(a[0]["token_ids"], b[0]["token_ids"])
        np.testing.assert_array_equal(a[1], b[1])
    training = masked_batch(packed, 0, 8, 0, masking)
    assert np.any(training[0]["mask_positions"] != one[0][0]["mask_positions"])


@pytest.fixture(scope="module")
def sentence_piece():
    """XLM-R's tokenizer on a small vocabulary of two scripts."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(
            ["the teacher teaches the taught", "学生学习老师教学", "teaching"]
            * 4
        ),
        model_writer=model,
        vocab_size=40,
        hard_vocab_limit=False,
        bos_id=0,
        pad_id=1,
        eos_id=2,
        unk_id=3,
        minloglevel=2,
    )
    return keras_hub.models.XLMRobertaTokenizer(proto=model.getvalue())


def test_sentence_piece(sentence_piece):
    tokenizer = sentence_piece
    masking = Masking.of(tokenizer)
    assert masking.mask_id == tokenizer.mask_token_id
    assert not np.isin(masking.replacements, tokenizer.special_token_ids).any()
    pieces = tokenizer.get_vocabulary()
    starts = dict(zip(pieces, masking.starts_word, strict=True))
    latin = [p for p in pieces if p.isascii() and p.isalpha()]
    assert latin
    assert not any(starts[piece] for piece in latin)
    assert all(starts[p] for p in pieces if p.startswith("▁"))
    chinese = [p for p in pieces if "一" <= p[0] <= "鿿"]
    assert chinese
    assert all(starts[piece] for piece in chinese)
    ids = np.array(tokenizer("the teacher teaches the taught")).astype("int32")
    packed = PackedText(np.tile(ids, (8, 1)), ids.size * 8)
    x, y, weights = masked_batch(packed, 0, 8, 0, masking)
    assert (weights.sum(1) <= masking.num_predictions(len(ids))).all()
    assert (x["token_ids"] == masking.mask_id).any()
    assert y.max() > 0


def test_without_pieces_each_token_is_a_word():
    tokenizer = keras_hub.models.BertTokenizer(
        [*SPECIAL, "a", "b"], lowercase=True
    )
    assert Masking.of(tokenizer).starts_word.all()


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1])
def test_refuses_a_rate_that_makes_no_sense(rate, word_piece):
    with pytest.raises(tfminilm.UserError, match="masking rate is"):
        Masking.of(word_piece, rate=rate)


def test_refuses_a_vocabulary_without_a_mask(sentence_piece):
    proto = sentence_piece.proto
    plain = keras_hub.tokenizers.SentencePieceTokenizer(proto=proto)
    with pytest.raises(tfminilm.UserError, match="has no mask token") as error:
        Masking.of(plain)
    assert "\n" not in str(error.value)
