"""A student's first weights, taken from its teacher."""

import keras
import numpy as np
import pytest

import tfminilm
from tfminilm.private.encoders import encoder_parts
from tfminilm.students import init_from_teacher
from tfminilm.teachers.expose import encoder_calls


@pytest.fixture(scope="module")
def teacher(make_encoder):
    """Shared: no test changes it."""
    return make_encoder(num_layers=6)


@pytest.fixture
def student(make_encoder):
    return make_encoder(num_layers=3, seed=1, dropout=0.3)


def values(layer):
    return [np.array(w) for w in layer.weights]


def same(one, other):
    return all(map(np.array_equal, values(one), values(other)))


def sources(student, teacher):
    """For each of the student's layers, the teacher's it equals, if any."""
    theirs = [call.layer for call in encoder_calls(teacher)]
    return [
        next((i for i, t in enumerate(theirs) if same(call.layer, t)), None)
        for call in encoder_calls(student)
    ]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("uniform", [1, 3, 5]),
        ("bottom", [0, 1, 2]),
        ([0, 2, 5], [0, 2, 5]),
        ((5, -2, 0), [5, 4, 0]),
        ([3, 3, -6], [3, 3, 0]),
        (range(3), [0, 1, 2]),
        ("embeddings", [None, None, None]),
    ],
)
def test_takes_the_layers_it_is_told(teacher, student, layers, expected):
    before = [values(call.layer) for call in encoder_calls(student)]
    init_from_teacher(student, teacher, layers)
    assert sources(student, teacher) == expected
    if layers == "embeddings":
        for call, old in zip(encoder_calls(student), before, strict=True):
            assert all(map(np.array_equal, values(call.layer), old))


@pytest.mark.parametrize("layers", ["uniform", "embeddings", [0, 1, 2]])
def test_takes_embeddings_norm_and_pooler(teacher, student, layers):
    init_from_teacher(student, teacher, layers)
    for name in (
        "token_embedding",
        "segment_embedding",
        "position_embedding",
        "embeddings_layer_norm",
        "pooled_dense",
    ):
        assert same(student.get_layer(name), teacher.get_layer(name)), name


def test_uniform_is_the_default(teacher, student):
    init_from_teacher(student, teacher)
    assert sources(student, teacher) == [1, 3, 5]


def test_a_student_as_deep_as_its_teacher_computes_the_same(
    make_encoder, make_batch, run
):
    teacher, student = make_encoder(), make_encoder(seed=1)
    init_from_teacher(student, teacher)
    batch = make_batch(teacher)
    ours, theirs = run(student, batch), run(teacher, batch)
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-6)


def test_layers_with_another_activation_are_refused(make_encoder, student):
    teacher = make_encoder(num_layers=3)

    def take(function, layers="uniform"):
        for call in encoder_calls(teacher):
            encoder_parts(call.layer).intermediate.activation = function
        init_from_teacher(student, teacher, layers)

    take(keras.activations.gelu)  # The exact one, or nearly the student's.
    take(keras.activations.relu, "embeddings")
    with pytest.raises(tfminilm.UserError, match="their activations differ"):
        take(keras.activations.relu)


def test_values_are_copied_and_not_shared(teacher, student):
    init_from_teacher(student, teacher)
    held = {id(w) for w in teacher.weights}
    assert not any(id(w) in held for w in student.weights)
    before = values(teacher)
    for weight in student.weights:
        weight.assign(weight + 1.0)
    assert all(map(np.array_equal, values(teacher), before))


def test_the_student_keeps_its_architecture(teacher, student):
    config = student.get_config()
    init_from_teacher(student, teacher)
    assert student.get_config() == config


def test_a_shorter_position_table_takes_the_first_rows(teacher, make_encoder):
    student = make_encoder(num_layers=3, seed=1, max_sequence_length=10)
    init_from_teacher(student, teacher)
    ours, theirs = (
        values(model.get_layer("position_embedding"))[0]
        for model in (student, teacher)
    )
    np.testing.assert_array_equal(ours, theirs[:10])


@pytest.mark.parametrize("kind", ["roberta", "xlm_roberta", "distil_bert"])
def test_other_encoders_start_from_their_own_kind(
    kind, make_encoder, make_batch, run
):
    teacher = make_encoder(kind, num_layers=2)
    student = make_encoder(kind, num_layers=2, seed=1)
    init_from_teacher(student, teacher)
    batch = make_batch(teacher)
    np.testing.assert_allclose(
        run(student, batch)["sequence_output"],
        run(teacher, batch)["sequence_output"],
        atol=1e-6,
    )


@pytest.mark.parametrize("kind", ["roberta", "xlm_roberta", "distil_bert"])
def test_both_tables_in_a_layer(kind, make_encoder):
    teacher = make_encoder(kind, num_layers=2)
    student = make_encoder(kind, 1, num_layers=2, max_sequence_length=10)
    init_from_teacher(student, teacher)
    for name in ("token_embedding", "position_embedding"):
        ours, theirs = (
            values(getattr(model.embeddings, name))[0]
            for model in (student, teacher)
        )
        np.testing.assert_array_equal(ours, theirs[: len(ours)])


def refusal(student, teacher, layers="uniform"):
    """The line of refusal; nothing is copied before it."""
    before = values(student)
    with pytest.raises(tfminilm.UserError) as error:
        init_from_teacher(student, teacher, layers)
    assert all(map(np.array_equal, values(student), before))
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("layers", "parts"),
    [
        ([0, 1], ["[0, 1]", "3 teacher layers"]),
        ([], ["3 teacher layers"]),
        ("top", ["'top'", "'uniform', 'bottom', 'embeddings'"]),
        ([0, 1, 6], ["no layer 6", "0 to 5"]),
        ([0, 1, -7], ["no layer -7"]),
    ],
)
def test_refuses_layers_that_do_not_fit(teacher, student, layers, parts):
    text = refusal(student, teacher, layers)
    for part in parts:
        assert part in text


def test_refuses_uniform_where_it_does_not_divide(teacher, make_encoder):
    text = refusal(make_encoder(num_layers=4), teacher)
    assert "every k-th of 6 layers for 4" in text
    assert "every k-th of 6 layers for 8" in refusal(
        make_encoder(num_layers=8), teacher
    )


def test_refuses_more_layers_than_there_are(teacher, make_encoder):
    text = refusal(make_encoder(num_layers=8), teacher, "bottom")
    assert "cannot take the 8 lowest of 6 layers" in text


@pytest.mark.parametrize(
    "sizes",
    [
        {"hidden_dim": 16},
        {"intermediate_dim": 48},
        {"vocabulary_size": 90},
        {"num_heads": 2},
        {"max_sequence_length": 30},
    ],
)
def test_refuses_other_sizes(teacher, make_encoder, sizes):
    student = make_encoder(num_layers=3, **sizes)
    text = refusal(student, teacher)
    assert "cannot initialise" in text


def test_refuses_a_teacher_of_another_kind(student, make_encoder):
    teacher = make_encoder("roberta", num_layers=6)
    assert "RobertaBackbone" in refusal(student, teacher)
