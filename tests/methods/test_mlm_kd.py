"""MLM-KD and DistilBERT: soft and hard targets at masked tokens."""

import numpy as np
import pytest
import scipy.special

import tfminilm
from tfminilm.methods import MLMKD, DistilBERT, SoftTargets
from tfminilm.teachers import build_masked_lm

METHODS = [MLMKD, DistilBERT]
LABELS = np.array([[7, 9], [50, 0], [3, 99]])
WEIGHTS = np.array([[1, 1], [1, 0], [0, 1]], "float32")


def log_softmax(x):
    return scipy.special.log_softmax(x, axis=-1)


def expected(theirs, ours, temperature):
    """Soft and hard loss over the places in use."""
    p, q = log_softmax(theirs / temperature), log_softmax(ours / temperature)
    soft = temperature**2 * (np.exp(p) * (p - q)).sum(-1)
    hard = -np.take_along_axis(log_softmax(ours), LABELS[..., None], -1)
    return (
        np.average(soft, weights=WEIGHTS),
        np.average(hard[..., 0], weights=WEIGHTS),
    )


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_mlm_kd(kind, heads, make_batch, outputs, evaluate):
    teacher, student = heads("masked_lm", kind)
    batch = make_batch(teacher)
    theirs, ours = (outputs(m, batch) for m in (teacher, student))
    soft, hard = expected(theirs, ours, 3.0)
    logs = evaluate(
        MLMKD(temperature=3.0, alpha=0.7),
        teacher,
        student,
        batch,
        LABELS,
        WEIGHTS,
    )
    assert logs == pytest.approx(
        {
            "soft_targets": soft,
            "masked_lm": hard,
            "loss": 0.7 * soft + 0.3 * hard,
        },
        rel=1e-4,
    )


def test_distilbert(make_head, make_batch, outputs, run, evaluate):
    """The papers' pair: a BERT teaches one without segments and pooler."""
    teacher = make_head("masked_lm", num_layers=2, dropout=0.0)
    student = make_head(
        "masked_lm", "distil_bert", seed=1, num_layers=1, dropout=0.0
    )
    batch = make_batch(teacher)
    read = {name: batch[name] for name in student.input}
    soft, hard = expected(outputs(teacher, batch), outputs(student, read), 2.0)
    states = []
    for model in (teacher, student):
        inputs = {name: batch[name] for name in model.backbone.input}
        x = run(model.backbone, inputs)["sequence_output"].astype("float64")
        states.append(x / np.linalg.norm(x, axis=-1, keepdims=True))
    cosine = np.average(
        1 - (states[0] * states[1]).sum(-1), weights=batch["padding_mask"]
    )
    logs = evaluate(DistilBERT(), teacher, student, batch, LABELS, WEIGHTS)
    assert logs == pytest.approx(
        {
            "soft_targets": soft,
            "masked_lm": hard,
            "cosine_distance": cosine,
            "loss": 5 * soft + 2 * hard + cosine,
        },
        rel=1e-3,
    )


def test_distilberts_soft_targets_at_all_tokens(
    heads, make_batch, outputs, evaluate
):
    """Its code's: the mean over real tokens; L_mlm is as before."""
    teacher, student = heads("masked_lm")
    batch = make_batch(teacher)
    method = DistilBERT(cosine_weight=0, all_tokens=True)
    real = np.asarray(batch["padding_mask"]) != 0
    rows, length = real.shape
    everywhere = np.tile(np.arange(length, dtype="int32"), (rows, 1))
    whole = batch | {"mask_positions": everywhere}
    theirs, ours = (outputs(m, whole) for m in (teacher, student))
    p, q = log_softmax(theirs / 2), log_softmax(ours / 2)
    soft = 4 * (np.exp(p) * (p - q)).sum(-1)[real].mean()
    labels = np.full((rows, length), 7)
    weights = np.zeros((rows, length), "float32")
    weights[:, 1] = 1
    hard = -log_softmax(ours)[:, 1, 7].mean()
    logs = evaluate(method, teacher, student, whole, labels, weights)
    assert logs == pytest.approx(
        {
            "soft_targets": soft,
            "masked_lm": hard,
            "loss": 5 * soft + 2 * hard,
        },
        rel=1e-4,
    )
    with pytest.raises(tfminilm.UserError, match="2 places for"):
        evaluate(method, teacher, student, batch, LABELS, WEIGHTS)


