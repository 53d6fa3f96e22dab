"""What a step of `Distiller` computes, and what it leaves alone."""

import keras
import numpy as np
import pytest
from keras import ops

import tfminilm
from tfminilm import losses
from tfminilm.methods import MiniLM, Term
from tfminilm.private.encoders import encoder_parts
from tfminilm.teachers import expose

TERMS = ("attention_transfer", "value_relation")
SMALL = {"num_layers": 1, "dropout": 0.0, "hidden_dim": 16}


@pytest.fixture(scope="module")
def make_distiller(make_encoder):
    """Makes a compiled distiller of small models.

    On TensorFlow it runs eagerly if not told otherwise: a test of one or two
    steps waits for no tracing then.
    """
    eager = keras.backend.backend() == "tensorflow"

    def make(teacher=None, student=None, method=None, **options):
        teacher = teacher or make_encoder(**SMALL)
        student = student or make_encoder(seed=1, **SMALL)
        distiller = tfminilm.Distiller(teacher, student, method or MiniLM())
        optimizer = keras.optimizers.SGD(0.05)
        settings = {"optimizer": optimizer, "run_eagerly": eager} | options
        distiller.compile(**settings)
        return distiller

    return make


def step(distiller, batch, **options):
    return distiller.train_on_batch(batch, return_dict=True, **options)


def test(distiller, batch, **options):
    return distiller.test_on_batch(batch, return_dict=True, **options)


test.__test__ = False


def weights(model):
    return [ops.convert_to_numpy(w) for w in model.weights]


def assert_same_weights(one, other, **tolerance):
    for a, b in zip(weights(one), weights(other), strict=True):
        np.testing.assert_allclose(a, b, **(tolerance or {"rtol": 0}))


def test_the_loss_is_the_methods(make_distiller, make_encoder, make_batch):
    teacher = make_encoder(num_layers=3)
    student = make_encoder(seed=1, num_layers=2, hidden_dim=16, dropout=0.0)
    method = MiniLM(-2, 1, attention_weight=0.5, value_weight=3.0)
    distiller = make_distiller(teacher, student, method)
    batch = make_batch(teacher)
    mask = batch["padding_mask"]
    taught, learnt = (
        expose(model, {"attention_scores": [1], "values": [1]})(batch)
        for model in (teacher, student)
    )
    expected = {
        name: ops.convert_to_numpy(
            getattr(losses, name)(taught[key], learnt[key], mask)
        ).item()
        for name, key in zip(
            TERMS, ("attention_scores/1", "values/1"), strict=True
        )
    }
    expected["loss"] = 0.5 * expected[TERMS[0]] + 3 * expected[TERMS[1]]
    assert test(distiller, batch) == pytest.approx(expected, rel=1e-5)
    assert step(distiller, batch) == pytest.approx(expected, rel=1e-5)


def test_a_step_goes_down_the_gradient(make_distiller, make_batch):
    """To first order a step of SGD lowers the loss by |step|^2 / rate."""
    distiller = make_distiller(optimizer=keras.optimizers.SGD(1e-5))
    batch = make_batch(distiller.teacher)
    before = weights(distiller.student)
    loss = step(distiller, batch)["loss"]
    # A hundred such steps at once, well above float32's noise.
    for weight, old in zip(distiller.student.weights, before, strict=True):
        weight.assign(old + 100 * (ops.convert_to_numpy(weight) - old))
    squared = sum(
        np.sum(np.square((new - old).astype("float64")))
        for new, old in zip(weights(distiller.student), before, strict=True)
    )
    fall = loss - test(distiller, batch)["loss"]
    assert fall == pytest.approx(squared / 1e-3, rel=0.05)


@pytest.mark.parametrize("train", [True, False])
def test_one_pass_of_each_a_step(
    train, make_distiller, make_encoder, make_batch, count_calls
):
    teacher, student = make_encoder(num_layers=3), make_encoder(seed=1)
    method = MiniLM(teacher_layer=1, student_layer=1)
    distiller = make_distiller(teacher, student, method, run_eagerly=True)
    batch = make_batch(teacher)
    run = step if train else test
    run(distiller, batch)
    counts = count_calls()
    run(distiller, batch)
    assert set(counts.values()) == {1}
    for model in (teacher, student):
        assert counts[id(model.token_embedding)] == 1
        assert counts[id(model.embeddings_layer_norm)] == 1
        above = [model.pooled_dense, *model.transformer_layers[2:]]
        for layer in above:
            for part in layer._flatten_layers():
                assert counts[id(part)] == 0


