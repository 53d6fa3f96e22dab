"""Parity: within, or refused with the worst tensor and its sentence."""

import dataclasses
import math

import pytest

from tfminilm.errors import UserError
from tfminilm.export import parity
from tfminilm.export.target import Target

TARGET = Target(name="phone")


def test_float32_is_within(float_file, backbone, tokenizer, sentences):
    found = parity.differences(float_file, backbone, tokenizer, sentences)
    parity.require(found, TARGET)
    # Three sentences and a pair, in two signatures, three outputs each.
    assert len(found) == (3 + 1) * 2 * 3
    summary = parity.summary(found)
    assert set(summary) == {
        "sequence_output",
        "pooled_output",
        "sentence_embedding",
    }
    for row in summary.values():
        assert 0 < row["mean_difference"] <= row["max_difference"] < 1e-4
        assert row["min_cosine"] > 0.9999
        assert row["worst_sentence"].split(" [SEP] ")[0] in sentences


def test_int8_is_near(int8_file, backbone, tokenizer, sentences):
    found = parity.differences(int8_file, backbone, tokenizer, sentences)
    parity.require(found, Target(max_difference=1.0, min_cosine=0.99))
    with pytest.raises(UserError, match=r"target phone allows 0\.0001"):
        parity.require(found, TARGET)


def test_the_pair_uses_the_second_segment(
    float_file, make_backbone, tokenizer, sentences
):
    changed = make_backbone()
    table = changed.segment_embedding.embeddings
    rows = table.numpy()
    rows[1] *= -1
    table.assign(rows)
    found = parity.differences(float_file, changed, tokenizer, sentences)
    wrong = {d.sentence for d in found if d.excess(TARGET) > 1}
    assert wrong == {f"{sentences[0]} [SEP] {sentences[1]}"}


def test_the_message_names_the_sentence(
    float_file, make_backbone, tokenizer, sentences
):
    """A weight that one sentence alone uses is changed after the export."""
    changed = make_backbone()
    table = changed.token_embedding.embeddings
    rows = table.numpy()
    rows[tokenizer.token_to_id("dog")] *= -1
    table.assign(rows)
    found = parity.differences(float_file, changed, tokenizer, sentences)
    with pytest.raises(UserError, match="nothing was written") as caught:
        parity.require(found, TARGET)
    message = str(caught.value)
    assert sentences[2] in message
    assert "\n" not in message
    wrong = {d.sentence for d in found if d.excess(TARGET) > 1}
    assert wrong == {sentences[2]}


def test_the_message_names_the_output(
    float_file, make_backbone, tokenizer, sentences
):
    changed = make_backbone()
    kernel = changed.pooled_dense.kernel
    kernel.assign(kernel + 0.1)
    found = parity.differences(float_file, changed, tokenizer, sentences)
    with pytest.raises(UserError, match="disagree: pooled_output at length"):
        parity.require(found, TARGET)


def test_nan_is_refused(float_file, backbone, tokenizer, sentences):
    found = parity.differences(float_file, backbone, tokenizer, sentences)
    found[1] = dataclasses.replace(found[1], maximum=math.nan)
    with pytest.raises(UserError, match=found[1].output):
        parity.require(found, TARGET)


def test_a_long_sentence_is_cut(float_file, backbone, tokenizer):
    long = "the cat sat on the mat " * 20
    found = parity.differences(float_file, backbone, tokenizer, [long])
    parity.require(found, TARGET)


def test_no_sentences(float_file, backbone, tokenizer):
    with pytest.raises(UserError, match="no sentences"):
        parity.differences(float_file, backbone, tokenizer, [])
