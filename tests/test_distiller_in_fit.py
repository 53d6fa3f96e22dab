"""`Distiller.fit` beside Keras' own on the same data: a row for each case.

With labels alone, or with one teacher's classes alone, distilling is what
Keras does to the student with a loss of its own: the rows of losses and the
weights after training have to be the same.
"""

import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

import tfminilm
from tfminilm.methods import SoftTargets

EAGER = keras.backend.backend() == "tensorflow"
# It compiles every step: values are not looked at.
ON_JAX = keras.backend.backend() == "jax"
ROWS, LENGTH, VOCABULARY, CLASSES = 5, 4, 20, 3
LABELS = np.array([0, 2, 1, 2, 0])
IDS = np.random.default_rng(0).integers(1, VOCABULARY, (ROWS, LENGTH))
IDS = IDS.astype("int32")
WEIGHTS = np.array([0.5, 2.0, 0.0, 1.0, 3.0], "float32")
CLASS_WEIGHT = {0: 1.0, 1: 5.0, 2: 0.25}
SPARSE = keras.losses.SparseCategoricalCrossentropy
HARD = SoftTargets(alpha=0.0)


def classifier(seed=0, ending=None, units=CLASSES, **options):
    """A text classifier that knows nothing of KerasHub."""
    tokens = keras.Input((LENGTH,), dtype="int32", name="token_ids")
    states = keras.layers.Embedding(VOCABULARY, 6)(tokens)
    states = keras.layers.GlobalAveragePooling1D()(states)
    output = keras.layers.Dense(6, activation="tanh", name="hidden")(states)
    activation = ending if isinstance(ending, str) else None
    output = keras.layers.Dense(units, activation, name="top", **options)(
        output
    )
    if callable(ending):
        output = ending(output)
    model = keras.Model(tokens, output)
    random = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(random.normal(size=weight.shape))
    return model


def fit(model, x=IDS, y=LABELS, optimizer=None, **options):
    """The losses of two epochs of small batches, the last one smaller."""
    settings = {"batch_size": 2, "epochs": 2, "shuffle": False, "verbose": 0}
    return model.fit(x, y, **settings | options).history


def compiled(model, loss=None, **options):
    more = {"loss": loss} if loss is not None else {}
    settings = {"run_eagerly": EAGER, **more, **options}
    model.compile(keras.optimizers.SGD(0.5), **settings)
    return model


def distiller(student, method=HARD, teacher=None, **options):
    teacher = teacher or classifier(9)
    return compiled(tfminilm.Distiller(teacher, student, method), **options)


def assert_same(ours, theirs, rtol=1e-4):
    for one, other in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(
            ops.convert_to_numpy(one),
            ops.convert_to_numpy(other),
            rtol=rtol,
            atol=1e-5,
        )


def one_hot(labels):
    return np.eye(CLASSES, dtype="float32")[labels]


REGULARISED = {"kernel_regularizer": "l2", "activity_regularizer": "l1"}
CASES = {
    "labels": {},
    "labels of a column": {"y": LABELS[:, None]},
    "one-hot labels": {
        "y": one_hot(LABELS),
        "loss": keras.losses.CategoricalCrossentropy(from_logits=True),
    },
    "weights": {"fit": {"sample_weight": WEIGHTS}},
    "weights of a column": {"fit": {"sample_weight": WEIGHTS[:, None]}},
    "weights below 0": {"fit": {"sample_weight": -WEIGHTS}},
    "classes": {"fit": {"class_weight": CLASS_WEIGHT}},
    "classes, one by one": {
        "fit": {"class_weight": CLASS_WEIGHT, "batch_size": 1}
    },
    "regularised": {"student": REGULARISED},
    "softmax": {"student": {"ending": "softmax"}, "loss": SPARSE()},
    "softmax layer": {
        "student": {"ending": keras.layers.Softmax()},
        "loss": SPARSE(),
    },
    "activation layer": {
        "student": {"ending": keras.layers.Activation("softmax")},
        "loss": SPARSE(),
    },
    "softmax operation": {"student": {"ending": ops.softmax}, "loss": SPARSE()},
    "sigmoid": {
        "student": {"ending": "sigmoid", "units": 1},
        "loss": keras.losses.BinaryCrossentropy(),
        "y": LABELS % 2,
        "teacher": {"ending": "sigmoid", "units": 1},
    },
    "score": {
        "student": {"units": 1},
        "loss": "mse",
        "y": LABELS[:, None] / 2,
        "teacher": {"units": 1},
    },
}


@pytest.mark.parametrize("name", CASES)
def test_trains_as_keras_does(name):
    case = CASES[name]
    student, twin = (classifier(1, **case.get("student", {})) for _ in "ab")
    teacher = classifier(9, **case.get("teacher", {}))
    loss = case.get("loss", SPARSE(from_logits=True))
    data = {"y": case.get("y", LABELS), **case.get("fit", {})}
    theirs = fit(compiled(twin, loss), **data)
    ours = fit(distiller(student, teacher=teacher), **data)
    np.testing.assert_allclose(ours["loss"], theirs["loss"], rtol=1e-5)
    assert_same(student, twin)


