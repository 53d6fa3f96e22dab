"""Several teachers: the mean of what they give, against NumPy."""

import numpy as np
import pytest
from scipy.special import log_softmax

import tfminilm
from tfminilm.averaged import averaged
from tfminilm.errors import UserError
from tfminilm.methods import MiniLM, SentenceEmbedding, SoftTargets
from tfminilm.teachers.embedding import TextEmbedding, set_embedding

WEIGHTS = [3.0, 1.0]
SHARES = [0.75, 0.25]


def mean(values, shares=SHARES):
    pairs = zip(shares, values, strict=True)
    return sum(share * value.astype("float64") for share, value in pairs)


def test_logits_are_the_weighted_mean(make_head, make_batch, run, evaluate):
    teachers = [
        make_head("classifier", kind, seed, num_layers=1, dropout=0.5)
        for seed, kind in enumerate(("bert", "bert"))
    ]
    student = make_head("classifier", seed=5, num_layers=1, dropout=0.0)
    batch = make_batch(teachers[0])
    logits = [run(model, batch)["sequence_output"] for model in teachers]
    expected = log_softmax(mean(logits) / 2, -1)
    ours = run(student, batch)["sequence_output"].astype("float64")
    rows = np.exp(expected) * (expected - log_softmax(ours / 2, -1))
    method = SoftTargets(alpha=1.0)
    both = averaged(teachers, WEIGHTS)
    logs = evaluate(method, both, student, batch)
    assert logs["loss"] == pytest.approx(4 * rows.sum(-1).mean(), rel=1e-4)
    # All alike by default, and padding changes nothing.
    longer = make_batch(teachers[0], total=14)
    (found,) = run(averaged(teachers), longer).values()
    np.testing.assert_allclose(found, mean(logits, [0.5, 0.5]), atol=1e-4)


def test_embeddings_are_the_weighted_mean(
    make_encoder, make_batch, run, evaluate
):
    options = {"num_layers": 1, "dropout": 0.0}
    teachers = [make_encoder(seed=seed, **options) for seed in (0, 1)]
    set_embedding(teachers[1], TextEmbedding("cls"))
    student = make_encoder(seed=2, **options)
    batch = make_batch(teachers[0])
    states = [run(x, batch)["sequence_output"] for x in (*teachers, student)]
    mask = batch["padding_mask"][:, :, None]
    first, ours = ((x * mask).sum(1) / mask.sum(1) for x in states[::2])
    expected = mean([first, states[1][:, 0]])
    logs = evaluate(
        SentenceEmbedding(), averaged(teachers, WEIGHTS), student, batch
    )
    assert logs["loss"] == pytest.approx(
        ((expected - ours) ** 2).mean(), rel=1e-4
    )


def test_what_has_no_mean_is_refused(make_head, make_encoder):
    small = {"num_layers": 1}
    one, two = (make_encoder(seed=seed, **small) for seed in (0, 1))
    wide = make_encoder(hidden_dim=64, **small)
    other = make_encoder(vocabulary_size=90, **small)
    head = make_head("classifier", **small)
    more = make_head("classifier", num_classes=4, **small)
    for fault, teachers, weights in (
        ("widths differ: 32 and 64", [one, wide], None),
        ("vocabularies differ: 100 and 90", [one, other], None),
        ("outputs differ", [head, more], None),
        ("2 teachers have the weights 1: expected", [one, two], [1.0]),
        ("weights 1, -1: expected", [one, two], [1.0, -1.0]),
        ("weights 0, 0: expected", [one, two], [0.0, 0.0]),
    ):
        with pytest.raises(UserError, match=fault):
            averaged(teachers, weights)
    both = averaged([one, two])
    with pytest.raises(UserError, match="averaged_teacher"):
        tfminilm.Distiller(both, make_encoder(seed=3, **small), MiniLM())
