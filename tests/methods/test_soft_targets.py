"""Soft targets on classes, scores and answers' places."""

import keras
import numpy as np
import pytest
import scipy.special

import tfminilm
from tfminilm.methods import SoftTargets, Term

LABELS = np.array([0, 2, 1])


def log_softmax(x):
    return scipy.special.log_softmax(np.asarray(x, "float64"), axis=-1)


def softened(theirs, ours, temperature):
    p, q = log_softmax(theirs / temperature), log_softmax(ours / temperature)
    return temperature**2 * (np.exp(p) * (p - q)).sum(-1)


def test_classes(heads, make_batch, outputs, evaluate):
    teacher, student = heads("classifier")
    batch = make_batch(teacher)
    theirs, ours = (outputs(m, batch) for m in (teacher, student))
    soft = softened(theirs, ours, 3.0).mean()
    hard = -log_softmax(ours)[np.arange(3), LABELS].mean()
    method = SoftTargets(temperature=3.0, alpha=0.7)
    assert evaluate(method, teacher, student, batch, LABELS) == pytest.approx(
        {
            "soft_targets": soft,
            "hard_labels": hard,
            "loss": 0.7 * soft + 0.3 * hard,
        },
        rel=1e-4,
    )


def test_logits_themselves(heads, make_batch, outputs, evaluate):
    teacher, student = heads("classifier")
    batch = make_batch(teacher)
    theirs, ours = (outputs(m, batch) for m in (teacher, student))
    logs = evaluate(
        SoftTargets(alpha=1, loss="logits_mse"), teacher, student, batch
    )
    squares = np.mean((theirs - ours) ** 2)
    assert logs == pytest.approx(
        {"logits_mse": squares, "loss": squares}, rel=1e-4
    )


def test_a_score_is_no_distribution(heads, make_batch, outputs, evaluate):
    teacher, student = heads("classifier", num_classes=1)
    batch = make_batch(teacher)
    theirs, ours = (outputs(m, batch) for m in (teacher, student))
    y = np.array([0.5, 3.0, 4.5], "float32")
    weight = np.array([1.0, 0.0, 2.0], "float32")
    logs = evaluate(SoftTargets(), teacher, student, batch, y, weight)
    soft = np.average((theirs - ours)[:, 0] ** 2, weights=weight)
    hard = np.average((y - ours[:, 0]) ** 2, weights=weight)
    assert logs == pytest.approx(
        {
            "soft_targets": soft,
            "hard_labels": hard,
            "loss": (soft + hard) / 2,
        },
        rel=1e-4,
    )


@pytest.mark.parametrize("kind", ["soft_targets", "logits_mse"])
def test_places_of_answers(kind, heads, make_batch, outputs, evaluate):
    """Starts and ends are classes; padding is no place."""
    teacher, student = heads("spans")
    batch = make_batch(teacher)
    lengths = batch["padding_mask"].sum(1)
    y = {"start_logits": np.array([0, 3, 0]), "end_logits": np.array([8, 1, 0])}
    expected = {}
    every = [outputs(m, batch) for m in (teacher, student)]
    for name, labels in y.items():
        soft, hard = [], []
        for row, length in enumerate(lengths):
            theirs, ours = (each[name][row, :length] for each in every)
            if kind == "soft_targets":
                soft.append(softened(theirs, ours, 2.0))
            else:
                soft.append(np.mean((theirs - ours) ** 2))
            hard.append(-log_softmax(ours)[labels[row]])
        side = name.removesuffix("_logits")
        expected[f"{kind}_{side}"] = np.mean(soft)
        expected[f"hard_labels_{side}"] = np.mean(hard)
    expected["loss"] = sum(expected.values()) / 4
    method = SoftTargets(loss=kind)
    logs = evaluate(method, teacher, student, batch, y)
    assert logs == pytest.approx(expected, rel=1e-4)
    longer = make_batch(teacher, total=12)
    padded = evaluate(method, teacher, student, longer, y)
    assert padded == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("kind", ["soft_targets", "logits_mse"])
def test_padding_is_no_place_whatever_a_head_says_of_it(kind, heads):
    random = np.random.default_rng(0)
    theirs, ours, noise = random.normal(size=(3, 2, 5)).astype("float32")
    mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    labels = np.array([1, 4])
    for term in SoftTargets(loss=kind).terms(None, heads("spans")[1]):
        taught = labels if term.teacher is None else theirs
        other = labels if term.teacher is None else theirs + noise * (mask == 0)
        values = [
            float(term.loss(target, learnt, mask))
            for target, learnt in (
                (taught, ours),
                (other, ours + 9 * noise * (mask == 0)),
            )
        ]
        assert values[0] == pytest.approx(values[1], rel=1e-5)


