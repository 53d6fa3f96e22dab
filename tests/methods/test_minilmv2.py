"""MiniLMv2: relations of queries, keys and values."""

import numpy as np
import pytest
import scipy.special

import tfminilm
from tfminilm import students
from tfminilm.methods import MiniLMv2
from tfminilm.teachers import expose

NAMES = ["query_relation", "key_relation", "value_relation"]


def relation(vectors, heads):
    """The log relations of one example's `[heads, length, head_dim]`."""
    joined = np.concatenate(list(vectors.astype("float64")), axis=-1)
    parts = np.split(joined, heads, axis=-1)
    return np.stack(
        [
            scipy.special.log_softmax(x @ x.T / np.sqrt(x.shape[1]), axis=-1)
            for x in parts
        ]
    )


def test_the_loss_is_the_papers(make_encoder, make_batch, run, evaluate):
    """Other head counts, other widths, and a layer below the top."""
    teacher = make_encoder()
    student = make_encoder(seed=1, num_heads=2, hidden_dim=16, num_layers=1)
    batch = make_batch(teacher)
    lengths = batch["padding_mask"].sum(1)
    found = [
        run(expose(m, {"queries": [i], "keys": [i], "values": [i]}), batch)
        for m, i in ((teacher, 1), (student, 0))
    ]
    expected = {}
    for name, tensor in zip(NAMES, ("queries", "keys", "values"), strict=True):
        rows = []
        for row, n in enumerate(lengths):
            p, q = (
                relation(values[f"{tensor}/{i}"][row][:, :n], 8)
                for values, i in zip(found, (1, 0), strict=True)
            )
            rows.append((np.exp(p) * (p - q)).sum(-1).mean())
        expected[name] = np.mean(rows)
    expected["loss"] = (
        expected[NAMES[0]] + 2 * expected[NAMES[1]] + 3 * expected[NAMES[2]]
    )
    method = MiniLMv2(
        num_relation_heads=8,
        teacher_layer=-2,
        query_weight=1.0,
        key_weight=2.0,
        value_weight=3.0,
    )
    logs = evaluate(method, teacher, student, batch)
    assert logs == pytest.approx(expected, rel=1e-3)


def test_a_term_without_weight_is_left_out():
    terms = MiniLMv2(query_weight=0, key_weight=0.0).terms(None, None)
    assert [term.name for term in terms] == ["value_relation"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_relation_heads": 0}, "num_relation_heads is 0, expected 1"),
        ({"key_weight": -1.0}, "key_weight is -1.0, expected 0 or more"),
        (
            {"query_weight": 0, "key_weight": 0, "value_weight": 0},
            "no loss left",
        ),
    ],
)
def test_refuses_what_makes_no_sense(options, message):
    with pytest.raises(tfminilm.UserError, match=message):
        MiniLMv2(**options)


def test_relation_heads_divide_both_widths(make_encoder, refusal):
    teacher, student = make_encoder(), make_encoder(hidden_dim=24)
    text = refusal(MiniLMv2(48), teacher, student)
    assert "do not divide the teacher's width of 32" in text
    assert "num_relation_heads to 32" in text
    text = refusal(MiniLMv2(16), teacher, student)
    assert "the student's width of 24" in text
    MiniLMv2(8).check(teacher, student)


@pytest.mark.parametrize("kind", ["mobilebert", "modernbert"])
def test_layers_that_are_not_kerashubs(kind, refusal):
    """A MobileBERT's heads split its bottleneck."""
    sizes = {"num_layers": 1, "num_heads": 2, "vocabulary_size": 20}
    if kind == "mobilebert":
        sizes |= {"bottleneck_dim": 12, "embedding_dim": 4}
    width = 16 if kind == "mobilebert" else 12
    model = getattr(students, kind)(
        hidden_dim=width, intermediate_dim=8, max_sequence_length=8, **sizes
    )
    MiniLMv2(6).check(model, model)
    text = refusal(MiniLMv2(8), model, model)
    assert "do not divide the teacher's width of 12" in text
    ids = np.arange(8, dtype="int32")[None]
    batch = dict.fromkeys(model.input, ids // 4) | {"token_ids": ids + 1}
    batch["padding_mask"] = np.ones_like(ids)
    distiller = tfminilm.Distiller(model, model, MiniLMv2(6))
    distiller.compile("sgd")
    found = distiller.test_on_batch(batch, return_dict=True)
    assert found["loss"] == pytest.approx(0, abs=1e-6)