class Subclassed(keras.Model):
    """A teacher that shows no graph."""

    def __init__(self, ending=None, seed=9):
        super().__init__()
        self.model = classifier(seed)
        self.ending = ending and keras.layers.Activation(ending)

    def call(self, tokens):
        logits = self.model(tokens)
        return self.ending(logits) if self.ending else logits


def built(ending=None):
    model = Subclassed(ending)
    model(IDS)
    return model


def nested():
    inside = keras.Sequential(
        [keras.Input((CLASSES,)), keras.layers.Activation("softmax")]
    )
    return classifier(9, inside)


TEACHERS = {
    "logits": lambda: classifier(9),
    "softmax": lambda: classifier(9, "softmax"),
    "log-softmax": lambda: classifier(
        9, keras.layers.Activation("log_softmax")
    ),
    "softmax in a model inside": nested,
    "softmax in another precision": lambda: classifier(
        9, lambda x: keras.layers.Activation("linear")(ops.softmax(x))
    ),
    "subclassed": built,
    "subclassed softmax": lambda: built("softmax"),
}


@pytest.mark.parametrize("name", TEACHERS)
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_learns_the_classes_of_any_teacher(name, weights):
    """T² KL(q_teacher ‖ q_student) is Keras' own loss on softened classes."""
    if name == "subclassed softmax" and ON_JAX:
        pytest.skip("JAX keeps no logits: refused, as tested below")
    student, twin = classifier(1), classifier(1)
    softened = ops.softmax(classifier(9)(IDS) / 2.0)

    def loss(y, logits):
        return 4.0 * keras.losses.kl_divergence(y, ops.softmax(logits / 2.0))

    theirs = fit(
        compiled(twin, loss),
        y=ops.convert_to_numpy(softened),
        sample_weight=weights,
    )
    model = distiller(student, SoftTargets(2.0, 1.0), TEACHERS[name]())
    ours = fit(model, y=None, sample_weight=weights)
    np.testing.assert_allclose(ours["loss"], theirs["loss"], rtol=1e-4)
    assert_same(student, twin)


def test_the_students_own_loss_is_added():
    """The method's with a factor of 1, and `loss` with its own."""
    student, twin = classifier(1, "softmax"), classifier(1, "softmax")
    method = SoftTargets(1.0, 1.0)
    taught = ops.convert_to_numpy(ops.softmax(classifier(9)(IDS)))

    def loss(y, found):
        soft = keras.losses.kl_divergence(y[:, :CLASSES], found)
        hard = keras.losses.categorical_crossentropy(y[:, CLASSES:], found)
        return soft + 0.3 * hard

    both = np.concatenate([taught, one_hot(LABELS)], 1)
    theirs = fit(compiled(twin, loss), y=both, sample_weight=WEIGHTS)
    model = distiller(
        student,
        method,
        loss="sparse_categorical_crossentropy",
        loss_weights=0.3,
        metrics=["accuracy"],
        weighted_metrics=["accuracy"],
    )
    ours = fit(model, sample_weight=WEIGHTS)
    np.testing.assert_allclose(ours["loss"], theirs["loss"], rtol=1e-4)
    np.testing.assert_allclose(
        np.array(ours["soft_targets"]) + ours["student_loss"],
        ours["loss"],
        rtol=1e-5,
    )
    assert_same(student, twin)
    logs = model.evaluate(IDS, {"y": LABELS}, verbose=0, return_dict=True)
    compiled(twin, SPARSE(), metrics=["accuracy"])
    expected = twin.evaluate(IDS, LABELS, verbose=0, return_dict=True)
    assert logs["accuracy"] == pytest.approx(expected["accuracy"])
    assert logs["student_loss"] == pytest.approx(0.3 * expected["loss"])
    compiled(model)  # And without it, no part of the student runs for it.
    assert set(fit(model)) == {"loss", "soft_targets"}


def test_a_loss_needs_labels():
    model = distiller(classifier(1), SoftTargets(alpha=1.0), loss="mse")
    with pytest.raises(tfminilm.UserError, match="compile got a loss") as error:
        fit(model, y=None)
    assert "\n" not in str(error.value)


def test_freezes_and_unfreezes_as_keras_does():
    student, twin = classifier(1), classifier(1)
    student.get_layer("hidden").trainable = False
    twin.get_layer("hidden").trainable = False
    ours = distiller(student)
    compiled(twin, SPARSE(from_logits=True))
    for is_free in (False, True, False):
        for model in (student, twin):
            model.get_layer("hidden").trainable = is_free
        compiled(ours)
        compiled(twin, SPARSE(from_logits=True))
        frozen = ops.convert_to_numpy(student.get_layer("hidden").kernel)
        fit(ours)
        fit(twin)
        assert_same(student, twin)
        now = ops.convert_to_numpy(student.get_layer("hidden").kernel)
        assert np.array_equal(now, frozen) != is_free


