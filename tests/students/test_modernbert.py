"""ModernBERT as a student: which layers it starts from, and its sizes."""

import keras
import numpy as np
import pytest

from tfminilm import UserError, students
from tfminilm.students import init_from_teacher

SHAPE = {"num_heads": 2, "vocabulary_size": 40, "max_sequence_length": 64}


def teacher_and_student(num_layers, student_layers, **options):
    keras.utils.set_random_seed(0)
    return (
        students.modernbert(num_layers, 16, **SHAPE),
        students.modernbert(student_layers, 16, **SHAPE | options),
    )


@pytest.mark.parametrize(
    ("layers", "wanted"),
    # Global layers from global ones, the nearest to every second one.
    [("uniform", [0, 4, 5, 6]), ("bottom", [0, 1, 2, 3]), ([6, 1, 2, 3], None)],
)
def test_layers_start_from_those_that_attend_alike(layers, wanted):
    teacher, student = teacher_and_student(8, 4)
    init_from_teacher(student, teacher, layers)
    pairs = [(student.final_norm, teacher.final_norm)]
    pairs.append((student.token_embedding, teacher.token_embedding))
    for layer, index in zip(
        student.transformer_layers, wanted or layers, strict=True
    ):
        source = teacher.transformer_layers[index]
        pairs += [
            (layer.qkv, source.qkv),
            (layer.feedforward, source.feedforward),
            (layer.feedforward_norm, source.feedforward_norm),
        ]
    for one, other in pairs:
        np.testing.assert_array_equal(one.get_weights(), other.get_weights())


def test_layers_that_attend_otherwise_are_refused():
    teacher, student = teacher_and_student(4, 2)
    with pytest.raises(UserError, match=r"teacher's layer 3 .* one of 1, 2"):
        init_from_teacher(student, teacher, [0, 3])
    teacher, student = teacher_and_student(4, 2, local_rope_theta=5.0)
    with pytest.raises(UserError, match=r"rope_theta 5\.0.* the embeddings"):
        init_from_teacher(student, teacher)
    with pytest.raises(UserError, match="one is a TransformerEncoder"):
        init_from_teacher(students.bert(2, 16, **SHAPE), teacher)
    with pytest.raises(UserError, match="one is a GatedEncoder"):
        init_from_teacher(student, students.bert(4, 16, **SHAPE))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"num_heads": 3}, "hidden_dim is 16 and num_heads 3"),
        ({"num_heads": 16}, "heads of an even number"),
        ({"global_every": 0}, "global_every is 0, expected 1 or more"),
    ],
)
def test_sizes_that_do_not_fit(options, sentence):
    with pytest.raises(UserError, match=sentence):
        students.modernbert(1, 16, **SHAPE | options)
