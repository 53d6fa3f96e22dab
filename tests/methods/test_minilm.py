"""MiniLM as a description: which tensors meet in which loss."""

import dataclasses

import pytest

import tfminilm
from tfminilm import losses
from tfminilm.methods import MiniLM


def test_the_last_layer_teaches_the_last_layer():
    value, attention = MiniLM().terms(None, None)
    assert attention.name == "attention_transfer"
    assert attention.loss is losses.attention_transfer
    assert attention.teacher == ("attention_scores", -1)
    assert attention.student == ("attention_scores", -1)
    assert value.name == "value_relation"
    assert value.loss is losses.value_relation
    assert value.teacher == value.student == ("values", -1)
    assert attention.weight == value.weight == 1.0


def test_layers_and_weights_can_be_chosen():
    terms = MiniLM(
        teacher_layer=20,
        student_layer=2,
        attention_weight=0.5,
        value_weight=2.0,
    ).terms(None, None)
    assert [term.weight for term in terms] == [2.0, 0.5]
    assert {term.teacher[1] for term in terms} == {20}
    assert {term.student[1] for term in terms} == {2}


@pytest.mark.parametrize(
    ("weights", "names"),
    [
        ({"attention_weight": 0}, ["value_relation"]),
        ({"value_weight": 0.0}, ["attention_transfer"]),
        ({}, ["value_relation", "attention_transfer"]),
    ],
)
def test_a_term_without_weight_is_left_out(weights, names):
    terms = MiniLM(**weights).terms(None, None)
    assert [term.name for term in terms] == names


def test_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        MiniLM().teacher_layer = 3


def refusal(method, teacher, student):
    with pytest.raises(tfminilm.UserError) as error:
        method.check(teacher, student)
    text = str(error.value)
    assert "\n" not in text
    return text


def test_needs_as_many_heads(make_encoder):
    teacher = make_encoder()
    MiniLM().check(teacher, make_encoder(hidden_dim=16, num_layers=1))
    student = make_encoder(num_heads=2)
    text = refusal(MiniLM(), teacher, student)
    assert "the teacher has 4, the student 2" in text
    assert "num_heads=4" in text


def test_values_alone_need_as_many_heads_too(make_encoder):
    method = MiniLM(attention_weight=0)
    assert "heads" in refusal(method, make_encoder(), make_encoder(num_heads=8))


def test_needs_a_loss(make_encoder):
    model = make_encoder()
    method = MiniLM(attention_weight=0, value_weight=0)
    assert "no loss left" in refusal(method, model, model)
