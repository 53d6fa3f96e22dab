"""`Distiller` on models with heads: labels, weights, layers, projections."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

import tfminilm
from tfminilm import losses
from tfminilm.methods import Term
from tfminilm.teachers import expose

SMALL = {"num_layers": 2, "dropout": 0.0, "hidden_dim": 16}
EAGER = keras.backend.backend() == "tensorflow"
LOGITS = ("logits", -1)


@dataclasses.dataclass
class Terms:
    """A method of any terms."""

    of: tuple

    def check(self, teacher, student):
        pass

    def terms(self, teacher, student):
        return self.of


def soft(teacher, student, mask, sample_weight=None):
    return losses.soft_targets(teacher, student, 2.0, sample_weight)


def hard(labels, student, mask, sample_weight=None):
    if sample_weight is None:
        sample_weight = ops.ones(ops.shape(labels))
    return losses.masked_lm(student, labels, sample_weight)


def hidden(teacher, student, mask, sample_weight=None):
    return losses.hidden_mse(teacher, student, mask, sample_weight)


SOFT = Term("soft", soft, LOGITS, LOGITS, 0.3)
HARD = Term("hard", hard, None, LOGITS, 0.7)
STATES = Term("states", hidden, ("hidden_states", -1), ("hidden_states", -1))


def distil(teacher, student, *terms, optimizer=None, **options):
    distiller = tfminilm.Distiller(teacher, student, Terms(terms))
    optimizer = optimizer or keras.optimizers.SGD(0.05)
    distiller.compile(optimizer, **{"run_eagerly": EAGER} | options)
    return distiller


def test(distiller, *batch):
    return distiller.test_on_batch(*batch, return_dict=True)


test.__test__ = False


def numpy(x):
    return ops.convert_to_numpy(x)


def test_labels_are_a_teacher_too(make_head, make_batch):
    models = [make_head("classifier", seed=i, **SMALL) for i in range(2)]
    batch = make_batch(models[0])
    labels = np.array([0, 2, 1])
    theirs, ours = (m(batch, training=False) for m in models)
    softness = float(numpy(soft(theirs, ours, None)))
    logs = numpy(ops.log_softmax(ours))
    hardness = float(np.mean([-logs[i, k] for i, k in enumerate(labels)]))
    expected = {
        "soft": softness,
        "hard": hardness,
        "loss": 0.3 * softness + 0.7 * hardness,
    }
    distiller = distil(*models, SOFT, HARD)
    assert test(distiller, batch, labels) == pytest.approx(expected, rel=1e-4)
    # A dict of one, as tasks' batches have, is the same.
    named = test(distiller, batch, {"labels": labels})
    assert named == pytest.approx(expected, rel=1e-4)


def test_labels_of_several_outputs_go_by_name(make_head, make_batch):
    model = make_head("spans", **SMALL)
    start, end = (
        Term(name, hard, None, (f"{name}_logits", -1))
        for name in ("start", "end")
    )
    batch = make_batch(model)
    y = {"end_logits": np.array([1, 2, 0]), "start_logits": np.array([0, 1, 0])}
    logs = test(distil(model, model, start, end), batch, y)
    outputs = model(batch, training=False)
    for name in ("start", "end"):
        key = f"{name}_logits"
        assert logs[name] == pytest.approx(
            float(hard(y[key], outputs[key], None)), rel=1e-4
        )


def test_labels_alone_need_no_teacher(make_head, make_batch, count_calls):
    teacher, student = (
        make_head("classifier", seed=i, **SMALL) for i in (1, 2)
    )
    distiller = distil(teacher, student, HARD)
    called = count_calls()
    test(distiller, make_batch(teacher), np.array([0, 2, 1]))
    assert id(student.backbone.token_embedding) in called
    assert id(teacher.backbone.token_embedding) not in called


def test_says_when_labels_are_missing(make_head, make_batch):
    model = make_head("classifier", **SMALL)
    distiller = distil(model, model, HARD)
    with pytest.raises(tfminilm.UserError, match="the batch has none") as error:
        distiller.test_on_batch(make_batch(model))
    assert "\n" not in str(error.value)


def test_one_pass_of_each_and_the_right_weights(
    make_head, make_batch, count_calls
):
    models = [make_head("masked_lm", seed=i, **SMALL) for i in range(2)]
    distiller = distil(*models, SOFT, HARD, STATES)
    batch = make_batch(models[0])
    labels = np.ones((3, 2), "int32")
    before = {w.path: numpy(w) for w in models[1].weights}
    taught = [numpy(w) for w in models[0].weights]
    counts = count_calls()
    distiller.train_on_batch(batch, labels)
    for model in models:  # The head embeds in reverse.
        assert counts.pop(id(model.backbone.token_embedding)) == 2
        assert id(model.backbone.pooled_dense) not in counts
    assert set(counts.values()) == {1}
    moved = {
        w.path
        for w in models[1].weights
        if not np.array_equal(numpy(w), before[w.path])
    }
    pooler = {w.path for w in models[1].backbone.pooled_dense.weights}
    assert moved == set(before) - pooler
    for weight, old in zip(models[0].weights, taught, strict=True):
        np.testing.assert_array_equal(numpy(weight), old)


def test_weights_of_masked_tokens_are_for_the_head(make_head, make_batch):
    models = [make_head("masked_lm", seed=i, **SMALL) for i in range(2)]
    distiller = distil(*models, SOFT, HARD, STATES)
    batch = make_batch(models[0])
    labels = np.ones((3, 2), "int32")
    weights = np.array([[1, 0], [1, 1], [0, 0]], "float32")
    noise = np.where(weights > 0, batch["mask_positions"], 0)
    plain = test(distiller, batch, labels, weights)
    other = test(distiller, batch | {"mask_positions": noise}, labels, weights)
    assert plain == pytest.approx(other, rel=1e-5)
    unweighted = test(distiller, batch, labels)
    assert plain["states"] == pytest.approx(unweighted["states"], rel=1e-5)
    assert plain["hard"] != pytest.approx(unweighted["hard"], rel=1e-3)


def test_metrics_and_losses_share_one_pass(make_head, make_batch, count_calls):
    models = [make_head("classifier", seed=i, **SMALL) for i in range(2)]
    distiller = distil(
        *models, SOFT, STATES, metrics=["accuracy"], run_eagerly=True
    )
    batch = make_batch(models[0])
    best = np.argmax(numpy(models[1](batch, training=False)), -1)
    labels = np.where([True, False, True], best, (best + 1) % 3)
    test(distiller, batch, labels)
    counts = count_calls()
    logs = test(distiller, batch, labels)
    assert logs["accuracy"] == pytest.approx(2 / 3)
    assert set(counts.values()) == {1}


def test_several_layers_meet_as_lists(make_encoder, make_batch, run):
    models = make_encoder(**SMALL), make_encoder(seed=1, **SMALL)

    def patient(teacher, student, mask, sample_weight=None):
        teacher, student = (
            ops.stack([states[:, 0] for states in each], axis=1)
            for each in (teacher, student)
        )
        return losses.patient(teacher, student, sample_weight)

    layers = ("hidden_states", (1, -1))
    batch = make_batch(models[0])
    logs = test(distil(*models, Term("pt", patient, layers, layers)), batch)
    theirs, ours = (
        np.stack(
            list(run(expose(m, {"hidden_states": [1, 2]}), batch).values()), 1
        )[:, :, 0]
        for m in models
    )
    assert logs["pt"] == pytest.approx(
        float(losses.patient(theirs, ours)), rel=1e-4
    )


@pytest.fixture
def projected(make_encoder):
    """A student half as wide as its teacher, two terms, one projection."""
    teacher = make_encoder(num_layers=1)
    student = make_encoder(seed=1, **SMALL | {"num_layers": 1})
    terms = [
        Term(
            f"h{i}",
            hidden,
            ("hidden_states", i),
            ("hidden_states", i),
            projection="up",
        )
        for i in range(2)
    ]
    return distil(teacher, student, *terms)


def test_a_projection_meets_the_teachers_width(projected, make_batch, run):
    batch = make_batch(projected.teacher)
    logs = test(projected, batch)
    theirs, ours = (
        run(expose(m, {"hidden_states": [1]}), batch)["hidden_states/1"]
        for m in (projected.teacher, projected.student)
    )
    (kernel,) = projected.projections["up"].weights
    assert kernel.shape == (16, 32)
    expected = losses.hidden_mse(
        theirs, ours @ numpy(kernel), batch["padding_mask"]
    )
    assert logs["h1"] == pytest.approx(float(expected), rel=1e-4)


def test_a_projection_is_trained_and_not_saved(projected, make_batch, tmp_path):
    batch = make_batch(projected.teacher)
    (kernel,) = projected.projections["up"].weights
    before = numpy(kernel)
    first = projected.train_on_batch(batch, return_dict=True)["loss"]
    assert not np.array_equal(numpy(kernel), before)
    assert test(projected, batch)["loss"] < first
    trained = [v.path for v in projected.trainable_variables]
    assert trained.count(kernel.path) == 1
    assert kernel.path in {v.path for v in projected.own_variables}
    own = {id(v) for v in projected.own_variables}
    assert own.isdisjoint(id(v) for v in projected.teacher.variables)
    projected.save(tmp_path / "student.keras")
    loaded = keras.models.load_model(tmp_path / "student.keras")
    assert len(loaded.weights) == len(projected.student.weights)


def test_vocabularies_of_heads_are_compared(make_head):
    teacher = make_head("classifier", **SMALL)
    student = make_head("classifier", vocabulary_size=90, **SMALL)
    with pytest.raises(tfminilm.UserError, match="100 and 90 tokens"):
        distil(teacher, student, SOFT)