def test_a_weightless_example_is_absent(heads, make_batch, evaluate):
    teacher, student = heads("spans")
    batch = make_batch(teacher)
    y = {"start_logits": LABELS * 0, "end_logits": LABELS * 0}
    weight = np.array([1.5, 1.5, 0.0])  # Keras' mean is over all three.
    two = {name: value[:2] for name, value in batch.items()}
    less = {name: value[:2] for name, value in y.items()}
    models = teacher, student
    assert evaluate(SoftTargets(), *models, batch, y, weight) == pytest.approx(
        evaluate(SoftTargets(), *models, two, less), rel=1e-4
    )


@pytest.mark.parametrize(
    ("alpha", "names"),
    [
        (1.0, ["soft_targets"]),
        (0.0, ["hard_labels"]),
        (0.4, ["soft_targets", "hard_labels"]),
    ],
)
def test_terms_without_weight_are_left_out(alpha, names, heads):
    terms = SoftTargets(alpha=alpha).terms(*heads("classifier"))
    assert [term.name for term in terms] == names


class Interop:
    """Keras' own distillation losses as terms on the logits."""

    reads = "labels"

    def __init__(self, **losses):
        self.losses = losses

    def check(self, teacher, student):
        pass

    def terms(self, teacher, student):
        logits = ("logits", -1)
        return tuple(
            Term(name, loss, logits, logits)
            for name, loss in self.losses.items()
        )


def test_keras_own_loss_is_not_the_papers(heads, make_batch, outputs, evaluate):
    """By default it takes the divergence of logits, which is none.

    Given the loss as an object, it is right: then both agree.
    """
    teacher, student = heads("classifier")
    batch = make_batch(teacher)
    method = Interop(
        by_default=keras.distillation.LogitsDistillation(temperature=2.0),
        as_object=keras.distillation.LogitsDistillation(
            temperature=2.0, loss=keras.losses.KLDivergence()
        ),
    )
    logs = evaluate(method, teacher, student, batch)
    theirs, ours = (outputs(m, batch) for m in (teacher, student))
    truth = softened(theirs, ours, 2.0).mean()
    ours_says = evaluate(SoftTargets(2.0, 1), teacher, student, batch)["loss"]
    assert ours_says == pytest.approx(truth, rel=1e-4)
    assert logs["as_object"] == pytest.approx(truth, rel=1e-3)
    # What it computes instead: logits, clipped, taken for probabilities.
    p, q = (np.clip(x / 2.0, 1e-7, 1.0) for x in (theirs, ours))
    mistake = (p * np.log(p / q)).sum(-1).mean()
    assert logs["by_default"] == pytest.approx(mistake, rel=1e-3)
    assert logs["by_default"] != pytest.approx(truth, rel=0.1)


def test_keras_feature_loss_is_a_term_too(heads, make_batch, evaluate, outputs):
    teacher, student = heads("classifier")
    batch = make_batch(teacher)
    method = Interop(feature=keras.distillation.FeatureDistillation("mse"))
    theirs, ours = (outputs(m, batch) for m in (teacher, student))
    logs = evaluate(method, teacher, student, batch)
    assert logs["loss"] == pytest.approx(
        np.mean((theirs - ours) ** 2), rel=1e-4
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0.0}, "temperature is 0.0, expected above 0"),
        ({"temperature": -2.0}, "temperature is -2.0, expected above 0"),
        ({"alpha": 1.5}, "alpha is 1.5, expected 0 to 1"),
        ({"alpha": -0.1}, "alpha is -0.1, expected 0 to 1"),
        ({"loss": "kl"}, "loss is 'kl', expected soft_targets or logits_mse"),
    ],
)
def test_refuses_what_makes_no_sense(options, message):
    with pytest.raises(tfminilm.UserError, match=message):
        SoftTargets(**options)


def test_needs_heads(heads, make_encoder, refusal):
    teacher, student = heads("classifier")
    method = SoftTargets()
    text = refusal(method, make_encoder(), student)
    assert "the teacher" in text
    assert "is a backbone without a head" in text
    assert "the student" in refusal(method, teacher, make_encoder())
    other = heads("classifier", num_classes=2)[1]
    text = refusal(method, teacher, other)
    assert "logits of 3 classes, the student logits of 2 classes" in text
    text = refusal(method, teacher, heads("spans")[1])
    assert "the student start_logits over tokens" in text
