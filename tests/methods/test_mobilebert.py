"""MobileBERT's terms against its equations in float64, and its stages."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

import tfminilm
from tfminilm import methods, students
from tfminilm.errors import UsageError, UserError
from tfminilm.methods import MLMKD, MobileBERT
from tfminilm.teachers import build_masked_lm, expose, load_masked_lm

SIZES = {
    "vocabulary_size": 100,
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 12,
    "bottleneck_dim": 8,
    "intermediate_dim": 6,
    "embedding_dim": 4,
    "num_feedforwards": 1,
    "max_sequence_length": 16,
    "dropout": 0.0,
    "attention_dropout": 0.0,
}
TRANSFER = ["feature_map_1", "attention_1", "feature_map_2", "attention_2"]


@pytest.fixture(scope="module")
def models(randomise):
    """An IB-BERT and a MobileBERT with heads. Shared, as they are."""
    teacher = students.ib_bert(**SIZES | {"bottleneck_dim": 16})
    student = students.mobilebert(**SIZES)
    for model in (teacher, student):
        randomise(model)
        norms = [x for x in model._flatten_layers() if hasattr(x, "gamma")]
        for norm in norms:  # States of a like size, so that no term is lost.
            norm.gamma.assign(0.3 * ops.convert_to_numpy(norm.gamma))
    return build_masked_lm(teacher), build_masked_lm(student)


def names(method, models):
    return [term.name for term in method.terms(*models)]


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def test_each_strategy_has_its_terms(models):
    pretraining = ["soft_targets", "masked_lm"]
    assert names(MobileBERT(), models) == TRANSFER + pretraining
    assert names(MobileBERT.transfer(), models) == TRANSFER
    assert names(MobileBERT.transfer(1), models) == TRANSFER[2:]
    assert names(MobileBERT.pretraining(), models) == pretraining
    assert MobileBERT.transfer().reads == "text"
    assert MobileBERT().reads == MobileBERT.pretraining().reads == "masked_text"
    only = MobileBERT(attention_weight=0.0, pretraining_weight=0.0)
    assert names(only, models) == TRANSFER[::2]


def test_the_loss_is_the_papers(models, make_batch, run):
    teacher, student = models
    batch = make_batch(student)
    labels = np.array([[3, 4], [5, 6], [7, 8]], "int32")
    weights = np.array([[1, 1], [1, 0], [1, 1]], "float32")
    method = MobileBERT(
        feature_weight=0.5,
        attention_weight=2.0,
        pretraining_weight=3.0,
        alpha=0.25,
    )
    distiller = tfminilm.Distiller(teacher, student, method)
    distiller.compile("sgd", run_eagerly=True)
    found = distiller.test_on_batch(batch, labels, weights, return_dict=True)

    wanted = {"hidden_states": [1, 2], "attention_scores": [0, 1]}
    wanted["logits"] = [-1]
    theirs, ours = (
        {
            k: v.astype("float64")
            for k, v in run(expose(m, wanted), batch).items()
        }
        for m in models
    )
    mask = batch["padding_mask"] > 0
    expected = {}
    for layer in (0, 1):
        key = f"hidden_states/{layer + 1}"
        squares = (theirs[key][mask] - ours[key][mask]) ** 2
        expected[f"feature_map_{layer + 1}"] = squares.mean()
        rows = []
        for example, real in enumerate(mask):
            p, q = (
                log_softmax(
                    x[f"attention_scores/{layer}"][example][:, real][:, :, real]
                )
                for x in (theirs, ours)
            )
            rows.append((np.exp(p) * (p - q)).sum(-1).mean())
        expected[f"attention_{layer + 1}"] = np.mean(rows)
    p, q = (log_softmax(x["logits/0"]) for x in (theirs, ours))
    divergence = (np.exp(p) * (p - q)).sum(-1)
    expected["soft_targets"] = (weights * divergence).sum() / weights.sum()
    hard = -np.take_along_axis(q, labels[:, :, None], -1)[..., 0]
    expected["masked_lm"] = (weights * hard).sum() / weights.sum()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-4), name
    factors = [0.5, 2.0, 0.5, 2.0, 3 * 0.75, 3 * 0.25]
    total = np.dot(factors, list(expected.values()))
    assert found["loss"] == pytest.approx(total, rel=1e-4)


def test_next_sentences(models, make_batch, run, tmp_path):
    """BERT's second objective beside L_MLM; the teacher has no head for it."""
    teacher, student = models
    method = MobileBERT.pretraining(alpha=1.0, next_sentence_weight=2.0)
    assert method.reads == MLMKD(next_sentence_weight=1.0).reads
    with pytest.raises(UserError, match="predicts no next sentences: make it"):
        method.check(teacher, student)
    student = build_masked_lm(student.backbone, next_sentence=True)
    wanted = ["soft_targets", "masked_lm", "next_sentence"]
    half = MLMKD(next_sentence_weight=1.0)
    assert names(half, (teacher, student)) == wanted
    student.save_to_preset(str(tmp_path))
    student = load_masked_lm(tmp_path)
    method = dataclasses.replace(method, pretraining_weight=0.5)
    distiller = tfminilm.Distiller(teacher, student, method)
    distiller.compile("sgd", run_eagerly=True)
    batch, labels = make_batch(student), np.array([0, 1, 1], "int32")
    masked = np.array([[1, 1], [0, 1], [0, 1]], "int32")
    y = {"logits": masked, "next_sentence_logits": labels}
    weights = masked.astype("float32")
    found = distiller.test_on_batch(batch, y, weights, return_dict=True)
    logits = run(student, batch)["next_sentence_logits"].astype("float64")
    expected = -log_softmax(logits)[np.arange(3), labels].mean()
    assert found["next_sentence"] == pytest.approx(expected, rel=1e-5)
    total = 0.5 * (found["masked_lm"] + 2 * expected)
    assert found["loss"] == pytest.approx(total, rel=1e-5)


