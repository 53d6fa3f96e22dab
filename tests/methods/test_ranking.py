"""Ranking: scores of groups of texts, in NumPy's float64."""

import numpy as np
import pytest
import scipy.special

import tfminilm
from tfminilm.methods import Ranking

GROUP = 3
SCORES = np.array([9.0, 3.0, -1.0, 9.0, 0.5, 2.0])


@pytest.fixture(scope="module")
def student(make_encoder):
    return make_encoder(num_layers=1, dropout=0.0)


@pytest.fixture(scope="module")
def batch(make_batch, student):
    """Two groups of a question and two documents, of several lengths."""
    made = make_batch(student)
    return {name: np.concatenate([x, x[::-1]]) for name, x in made.items()}


def embeddings(student, batch, run, pooling="mean"):
    states = run(student, batch)["sequence_output"].astype("float64")
    if pooling == "cls":
        return states[:, 0]
    real = (np.asarray(batch["padding_mask"]) != 0)[..., None]
    return (states * real).sum(1) / real.sum(1)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_the_losses_are_the_papers(
    normalize, pooling, student, batch, run, evaluate
):
    e = embeddings(student, batch, run, pooling)
    if normalize:
        e /= np.linalg.norm(e, axis=-1, keepdims=True)
    e = e.reshape(2, GROUP, -1)
    questions, documents = e[:, 0], e[:, 1:]
    found = np.einsum("qw,qdw->qd", questions, documents)
    taught = SCORES.reshape(2, GROUP)[:, 1:]
    margins = [x[:, 0] - x[:, 1] for x in (found, taught)]
    margin = ((margins[0] - margins[1]) ** 2).mean()
    p, q = (scipy.special.log_softmax(x / 2, axis=-1) for x in (taught, found))
    listwise = 4 * (np.exp(p) * (p - q)).sum(-1).mean()
    table = questions @ documents.reshape(4, -1).T / 0.5
    rows = scipy.special.log_softmax(table, axis=-1)
    contrast = -(rows[0, 0] + rows[1, 2]) / 2
    method = Ranking(
        GROUP, 1.0, 0.5, 0.25, 2.0, 0.5, normalize=normalize, pooling=pooling
    )
    logs = evaluate(method, student, student, batch, SCORES)
    assert logs == pytest.approx(
        {
            "margin_mse": margin,
            "listwise_kl": listwise,
            "contrastive": contrast,
            "loss": margin + 0.5 * listwise + 0.25 * contrast,
        },
        rel=1e-3,
    )


def test_a_group_weighs_what_its_question_does(student, batch, run, evaluate):
    first = {name: x[:GROUP] for name, x in batch.items()}
    weights = np.array([1.0, 7, 7, 0, 7, 7], "float32")
    logs = evaluate(Ranking(), student, student, batch, SCORES, weights)
    alone = evaluate(Ranking(), student, student, first, SCORES[:GROUP])
    assert logs["loss"] == pytest.approx(alone["loss"] / 2, rel=1e-4)


def test_what_stands_at_padding_does_not_count(student, batch, evaluate):
    method = Ranking(contrastive_weight=1.0)
    before = evaluate(method, student, student, batch, SCORES)
    noise = np.random.default_rng(0).integers(1, 9, batch["token_ids"].shape)
    ids = np.where(batch["padding_mask"], batch["token_ids"], noise)
    after = evaluate(
        method, student, student, batch | {"token_ids": ids}, SCORES
    )
    assert after == pytest.approx(before, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group": 2}, "group is 2, expected 3 or more"),
        ({"margin_weight": 0.0}, "has no loss left"),
        ({"listwise_weight": -1.0}, "expected 0 or more"),
        ({"temperature": 0.0}, "temperature is 0.0, expected above 0"),
        ({"contrastive_temperature": 0.0}, "expected above 0"),
        ({"pooling": "max"}, "expected mean or cls"),
    ],
)
def test_refuses_what_makes_no_sense(options, message):
    with pytest.raises(tfminilm.UserError, match=message):
        Ranking(**options)


def test_refuses_other_batches_and_heads(
    student, batch, evaluate, heads, refusal
):
    with pytest.raises(tfminilm.UserError, match="6 rows, expected groups of"):
        evaluate(Ranking(4), student, student, batch, SCORES)
    classifier = heads("classifier")[0]
    assert "give its backbone" in refusal(Ranking(), student, classifier)