def test_nothing_above_the_last_tensor_counts(
    make_distiller, make_encoder, make_batch
):
    """Weights above it may even be NaN."""
    teacher, student = make_encoder(), make_encoder(seed=1)
    method = MiniLM(teacher_layer=0, student_layer=1)
    batch = make_batch(teacher)
    expected = test(make_distiller(teacher, student, method), batch)
    for model, tapped in ((teacher, 0), (student, 1)):
        attention = encoder_parts(model.transformer_layers[tapped]).attention
        parts = [
            attention.output_dense,
            encoder_parts(model.transformer_layers[tapped]).intermediate,
            *model.transformer_layers[tapped + 1 :],
            model.pooled_dense,
        ]
        for weight in (w for part in parts for w in part.weights):
            weight.assign(ops.full(weight.shape, np.nan))
    distiller = make_distiller(teacher, student, method)
    assert test(distiller, batch) == pytest.approx(expected)
    step(distiller, batch)
    below = [student.token_embedding, student.transformer_layers[0]]
    for layer in below:
        for weight in weights(layer):
            assert np.all(np.isfinite(weight))


def test_trains_what_a_loss_depends_on_and_no_more(
    make_distiller, make_encoder, make_batch
):
    teacher, student = make_encoder(), make_encoder(seed=1)
    optimizer = keras.optimizers.AdamW(0.01, weight_decay=0.5)
    distiller = make_distiller(
        teacher, student, MiniLM(student_layer=1), optimizer=optimizer
    )
    before = {w.path: ops.convert_to_numpy(w) for w in student.weights}
    taught = weights(teacher)
    for _ in range(2):
        step(distiller, make_batch(teacher))
    changed = {
        w.path
        for w in student.weights
        if not np.array_equal(ops.convert_to_numpy(w), before[w.path])
    }
    trained = {w.path for w in distiller.trainable_variables}
    first, second, _ = student.transformer_layers
    attention = encoder_parts(second).attention
    expected = {w.path for w in first.weights}
    for part in ("query_dense", "key_dense", "value_dense"):
        expected |= {w.path for w in getattr(attention, part).weights}
    expected |= {path for path in before if "embedding" in path}
    assert trained == changed == expected
    assert all(map(np.array_equal, weights(teacher), taught))
    assert not teacher.trainable_variables


