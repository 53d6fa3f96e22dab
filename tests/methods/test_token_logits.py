"""Distillation of the logits of tokens: what counts, in NumPy's float64."""

import keras
import numpy as np
import pytest

import tfminilm
from tfminilm.errors import UserError
from tfminilm.methods import SoftTargets
from tfminilm.students import bert
from tfminilm.tasks.head_models import TokenClassifier, TokenCrossEntropy

CLASSES, BATCH, LENGTH = 3, 4, 6
RNG = np.random.default_rng(0)
MASK = np.arange(LENGTH) < np.array([6, 3, 4, 2])[:, None]
COUNTS = MASK & (RNG.random((BATCH, LENGTH)) < 0.6)
LABELS = RNG.integers(0, CLASSES, (BATCH, LENGTH)).astype("int32")


def model():
    backbone = bert(
        num_layers=1,
        hidden_dim=8,
        num_heads=2,
        vocabulary_size=20,
        max_sequence_length=LENGTH,
        dropout=0.0,
    )
    return TokenClassifier(backbone, CLASSES, dropout=0.0)


@pytest.fixture(scope="module")
def models():
    return model(), model()


def inputs():
    ids = np.random.default_rng(1).integers(0, 20, (BATCH, LENGTH))
    return {
        "token_ids": np.where(MASK, ids, 0).astype("int32"),
        "segment_ids": np.zeros((BATCH, LENGTH), "int32"),
        "padding_mask": MASK.astype("int32"),
    }


def logits(model):
    out = model(inputs(), training=False)["token_logits"]
    return keras.ops.convert_to_numpy(out).astype(np.float64)


def log_softmax(x):
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def divergence(teacher, student):
    p, q = log_softmax(teacher), log_softmax(student)
    return (np.exp(p) * (p - q)).sum(-1)


def entropy(student):
    return -np.take_along_axis(
        log_softmax(student), LABELS[..., None].astype(int), -1
    )[..., 0]


def mean(values, weights):
    return (values * weights).sum() / (weights != 0).sum()


def loss_of(models, method, y, weights=None):
    distiller = tfminilm.Distiller(*models, method)
    distiller.compile("sgd")
    found = distiller.test_on_batch(inputs(), y, weights, return_dict=True)
    return float(found["loss"])


def test_tokens_of_weight_count_alone(models):
    teacher, student = map(logits, models)
    weights = COUNTS.astype("float32")
    both = 4 * mean(divergence(teacher / 2, student / 2), weights)
    both = (both + mean(entropy(student), weights)) / 2
    found = loss_of(models, SoftTargets(), {"token_logits": LABELS}, weights)
    assert found == pytest.approx(both, rel=1e-4)
    # Doubled weights double the loss, as in Keras.
    found = loss_of(models, SoftTargets(), LABELS, 2 * weights)
    assert found == pytest.approx(2 * both, rel=1e-4)


@pytest.mark.parametrize("loss", ["soft_targets", "logits_mse"])
def test_without_weights_all_real_tokens_count(models, loss):
    teacher, student = map(logits, models)
    wanted = divergence(teacher, student)
    if loss == "logits_mse":
        wanted = np.square(teacher - student).mean(-1)
    method = SoftTargets(temperature=1.0, alpha=1.0, loss=loss)
    found = loss_of(models, method, None)
    assert found == pytest.approx(mean(wanted, MASK), rel=1e-4)
    each = np.array([2, 1, 1, 0], "float32")
    found = loss_of(models, method, None, each)
    # As of Keras' losses, the number of examples divides; one of weight 0 and
    # of tokens is still an example.
    expected = (wanted * MASK * each[:, None]).sum() / MASK.sum()
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("weights", [None, MASK.astype("float32")])
def test_labels_of_minus_100_do_not_count(models, weights):
    """As Hugging Face's data sets mark pieces without a label."""
    _, student = map(logits, models)
    y = np.where(COUNTS, LABELS, -100)
    found = loss_of(models, SoftTargets(alpha=0.0), y, weights)
    wanted = mean(entropy(student), COUNTS)
    assert found == pytest.approx(wanted, rel=1e-4)


@pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="compiled graphs are not checked"
)
def test_a_label_that_is_no_class_is_refused(models):
    y = np.where(COUNTS, LABELS, 7)
    for weights in (None, MASK.astype("float32")):
        with pytest.raises(UserError, match="a label is 7"):
            loss_of(models, SoftTargets(alpha=0.0), y, weights)
    # Not where it does not count.
    loss_of(models, SoftTargets(alpha=0.0), y, COUNTS.astype("float32"))


def test_heads_of_other_classes_are_refused(models):
    other = TokenClassifier(model().backbone, CLASSES + 1)
    with pytest.raises(UserError, match="token_logits of 4 classes"):
        tfminilm.Distiller(models[0], other, SoftTargets())


def test_states_do_not_heed_the_weights_of_tokens(models):
    """MiniLM reads all real tokens, as it does of text."""
    method = tfminilm.methods.MiniLM()
    alone = loss_of(models, method, None)
    y = {"token_logits": LABELS}
    assert loss_of(models, method, y, COUNTS.astype("float32")) == (
        pytest.approx(alone, rel=1e-6)
    )


def test_fine_tuning_has_the_same_mean(models):
    _, student = map(logits, models)
    weights = COUNTS.astype("float32")
    found = TokenCrossEntropy()(LABELS, student.astype("float32"), weights)
    wanted = mean(entropy(student), weights)
    assert float(found) == pytest.approx(wanted, rel=1e-4)
    trained = keras.Model(models[1].input, models[1].output)
    trained.compile("sgd", loss={"token_logits": TokenCrossEntropy()})
    found = trained.test_on_batch(inputs(), {"token_logits": LABELS}, weights)
    assert found == pytest.approx(wanted, rel=1e-4)
