"""BERT-PKD: soft targets, labels and the [CLS] states of layers between."""

import numpy as np
import pytest
import scipy.special

import tfminilm
from tfminilm.methods import PatientKD
from tfminilm.teachers import expose

LABELS = np.array([0, 2, 1])


@pytest.fixture(scope="module")
def models(make_head):
    """Six layers teach three."""
    return (
        make_head("classifier", num_layers=6, dropout=0.0),
        make_head("classifier", seed=1, num_layers=3, dropout=0.0),
    )


@pytest.mark.parametrize(
    ("layers", "states"),
    [("skip", [2, 4]), ("last", [4, 5])],
)
def test_the_loss_is_the_papers(
    layers, states, models, make_batch, outputs, run, evaluate
):
    teacher, student = models
    batch = make_batch(teacher)
    theirs, ours = (outputs(m, batch) for m in models)
    p, q = (scipy.special.log_softmax(x / 10, axis=-1) for x in (theirs, ours))
    soft = 100 * (np.exp(p) * (p - q)).sum(-1).mean()
    q = scipy.special.log_softmax(ours, axis=-1)
    hard = -q[np.arange(3), LABELS].mean()
    distance = 0.0
    for mine, of_teacher in zip((1, 2), states, strict=True):
        taught, learnt = (
            next(iter(run(expose(m, {"hidden_states": [i]}), batch).values()))[
                :, 0
            ].astype("float64")
            for m, i in ((teacher, of_teacher), (student, mine))
        )
        taught /= np.linalg.norm(taught, axis=-1, keepdims=True)
        learnt /= np.linalg.norm(learnt, axis=-1, keepdims=True)
        distance += ((taught - learnt) ** 2).sum(-1).mean()
    method = PatientKD(layers, alpha=0.7, beta=4.0)
    logs = evaluate(method, teacher, student, batch, LABELS)
    assert logs == pytest.approx(
        {
            "soft_targets": soft,
            "hard_labels": hard,
            "patient": distance,
            "loss": 0.7 * soft + 0.3 * hard + 4 * distance,
        },
        rel=1e-3,
    )


def test_the_loss_is_the_codes(models, make_batch, outputs, run, evaluate):
    """As intersun/PKD-for-BERT-Model-Compression has it, in float64.

    KLDivLoss' "mean" counts classes as well; the states as they are; L_PT is
    a mean over layers and features.
    """
    teacher, student = models
    batch = make_batch(teacher)
    theirs, ours = (outputs(m, batch).astype("float64") for m in models)
    p, q = (scipy.special.log_softmax(x / 5, axis=-1) for x in (theirs, ours))
    soft = 25 * (np.exp(p) * (p - q)).mean()
    q = scipy.special.log_softmax(ours, axis=-1)
    hard = -q[np.arange(3), LABELS].mean()
    taught, learnt = (
        np.stack(
            [
                next(
                    iter(run(expose(m, {"hidden_states": [i]}), batch).values())
                )[:, 0]
                for i in indices
            ]
        ).astype("float64")
        for m, indices in ((teacher, (2, 4)), (student, (1, 2)))
    )
    patience = ((taught - learnt) ** 2).mean()
    method = PatientKD(
        alpha=0.2,
        beta=100 / (2 * 32),
        temperature=5.0,
        raw_states=True,
        class_mean=True,
    )
    logs = evaluate(method, teacher, student, batch, LABELS)
    expected = 0.2 * soft + 0.8 * hard + 100 * patience
    assert logs["loss"] == pytest.approx(expected, rel=1e-4)


def test_without_patience_it_is_soft_targets(models):
    terms = PatientKD(beta=0).terms(*models)
    assert [t.name for t in terms] == ["soft_targets", "hard_labels"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": "uniform"}, "layers is 'uniform', expected skip or last"),
        ({"alpha": -0.5}, "alpha is -0.5, expected 0 to 1"),
        ({"beta": -1.0}, "beta is -1.0, expected 0 or more"),
        ({"temperature": 0.0}, "temperature is 0.0, expected above 0"),
    ],
)
def test_refuses_what_makes_no_sense(options, message):
    with pytest.raises(tfminilm.UserError, match=message):
        PatientKD(**options)


def test_refuses_models_that_do_not_fit(models, make_head, refusal):
    teacher, _ = models
    narrow = make_head("classifier", num_layers=3, hidden_dim=16)
    assert "hidden_dim=32" in refusal(PatientKD(), teacher, narrow)
    PatientKD(beta=0).check(teacher, narrow)
    four = make_head("classifier", num_layers=4)
    text = refusal(PatientKD(), teacher, four)
    assert "4 student layers do not divide 6" in text
    PatientKD("last").check(teacher, four)
    one = make_head("classifier", num_layers=1)
    assert "the student has one" in refusal(PatientKD(), teacher, one)
    other = make_head("classifier", num_layers=3, num_classes=2)
    assert "2 classes" in refusal(PatientKD(), teacher, other)
    text = refusal(PatientKD(), teacher.backbone, other)
    assert "without a head" in text