def test_the_teacher_runs_without_dropout(
    make_distiller, make_encoder, make_batch
):
    teacher = make_encoder(dropout=0.5)
    twin = make_encoder(dropout=0.0)
    distiller = make_distiller(teacher, twin)
    states = [ops.convert_to_numpy(v) for v in teacher.non_trainable_variables]
    assert step(distiller, make_batch(teacher))["loss"] < 1e-5
    for old, new in zip(states, teacher.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(old, ops.convert_to_numpy(new))


def test_the_student_runs_with_dropout_in_training_alone(
    make_distiller, make_encoder, make_batch
):
    teacher = make_encoder(num_layers=1)
    student = make_encoder(num_layers=1, dropout=0.5)
    distiller = make_distiller(
        teacher, student, optimizer=keras.optimizers.SGD(0.0)
    )
    batch = make_batch(teacher)
    assert test(distiller, batch)["loss"] < 1e-5
    noisy = [step(distiller, batch)["loss"] for _ in range(2)]
    assert min(noisy) > 1e-3
    assert noisy[0] != noisy[1]


def test_a_weightless_example_is_absent(make_distiller, make_batch):
    with_it, without = make_distiller(), make_distiller()
    batch = make_batch(with_it.teacher)
    two = {name: value[:2] for name, value in batch.items()}
    # As Keras counts: the mean is over three examples.
    weight = np.array([1.5, 1.5, 0.0])
    first = test(with_it, batch, sample_weight=weight)
    assert first == pytest.approx(test(without, two), rel=1e-5)
    step(with_it, batch, sample_weight=weight)
    step(without, two)
    assert_same_weights(with_it.student, without.student, rtol=1e-5, atol=1e-6)


def test_sample_weight_makes_a_weighted_mean(make_distiller, make_batch):
    distiller = make_distiller()
    batch = make_batch(distiller.teacher)
    singles = [
        test(distiller, {k: v[i : i + 1] for k, v in batch.items()})["loss"]
        for i in range(3)
    ]
    weight = np.array([0.2, 3.0, 1.0])
    value = test(distiller, batch, sample_weight=weight)["loss"]
    assert value == pytest.approx(np.mean(singles * weight), rel=1e-5)


def test_accumulated_gradients_are_those_of_the_large_batch(
    make_distiller, make_batch
):
    whole = make_distiller()
    halves = make_distiller(
        optimizer=keras.optimizers.SGD(0.05, gradient_accumulation_steps=2)
    )
    batch = make_batch(whole.teacher, lengths=(9, 4, 1, 6))
    step(whole, batch)
    start = weights(halves.student)
    step(halves, {name: value[:2] for name, value in batch.items()})
    assert all(map(np.array_equal, weights(halves.student), start))
    step(halves, {name: value[2:] for name, value in batch.items()})
    assert_same_weights(whole.student, halves.student, rtol=1e-5, atol=1e-6)


def test_padding_and_order_change_nothing(make_distiller, make_batch):
    plain, changed = make_distiller(), make_distiller()
    batch = make_batch(plain.teacher)
    longer = make_batch(plain.teacher, total=13)
    noise = np.random.default_rng(3).integers(5, 100, (3, 13))
    tokens = np.where(longer["padding_mask"], longer["token_ids"], noise)
    longer["token_ids"] = tokens.astype("int32")
    longer = {name: value[[2, 0, 1]] for name, value in longer.items()}
    one, other = step(plain, batch), step(changed, longer)
    assert one == pytest.approx(other, rel=1e-5)
    assert_same_weights(plain.student, changed.student, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("teacher", "student"),
    [
        ("roberta", "xlm_roberta"),
        ("roberta", "distil_bert"),
        ("albert", "bert"),
        ("bert", "albert"),
    ],
)
def test_other_encoders(
    teacher, student, make_distiller, make_encoder, make_batch
):
    teacher = make_encoder(teacher, num_layers=2)
    student = make_encoder(student, seed=1, num_layers=2, dropout=0.0)
    distiller = make_distiller(teacher, student)
    batch = make_batch(teacher)
    start = step(distiller, batch)["loss"]
    for _ in range(3):
        step(distiller, batch)
    assert test(distiller, batch)["loss"] < start


@pytest.mark.parametrize(
    ("teacher", "student"),
    [
        ("electra", "bert"),
        ("bert", "distil_bert"),
    ],
)
def test_encoders_that_differ_more(
    teacher, student, make_distiller, make_encoder, make_batch
):
    teacher = make_encoder(teacher, num_layers=1)
    distiller = make_distiller(teacher, make_encoder(student, num_layers=1))
    assert step(distiller, make_batch(teacher))["loss"] > 0


def test_says_which_input_the_data_lacks(
    make_distiller, make_encoder, make_batch
):
    teacher = make_encoder("distil_bert", num_layers=1)
    distiller = make_distiller(teacher, make_encoder("bert", num_layers=1))
    with pytest.raises(tfminilm.UserError, match="the batch has no segment_id"):
        step(distiller, make_batch(teacher))


class Feature(keras.distillation.DistillationLoss):
    """The ecosystem's own kind of loss."""

    def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
        return ops.mean(ops.square(teacher_outputs - student_outputs))


class OneTerm:
    """A method of one term on the last hidden states."""

    def __init__(self, loss):
        self.loss = loss

    def check(self, teacher, student):
        pass

    def terms(self, teacher, student):
        states = ("hidden_states", -1)
        return (Term("feature", self.loss, states, states, weight=2.0),)


def test_takes_a_keras_distillation_loss(make_distiller, make_batch, run):
    distiller = make_distiller(method=OneTerm(Feature()))
    batch = make_batch(distiller.teacher)
    logs = test(distiller, batch)
    tops = [
        run(model, batch)["sequence_output"]
        for model in (distiller.teacher, distiller.student)
    ]
    assert logs["feature"] == pytest.approx(np.mean((tops[0] - tops[1]) ** 2))
    assert logs["loss"] == pytest.approx(2 * logs["feature"])


def refusal(make_distiller, *models):
    with pytest.raises(tfminilm.UserError) as error:
        make_distiller(*models)
    text = str(error.value)
    assert "\n" not in text
    return text


def test_refuses_other_heads(make_distiller, make_encoder):
    teacher, student = make_encoder(), make_encoder(num_heads=2)
    text = refusal(make_distiller, teacher, student)
    assert "the teacher has 4, the student 2" in text
    assert teacher.trainable  # Nothing is changed by a refusal.


def test_refuses_another_vocabulary(make_distiller, make_encoder):
    teacher, student = make_encoder(), make_encoder(vocabulary_size=90)
    text = refusal(make_distiller, teacher, student)
    assert "100 and 90 tokens" in text
    assert "vocabulary_size=100" in text
    assert teacher.trainable


def test_refuses_another_vocabulary_of_electra(make_distiller, make_encoder):
    models = make_encoder("electra"), make_encoder("electra", vocab_size=90)
    assert "100 and 90 tokens" in refusal(make_distiller, *models)


def test_refuses_a_layer_that_does_not_exist(make_distiller, make_encoder):
    with pytest.raises(tfminilm.UserError, match="layer 7"):
        make_distiller(method=MiniLM(teacher_layer=7))


@pytest.mark.parametrize("side", [0, 1])
def test_refuses_what_is_no_encoder(side, make_distiller, make_encoder):
    models = [make_encoder(), make_encoder()]
    models[side] = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    text = refusal(make_distiller, *models)
    assert "expected a KerasHub encoder backbone" in text
