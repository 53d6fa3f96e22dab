"""DistilBERT's student: its size, and its start from a BERT."""

import keras_hub
import numpy as np
import pytest

import tfminilm
from tfminilm import students
from tfminilm.teachers.expose import encoder_calls, expose


def test_is_kerashubs_own_of_the_papers_size():
    student = students.distilbert(vocabulary_size=30522)
    assert type(student) is keras_hub.models.DistilBertBackbone
    assert set(student.input) == {"token_ids", "padding_mask"}
    assert student.count_params() == pytest.approx(66e6, rel=0.01)


def test_starts_from_every_second_layer(make_encoder):
    teacher = make_encoder("bert", num_layers=6)
    student = make_encoder("distil_bert", num_layers=3, seed=1)
    students.init_from_teacher(student, teacher)
    for ours, theirs in zip(
        encoder_calls(student), encoder_calls(teacher)[1::2], strict=True
    ):
        for one, other in zip(
            ours.layer.weights, theirs.layer.weights, strict=True
        ):
            np.testing.assert_array_equal(one, other)


def test_as_deep_as_its_teacher_it_computes_the_same(
    make_encoder, make_batch, run
):
    """Of one segment, since it has no others."""
    teacher = make_encoder("bert", num_layers=2)
    student = make_encoder("distil_bert", num_layers=2, seed=1)
    students.init_from_teacher(student, teacher)
    batch = make_batch(teacher)
    batch["segment_ids"][:] = 0
    states = {"hidden_states": [0, 2]}
    theirs = run(expose(teacher, states), batch)
    read = {name: batch[name] for name in student.input}
    ours = run(expose(student, states), read)
    # KerasHub's BERT approximates GELU, its DistilBERT does not.
    for name, tolerance in (
        ("hidden_states/0", 1e-5),
        ("hidden_states/2", 2e-3),
    ):
        np.testing.assert_allclose(ours[name], theirs[name], atol=tolerance)


def test_a_shorter_one_takes_the_first_positions(make_encoder):
    teacher = make_encoder("bert")
    student = make_encoder("distil_bert", seed=1, max_sequence_length=10)
    students.init_from_teacher(student, teacher)
    theirs = teacher.get_layer("position_embedding").position_embeddings
    segment = teacher.get_layer("segment_embedding").embeddings
    np.testing.assert_allclose(
        student.embeddings.position_embedding.position_embeddings,
        np.array(theirs)[:10] + np.array(segment)[0],
    )


def test_refuses_another_width(make_encoder):
    student = make_encoder("distil_bert", hidden_dim=16)
    with pytest.raises(tfminilm.UserError, match="shapes differ") as error:
        students.init_from_teacher(student, make_encoder("bert"))
    assert "\n" not in str(error.value)
