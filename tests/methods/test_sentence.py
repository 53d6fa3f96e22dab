"""Sentence embeddings: pooled states, near their teacher's."""

import keras
import numpy as np
import pytest

import tfminilm
from tfminilm.methods import SentenceEmbedding
from tfminilm.teachers.embedding import TextEmbedding, set_embedding


@pytest.fixture(scope="module")
def models(make_encoder):
    options = {"num_layers": 1, "dropout": 0.0}
    return make_encoder(**options), make_encoder(seed=1, **options)


def pooled(model, batch, pooling, run):
    x = run(model, batch)["sequence_output"].astype("float64")
    if pooling == "cls":
        return x[:, 0]
    mask = batch["padding_mask"][:, :, None]
    return (x * mask).sum(1) / mask.sum(1)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("loss", ["mse", "cosine"])
def test_the_loss_is_the_papers(
    loss, pooling, models, make_batch, run, evaluate
):
    batch = make_batch(models[0])
    theirs, ours = (pooled(m, batch, pooling, run) for m in models)
    if loss == "mse":
        rows = ((theirs - ours) ** 2).mean(-1)
    else:
        norms = np.linalg.norm(theirs, axis=1) * np.linalg.norm(ours, axis=1)
        rows = 1 - (theirs * ours).sum(-1) / norms
    weight = np.array([1.0, 0.0, 3.0], "float32")
    method = SentenceEmbedding(pooling, loss)
    logs = evaluate(method, *models, batch)
    assert logs[f"embedding_{loss}"] == pytest.approx(rows.mean(), rel=1e-4)
    logs = evaluate(method, *models, batch, None, weight)
    assert logs["loss"] == pytest.approx(np.mean(rows * weight), rel=1e-4)


def test_padding_changes_nothing(models, make_batch, evaluate):
    short, long = (make_batch(models[0], total=n) for n in (9, 14))
    noise = np.where(long["padding_mask"], long["token_ids"], 77)
    long["token_ids"] = noise.astype("int32")
    method = SentenceEmbedding()
    assert evaluate(method, *models, short) == pytest.approx(
        evaluate(method, *models, long), rel=1e-4
    )


def test_a_projection_lets_widths_differ(models, make_encoder, make_batch):
    student = make_encoder(seed=2, num_layers=1, dropout=0.0, hidden_dim=16)
    method = SentenceEmbedding(project=True)
    distiller = tfminilm.Distiller(models[0], student, method)
    (projection,) = distiller.projections.values()
    assert projection.kernel.shape == (16, 32)
    distiller.compile(keras.optimizers.AdamW(0.02))
    batch = make_batch(models[0])
    history = distiller.fit(batch, epochs=20, verbose=0).history["loss"]
    assert history[-1] < 0.7 * history[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": "max"}, "pooling is 'max', expected mean or cls"),
        ({"loss": "l1"}, "loss is 'l1', expected mse or cosine"),
    ],
)
def test_refuses_what_makes_no_sense(options, message):
    with pytest.raises(tfminilm.UserError, match=message):
        SentenceEmbedding(**options)


def test_refuses_another_width(models, make_encoder, refusal):
    student = make_encoder(num_layers=1, hidden_dim=16)
    text = refusal(SentenceEmbedding(), models[0], student)
    assert "32 numbers, the student's 16: set project=True" in text


def test_refuses_to_pool_otherwise_than_the_teacher(make_encoder, refusal):
    teacher, student = make_encoder(num_layers=1), make_encoder(num_layers=1)
    set_embedding(teacher, TextEmbedding("cls"))
    text = refusal(SentenceEmbedding("mean"), teacher, student)
    assert "the teacher's folder says 'cls': set pooling='cls'" in text
    tfminilm.Distiller(teacher, student, SentenceEmbedding(pooling="cls"))


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_pools_as_the_teacher_if_nothing_is_said(
    pooling, models, make_batch, evaluate
):
    teacher, student = models
    batch = make_batch(teacher)
    wanted = evaluate(SentenceEmbedding(pooling), teacher, student, batch)
    set_embedding(teacher, TextEmbedding(pooling))
    try:
        found = evaluate(SentenceEmbedding(), teacher, student, batch)
    finally:
        set_embedding(teacher, None)
    assert found == pytest.approx(wanted, rel=1e-6)
