"""Teacher and student cut the same texts by tokenizers of their own."""

import keras
import keras_hub
import numpy as np
import pytest
from scipy.special import log_softmax

import tfminilm
from tfminilm.methods import (
    BiLSTMSoft,
    MiniLM,
    PatientKD,
    SentenceEmbedding,
    SoftTargets,
)
from tfminilm.tasks.batches import Batches
from tfminilm.tasks.encoded import Encoded, join

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = {
    "teacher": ["go", "##od", "ba", "##d", "film", "fi", "a"],
    "student": ["film", "good", "bad", "b"],
}
TEXTS = ["good film", "bad", "film bad film", "good good good"]
LABELS = np.array([0, 2, 1, 1])
SMALL = {"num_layers": 2, "dropout": 0.0}
PREFIX = "teacher_"


def reader(make_head, role, length, **options):
    """A classifier that reads texts as its role's words cut them."""
    words = [*SPECIAL, *WORDS[role]]
    seed = 1 + (role == "student")
    model = make_head(
        "classifier", seed=seed, vocabulary_size=len(words), **SMALL | options
    )
    tokenizer = keras_hub.models.BertTokenizer(words, lowercase=True)
    kind = keras_hub.models.BertTextClassifierPreprocessor
    model.preprocessor = kind(tokenizer, sequence_length=length)
    return model


@pytest.fixture(scope="module")
def models(make_head):
    """The teacher's texts are cut to 7 tokens, the student's to 5."""
    return reader(make_head, "teacher", 7), reader(make_head, "student", 5)


def columns(models):
    """The inputs of both, made by KerasHub's preprocessors."""
    teacher, student = (
        {k: np.asarray(v) for k, v in model.preprocessor(TEXTS).items()}
        for model in models
    )
    return student | {PREFIX + name: x for name, x in teacher.items()}


def test(models, method, *batch):
    distiller = tfminilm.Distiller(*models, method)
    eager = keras.backend.backend() == "tensorflow"
    distiller.compile(keras.optimizers.SGD(0.01), run_eagerly=eager)
    return distiller.test_on_batch(*batch, return_dict=True)


test.__test__ = False