@pytest.mark.parametrize(
    ("method", "names"),
    [
        (MLMKD(alpha=1.0), ["soft_targets"]),
        (MLMKD(alpha=0.0), ["masked_lm"]),
        (DistilBERT(soft_weight=0), ["masked_lm", "cosine_distance"]),
        (DistilBERT(mlm_weight=0), ["soft_targets", "cosine_distance"]),
        (DistilBERT(cosine_weight=0), ["soft_targets", "masked_lm"]),
    ],
)
def test_terms_without_weight_are_left_out(method, names, heads):
    terms = method.terms(*heads("masked_lm"))
    assert [term.name for term in terms] == names


@pytest.mark.parametrize("method", METHODS)
def test_needs_masked_language_models(method, heads, make_encoder, refusal):
    teacher, student = heads("masked_lm")
    text = refusal(method(), make_encoder(), student)
    assert "the teacher" in text
    assert "tfminilm.teachers.load_masked_lm" in text
    text = refusal(method(), teacher, make_encoder())
    assert "the student" in text
    assert "tfminilm.teachers.build_masked_lm" in text
    classifier = heads("classifier")[0]
    assert "(BertTextClassifier)" in refusal(method(), classifier, student)


def test_distilbert_is_as_wide_as_its_teacher(make_encoder, refusal):
    teacher, student = (
        build_masked_lm(make_encoder(num_layers=1, hidden_dim=width))
        for width in (32, 16)
    )
    text = refusal(DistilBERT(), teacher, student)
    assert "hidden_dim=32" in text
    DistilBERT(cosine_weight=0).check(teacher, student)


def test_distilberts_cosine_alone_needs_no_heads(make_encoder):
    method = DistilBERT(soft_weight=0, mlm_weight=0)
    models = make_encoder(), make_encoder(num_layers=1)
    method.check(*models)
    (term,) = method.terms(*models)
    assert (term.name, method.reads) == ("cosine_distance", "text")
    assert DistilBERT(mlm_weight=0).reads == "masked_text"


def test_another_vocabulary_is_refused(heads, make_head, refusal):
    other = make_head("masked_lm", num_layers=1, vocabulary_size=90)
    text = refusal(MLMKD(), heads("masked_lm")[0], other)
    assert "logits of 100 classes, the student logits of 90 classes" in text


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        (MLMKD, {"temperature": 0}, "MLMKD: temperature is 0, expected above"),
        (MLMKD, {"alpha": 2.0}, "alpha is 2.0, expected 0 to 1"),
        (DistilBERT, {"temperature": -1}, "temperature is -1, expected above"),
        (DistilBERT, {"mlm_weight": -1}, "mlm_weight is -1, expected 0 or"),
        (
            DistilBERT,
            {"soft_weight": 0, "mlm_weight": 0, "cosine_weight": 0},
            "no loss left",
        ),
    ],
)
def test_refuses_what_makes_no_sense(method, options, message):
    with pytest.raises(tfminilm.UserError, match=message):
        method(**options)


def test_distilbert_d_on_answers(make_head, make_batch, evaluate):
    """Soft targets on starts and ends, of a student without segments."""
    teacher = make_head("spans", num_layers=1, dropout=0.0)
    student = make_head("spans", "distil_bert", num_layers=1, dropout=0.0)
    y = {"start_logits": LABELS[:, 0] * 0, "end_logits": LABELS[:, 0] * 0}
    logs = evaluate(
        SoftTargets(temperature=2.0), teacher, student, make_batch(teacher), y
    )
    assert logs.keys() == {
        "soft_targets_start",
        "soft_targets_end",
        "hard_labels_start",
        "hard_labels_end",
        "loss",
    }