def test_losses_of_the_teacher_do_not_count():
    teacher = classifier(9, **REGULARISED)
    plain, regularised = (
        fit(distiller(classifier(1), SoftTargets(), model))
        for model in (classifier(9), teacher)
    )
    assert plain["loss"] == pytest.approx(regularised["loss"])


REFUSED = {
    "below 0": (LABELS - 1, "a label is -1, expected class numbers from 0"),
    "from 1": (LABELS + 1, "a label is 3, expected class numbers from 0"),
    "of other classes": (np.zeros((ROWS, 5)), "labels have the shape"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("eagerly", [True, False])
def test_refuses_labels(name, eagerly):
    labels, told = REFUSED[name]
    model = distiller(classifier(1), run_eagerly=eagerly)
    if not eagerly and ON_JAX and labels.ndim == 1:
        assert np.isnan(fit(model, y=labels)["loss"]).any()
        return
    with pytest.raises(tfminilm.UserError, match=told) as error:
        fit(model, y=labels)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("eagerly", [True, False])
def test_a_label_without_weight_may_be_anything(eagerly):
    model = distiller(classifier(1), run_eagerly=eagerly)
    ours, theirs = (
        model.test_on_batch(IDS, labels, WEIGHTS)
        for labels in (LABELS, np.where(WEIGHTS > 0, LABELS, -1))
    )
    assert ours == pytest.approx(theirs)
    assert np.isfinite(ours).all()


@pytest.mark.parametrize("shape", [(ROWS, 2), (ROWS, 1, 1)])
def test_refuses_weights_of_another_shape(shape):
    model = distiller(classifier(1))
    told = "sample_weight has the shape"
    with pytest.raises(tfminilm.UserError, match=told) as error:
        model.train_on_batch(IDS, LABELS, np.ones(shape))
    assert "\n" not in str(error.value)


SEVERAL = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0], [0, 0, 1]])


def test_several_labels_are_keras_binary_cross_entropy():
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    plain = compiled(classifier(1), loss)
    expected = fit(plain, y=SEVERAL, sample_weight=WEIGHTS)
    student = classifier(1, "sigmoid")
    model = distiller(student, HARD, classifier(0, "sigmoid"))
    losses = fit(model, y=SEVERAL, sample_weight=WEIGHTS)
    np.testing.assert_allclose(losses["loss"], expected["loss"], rtol=1e-5)
    for ours, theirs in zip(student.weights, plain.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_several_labels_are_not_classes():
    models = [classifier(0, "sigmoid"), classifier(1)]
    told = "logits of 3 labels, each for itself, the student logits of 3 cla"
    with pytest.raises(tfminilm.UserError, match=told):
        tfminilm.Distiller(*models, SoftTargets())
    model = distiller(classifier(1, "sigmoid"), HARD, models[0])
    with pytest.raises(tfminilm.UserError, match="one number for each label"):
        model.train_on_batch(IDS, LABELS)


def test_refuses_a_subclassed_model_where_it_cannot_learn_of_it():
    with pytest.raises(tfminilm.UserError, match="no weights yet"):
        tfminilm.Distiller(Subclassed(), classifier(1), SoftTargets())
    with pytest.raises(tfminilm.UserError, match="is a subclassed model"):
        tfminilm.Distiller(classifier(9), built(), SoftTargets())
    student = classifier(1, units=4)
    with pytest.raises(tfminilm.UserError, match="expected the same classes"):
        fit(distiller(student, SoftTargets(alpha=1.0), built()), y=None)
    if ON_JAX:
        model = distiller(classifier(1), SoftTargets(), built("softmax"))
        with pytest.raises(tfminilm.UserError, match="shows no logits"):
            fit(model)


def test_a_failed_fit_leaves_the_models_whole():
    teacher, student = classifier(9), classifier(1)
    soft = SoftTargets(1.0, 0.5)
    before = [ops.convert_to_numpy(w) for w in teacher.weights]
    for run in ("fit", "evaluate"):
        model = distiller(student, soft, teacher, run_eagerly=False)
        with pytest.raises(tfminilm.UserError, match="the batch has none"):
            getattr(model, run)(IDS, verbose=0)
    for weight, old in zip(teacher.weights, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(weight), old)
    ours = fit(distiller(student, soft, teacher))
    theirs = fit(distiller(classifier(1), soft, classifier(9)))
    assert ours["loss"] == pytest.approx(theirs["loss"])


@pytest.mark.skipif(not EAGER, reason="tf.distribute is TensorFlow's")
def test_a_last_batch_may_be_smaller_than_the_replicas():
    script = pathlib.Path(__file__).with_name("uneven_replicas.py")
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found) == 6
    for name, (one, two) in found.items():
        assert two == pytest.approx(one, rel=1e-5, abs=1e-6), name
        assert np.all(np.isfinite(one))