def test_the_loss_is_of_the_logits_that_each_gives_by_itself(models):
    # By KerasHub alone: its own preprocessor and the model.
    teacher, student = (
        np.asarray(model(model.preprocessor(TEXTS)), "float64")
        for model in models
    )
    first, second = (log_softmax(x / 2, -1) for x in (teacher, student))
    soft = 4 * np.mean(np.sum(np.exp(first) * (first - second), -1))
    for batch in ([TEXTS, LABELS], [columns(models), LABELS]):
        logs = test(models, SoftTargets(temperature=2.0), *batch)
        assert logs["soft_targets"] == pytest.approx(soft, rel=1e-5)
    logs = test(models, BiLSTMSoft(), columns(models))
    squares = np.mean((teacher - student) ** 2)
    assert logs["logits_mse"] == pytest.approx(squares, rel=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_embeddings_are_pooled_by_each_ones_own_mask(models, pooling, run):
    batch, pooled = columns(models), []
    for model, prefix in zip(models, (PREFIX, ""), strict=True):
        names = ("token_ids", "segment_ids", "padding_mask")
        given = {name: batch[prefix + name] for name in names}
        states = run(model.backbone, given)["sequence_output"].astype(float)
        mask = given["padding_mask"][..., None]
        mean = (states * mask).sum(1) / mask.sum(1)
        pooled.append(states[:, 0] if pooling == "cls" else mean)
    expected = np.mean((pooled[0] - pooled[1]) ** 2)
    method = SentenceEmbedding(pooling)
    logs = test([m.backbone for m in models], method, batch)
    assert logs["embedding_mse"] == pytest.approx(expected, rel=1e-5)


def test_first_tokens_are_compared_too(models):
    method = PatientKD(beta=1.0, alpha=1.0)
    batch = columns(models)
    patient = test(models, method, batch)["patient"]
    assert 0 < patient < 4
    batch[PREFIX + "token_ids"] = batch[PREFIX + "token_ids"][::-1]
    assert test(models, method, batch)["patient"] != pytest.approx(patient)


def test_what_compares_tokens_is_refused(models, make_head):
    say = "MiniLM compares token by token.*SoftTargets, BiLSTMSoft or Sentence"
    with pytest.raises(tfminilm.UserError, match=say) as error:
        tfminilm.Distiller(*models, MiniLM())
    assert "\n" not in str(error.value)
    # Of two vocabularies of one size only the batch can tell.
    alike = [make_head("classifier", vocabulary_size=12, **SMALL)] * 2
    with pytest.raises(tfminilm.UserError, match="MiniLM compares token by to"):
        test(alike, MiniLM(), columns(models))


def test_answers_in_a_text_are_places_of_tokens(make_head):
    for head, per_text in (("spans", False), ("classifier", True)):
        model = make_head(head, num_layers=1)
        terms = SoftTargets(alpha=1.0).terms(model, model)
        assert {term.per_text for term in terms} == {per_text}


def test_tokens_of_one_are_not_given_to_the_other(models):
    batch = models[1].preprocessor(TEXTS)
    batch = {name: np.asarray(value) for name, value in batch.items()}
    with pytest.raises(
        tfminilm.UserError, match=r"12 and 9 tokens.*add teacher_"
    ):
        test(models, SoftTargets(), batch, LABELS)
    # Without a teacher, no tokens of it are missed.
    assert test(models, SoftTargets(alpha=0.0), batch, LABELS)["loss"] > 0


def encoded(rng, counts):
    ids = [rng.integers(5, 90, count) for count in counts]
    return Encoded(
        token_ids=np.concatenate(ids).astype("int32"),
        segment_ids=np.zeros(sum(counts), "int8"),
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        labels={},
        pad_id=0,
    )


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.data")
@pytest.mark.parametrize("buckets", [None, [12]])
def test_batches_hold_each_ones_whole_texts_in_few_shapes(buckets):
    rng = np.random.default_rng(0)
    # What is short for the student is long for the teacher.
    counts = [rng.integers(2, 12, 200)]
    counts.append(60 - 4 * counts[0])
    student, teacher = (encoded(rng, each) for each in counts)
    both = student.with_teacher(teacher)
    batches = Batches(both, 4, seed=0, buckets=buckets)
    plain = Batches(student, 4, seed=0, buckets=buckets)
    shapes = set()
    data = batches.dataset(0, len(batches))
    for step, (inputs, _, _) in enumerate(data.as_numpy_iterator()):
        rows = batches.rows(step)
        alone = plain.batch(step)[0]
        for name, prefix, each in (
            ("token_ids", "", student),
            ("token_ids", PREFIX, teacher),
        ):
            mask = inputs[prefix + "padding_mask"] > 0
            found = [
                x[m] for x, m in zip(inputs[prefix + name], mask, strict=False)
            ]
            for row, ids in zip(rows, found, strict=True):
                start, stop = each.offsets[row : row + 2]
                np.testing.assert_array_equal(ids, each.token_ids[start:stop])
        for name, column in alone.items():
            np.testing.assert_array_equal(inputs[name], column)
        shapes.add(
            (inputs["token_ids"].shape, inputs[PREFIX + "token_ids"].shape)
        )
    # Each shape is compiled: the teacher adds none.
    assert len(shapes) == len(plain.buckets) == len(batches.buckets)
    static = data.element_spec[0][PREFIX + "token_ids"].shape
    assert static == (4, max(counts[1]) if buckets else None)


def test_texts_have_to_be_the_same():
    rng = np.random.default_rng(0)
    with pytest.raises(tfminilm.UserError, match="are 2, the student's 3"):
        encoded(rng, [3, 4, 5]).with_teacher(encoded(rng, [3, 4]))
    joined = join(
        [encoded(rng, [3]).with_teacher(encoded(rng, [n])) for n in (4, 6)]
    )
    assert joined.teacher.lengths.tolist() == [4, 6]
