"""Parity: within, or refused with the worst tensor and its sentence."""

import dataclasses
import math

import numpy as np
import pytest

from tfminilm.errors import UserError
from tfminilm.export.check import calibration, parity
from tfminilm.export.litert.runner import LiteRTEncoder
from tfminilm.export.target import Target

TARGET = Target(name="phone")


@pytest.fixture(scope="module")
def float_encoder(float_file):
    return LiteRTEncoder(float_file)


@pytest.fixture(scope="module")
def texts(sentences):
    return calibration.of_sentences(sentences)


def test_float32_is_within(
    float_encoder, backbone, tokenizer, sentences, texts
):
    found = parity.differences(float_encoder, backbone, tokenizer, texts)
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
        assert 0 < row.mean_difference <= row.max_difference < 1e-4
        assert row.min_cosine > 0.9999
        assert row.worst_sentence.split(" [SEP] ")[0] in sentences


def test_int8_is_near(int8_file, backbone, tokenizer, texts):
    found = parity.differences(
        LiteRTEncoder(int8_file), backbone, tokenizer, texts
    )
    parity.require(found, Target(max_difference=1.0, min_cosine=0.99))
    with pytest.raises(UserError, match=r"target phone allows 0\.0001"):
        parity.require(found, TARGET)


def test_the_pair_uses_the_second_segment(
    float_encoder, make_backbone, tokenizer, sentences, texts
):
    changed = make_backbone()
    table = changed.segment_embedding.embeddings
    rows = table.numpy()
    rows[1] *= -1
    table.assign(rows)
    found = parity.differences(float_encoder, changed, tokenizer, texts)
    wrong = {d.sentence for d in found if d.excess(TARGET) > 1}
    assert wrong == {f"{sentences[0]} [SEP] {sentences[1]}"}


def test_the_message_names_the_sentence(
    float_encoder, make_backbone, tokenizer, sentences, texts
):
    """A weight that one sentence alone uses is changed after the export."""
    changed = make_backbone()
    table = changed.token_embedding.embeddings
    rows = table.numpy()
    rows[tokenizer.token_to_id("dog")] *= -1
    table.assign(rows)
    found = parity.differences(float_encoder, changed, tokenizer, texts)
    with pytest.raises(UserError, match="LiteRT and Keras") as caught:
        parity.require(found, TARGET)
    message = str(caught.value)
    assert sentences[2] in message
    assert "\n" not in message
    wrong = {d.sentence for d in found if d.excess(TARGET) > 1}
    assert wrong == {sentences[2]}


def test_the_message_names_the_output(
    float_encoder, make_backbone, tokenizer, texts
):
    changed = make_backbone()
    kernel = changed.pooled_dense.kernel
    kernel.assign(kernel + 0.1)
    found = parity.differences(float_encoder, changed, tokenizer, texts)
    with pytest.raises(UserError, match="disagree: pooled_output at length"):
        parity.require(found, TARGET)


def test_nan_is_refused(float_encoder, backbone, tokenizer, texts):
    found = parity.differences(float_encoder, backbone, tokenizer, texts)
    found[1] = dataclasses.replace(found[1], maximum=math.nan)
    with pytest.raises(UserError, match=found[1].output):
        parity.require(found, TARGET)


def test_a_long_sentence_is_cut(float_encoder, backbone, tokenizer):
    long = "the cat sat on the mat " * 20
    found = parity.differences(float_encoder, backbone, tokenizer, [(long,)])
    parity.require(found, TARGET)


def test_no_sentences(float_encoder, backbone, tokenizer):
    with pytest.raises(UserError, match="no sentences"):
        parity.differences(float_encoder, backbone, tokenizer, [])


def differences_of(outputs, agrees):
    return [
        parity.Difference(name, 8, "a text", 1e-5, 1e-6, 1.0, same)
        for name in outputs
        for same in agrees
    ]


def test_large_states_are_compared_in_units_of_their_size():
    for size, wanted in ((100.0, 0.02), (0.01, 2.0)):
        values = np.full((3, 4), size)
        pair = parity._Pair("sequence_output", "a text", values + 2.0, values)
        assert pair.difference(8, None).maximum == pytest.approx(wanted)


def test_too_few_answers_agree():
    found = differences_of(["logits"], [True, True, False, False])
    assert parity.summary(found)["logits"].agreement == 0.5
    parity.require(found, Target(min_agreement=0.5))
    message = "logits gives another answer in 2 of 4 cases, .* allows 10%"
    with pytest.raises(UserError, match=message):
        parity.require(found, Target(min_agreement=0.9))


def test_the_text_of_another_answer_is_named():
    """It need not be the one that differs most."""
    found = differences_of(["logits"], [True, False, False])
    for index, largest in enumerate((9e-5, 1e-5, 2e-5)):
        found[index] = dataclasses.replace(
            found[index], maximum=largest, sentence=f"text {index}"
        )
    target = Target(min_agreement=0.9)
    assert parity.worst_of(found, target) is found[1]
    with pytest.raises(UserError, match="in 2 of 3 cases, such as 'text 1'"):
        parity.require(found, target)
    assert parity.worst_of(found, Target(min_agreement=0.3)) is found[0]


def test_each_output_has_to_agree():
    found = differences_of(["start_logits"], [True, True])
    found += differences_of(["end_logits"], [False, True])
    with pytest.raises(UserError, match="end_logits gives another answer"):
        parity.require(found, Target(min_agreement=0.6))


def test_what_is_no_answer_needs_no_agreement():
    found = differences_of(["pooled_output"], [None])
    parity.require(found, TARGET)
    assert parity.summary(found)["pooled_output"].agreement is None