def test_other_models_predict_no_next_sentences(make_encoder):
    with pytest.raises(UserError, match="BertMaskedLM predicts no next sent"):
        build_masked_lm(make_encoder(), next_sentence=True)


def test_a_layers_stage_trains_up_to_it_alone(models):
    teacher, student = models
    distiller = tfminilm.Distiller(teacher, student, MobileBERT.transfer(0))
    trained = {v.path.split("/")[0] for v in distiller.trainable_variables}
    assert "transformer_layer_0" in trained
    assert not trained & {"transformer_layer_1", "mlm_head"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_layers": 3}, "has num_layers 2, the student 3: build it with n"),
        ({"hidden_dim": 10}, "has hidden_dim 12, the student 10"),
        ({"num_heads": 4}, "has num_heads 2, the student 4"),
    ],
)
def test_refuses_models_that_do_not_meet(models, changes, said):
    teacher, _ = models
    student = students.mobilebert(**SIZES | changes)
    with pytest.raises(UserError, match=said):
        MobileBERT.transfer().check(teacher, student)
    MobileBERT.pretraining().check(teacher, build_masked_lm(student))


def test_refuses_what_it_cannot_do(models):
    teacher, student = models
    with pytest.raises(UserError, match="layer is 2, but the models' layers a"):
        MobileBERT.transfer(2).check(teacher, student)
    with pytest.raises(UserError, match="masked-language-model heads"):
        MobileBERT().check(teacher, student.backbone)
    for values, said in (
        ({"alpha": 1.1}, "alpha is 1.1, expected 0 to 1"),
        ({"temperature": 0.0}, "temperature is 0.0, expected above 0"),
        ({"feature_weight": -1.0}, "feature_weight is -1.0, expected 0 or"),
        ({"next_sentence_weight": -1.0}, "next_sentence_weight is -1.0, exp"),
        (
            {"pretraining_weight": 0.0, "next_sentence_weight": 1.0},
            "next_sentence_weight is 1.0, expected 0 where pretraining_weight",
        ),
        ({"layer": -1}, "layer is -1, expected 0 or more, or None"),
    ):
        with pytest.raises(UsageError, match=said):
            methods.MobileBERT(**values)
    with pytest.raises(UserError, match="has no loss left"):
        MobileBERT(0.0, 0.0, 0.0)


@pytest.mark.slow
def test_transfer_learns(models, make_batch):
    teacher, _ = models
    keras.utils.set_random_seed(0)
    student = students.mobilebert(**SIZES)
    students.init_from_teacher(student, teacher.backbone, "embeddings")
    distiller = tfminilm.Distiller(
        teacher.backbone, student, MobileBERT.transfer()
    )
    distiller.compile(keras.optimizers.Adam(0.02), jit_compile=False)
    batch = make_batch(student)
    first = distiller.train_on_batch(batch, return_dict=True)
    for _ in range(60):
        distiller.reset_metrics()
        last = distiller.train_on_batch(batch, return_dict=True)
    for name in TRANSFER:
        assert last[name] < 0.5 * first[name], name
