"""The page in Chromium: it says what Python says of the same bundle."""

import dataclasses
import itertools
import json
import re

import numpy as np
import pytest

import tfminilm
from tfminilm.export.target import PRECISIONS
from tfminilm.tasks import heads
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task
from tfminilm.teachers.embedding import TextEmbedding, set_embedding
from tfminilm.web import site

pytestmark = [
    pytest.mark.slow,
    # KerasHub leaves the file of SentencePiece's model open.
    pytest.mark.filterwarnings(
        "ignore::pytest.PytestUnraisableExceptionWarning"
    ),
]

LENGTH = 128
TOLERANCE = 1e-3
TEXTS = (
    "no",
    "A warm and funny film.",
    "Zürich's naïve café: 3,000 m² of 日本語, Ελληνικά and 한국어!",
    "A cat <b>sat</b> & <script>alert(1)</script> \U0001f600 on the mat.",
    "The list is sorted in place; a dictionary keeps its keys in order. " * 12,
)
QUESTIONS = (
    ("What is sorted?", TEXTS[4]),
    ("Who sat on \U0001f600?", TEXTS[3]),
    ("Where?", TEXTS[2] * 9),
)
TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


@pytest.fixture(scope="module")
def models(verify):
    """Small models with random weights, of every kind."""
    import keras

    keras.utils.set_random_seed(0)
    made = verify("bundles")
    models = made._small_models()
    words, bert = made._bert()
    pairs = dataclasses.replace(models["pairs"][2], labels=("no", "yes"))
    models["pairs"] = (*models["pairs"][:2], pairs)
    for name, labels, more in (
        ("regression", (), {}),
        ("regression", (), {"score_activation": "sigmoid"}),
        ("multi_label", tuple("abcdefghijk"), {}),
        ("token_classification", TAGS, {}),
    ):
        task = Task(name, name, (), (), labels, texts=("text",))
        head = heads.build_head(task, bert, dropout=0.0)
        settings = Settings(name, name, labels, LENGTH, **more)
        key = f"share_{name}" if more else name
        models[key] = head, words, settings
    head, words, settings = models["classification"]
    settings = dataclasses.replace(settings, unsure_below=0.999)
    models["unsure"] = head, words, settings
    prompted = heads.plain(models["encoder"][0])
    embedding = TextEmbedding(prompts={"x": "query: "}, default_prompt="x")
    set_embedding(prompted, embedding)
    models["prompted"] = prompted, words, None
    return models


@pytest.fixture(scope="module")
def write(models, verify, tmp_path_factory):
    """`write(name, precision)`: a bundle and the page of it."""
    folder = tmp_path_factory.mktemp("pages")
    export = verify("bundles")._export

    def make(name, precision="dynamic_wi8_afp32", **options):
        bundle = folder / f"{name}-{precision}"
        page = folder / f"{name}-{precision}-site"
        if not bundle.is_dir():
            export(models[name], precision, (16, LENGTH), bundle)
        site.write_site(str(bundle), page, **options)
        return tfminilm.load(bundle), page

    return make


def require_sound(shown):
    assert shown["faults"] == []
    assert shown["note"] == []
    assert shown["elsewhere"] == []


def shares(answer):
    return {bar["name"]: bar["share"] for bar in answer["bars"]}


@pytest.mark.parametrize("name", ["classification", "multi_label", "pairs"])
def test_classes(name, write, browse):
    model, page = write(name)
    texts = list(TEXTS)
    if model.reads_pairs:
        texts = list(itertools.pairwise(TEXTS))
    rows = [[text] if isinstance(text, str) else text for text in texts]
    shown = browse(page, rows=rows)
    require_sound(shown)
    wanted = model.predict(texts, progress=False)
    for expected, answer in zip(wanted, shown["answers"], strict=True):
        # Of many labels the likeliest are shown.
        best = sorted(expected.scores.values())[-8:]
        assert shares(answer) == {
            label: pytest.approx(score, abs=TOLERANCE)
            for label, score in expected.scores.items()
            if score >= best[0]
        }
        on = {bar["name"] for bar in answer["bars"] if bar["isOn"]}
        several = getattr(expected, "labels", None)
        labels = {expected.label} if several is None else {*several}
        assert on == labels & {*shares(answer)}
        is_cut = "the end was not read" in answer["text"]
        assert is_cut == expected.is_truncated
    assert any(one.is_truncated for one in wanted)


@pytest.mark.parametrize("name", ["regression", "share_regression"])
def test_a_score(name, write, browse):
    model, page = write(name)
    shown = browse(page, rows=[[text] for text in TEXTS])
    require_sound(shown)
    for text, answer in zip(TEXTS, shown["answers"], strict=True):
        expected = model.predict(text).score
        if name == "regression":
            got = float(answer["score"])
        else:
            got = shares(answer)["Score"]
        assert got == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize("name", ["question_answering", "multilingual"])
def test_answers(name, write, browse):
    model, page = write(name)
    shown = browse(page, rows=QUESTIONS)
    require_sound(shown)
    wanted = model.predict(list(QUESTIONS), progress=False)
    for expected, answer in zip(wanted, shown["answers"], strict=True):
        (bar,) = answer["bars"]
        assert bar["share"] == pytest.approx(expected.score, abs=TOLERANCE)
        if expected.text:
            assert bar["name"] == expected.text
            assert answer["marks"] == [expected.text]
        else:
            assert bar["name"] == "No answer in the text"
            assert answer["marks"] == []


def test_names(write, browse):
    model, page = write("token_classification")
    shown = browse(page, rows=[[text] for text in TEXTS])
    require_sound(shown)
    count = 0
    for text, answer in zip(TEXTS, shown["answers"], strict=True):
        entities = model.predict(text).entities
        count += len(entities)
        assert answer["marks"] == [entity.text for entity in entities]
        got = [(bar["name"], bar["share"]) for bar in answer["bars"]]
        assert got == [
            (f"{x.text} ({x.label})", pytest.approx(x.score, abs=TOLERANCE))
            for x in entities
        ]
    assert count > 5


@pytest.mark.parametrize("name", ["encoder", "keras_hub", "prompted"])
def test_search(name, write, browse):
    model, page = write(name)
    lines = [text.replace("\n", " ") for text in TEXTS]
    query = "a funny cat"
    shown = browse(page, rows=[[query, "\n".join([*lines, "", lines[0]])]])
    require_sound(shown)
    hits = model.search(query, lines, k=len(lines))
    got = [(bar["name"], bar["share"]) for bar in shown["answers"][0]["bars"]]
    assert [name for name, _ in got] == [hit.text for hit in hits]
    scores = [score for _, score in got]
    np.testing.assert_allclose(
        scores, [hit.score for hit in hits], atol=TOLERANCE
    )


def test_says_where_the_model_is_unsure(write, browse):
    for name in ("classification", "unsure"):
        model, page = write(name)
        shown = browse(page, rows=[[TEXTS[0]]])
        require_sound(shown)
        is_unsure = "The model is unsure" in shown["answers"][0]["text"]
        assert is_unsure != model.predict(TEXTS[0]).is_sure


@pytest.mark.parametrize("precision", PRECISIONS)
def test_each_precision(precision, write, browse):
    model, page = write("classification", precision)
    shown = browse(page, rows=[[text] for text in TEXTS])
    require_sound(shown)
    for text, answer in zip(TEXTS, shown["answers"], strict=True):
        scores = model.predict(text).scores
        assert shares(answer) == pytest.approx(scores, abs=TOLERANCE)


def test_refuses_to_answer_wrongly(write, browse, tmp_path):
    _, page = write("classification", "float32")
    copy = tmp_path / "site"
    site.write_site(str(page / "bundle"), copy)
    path = copy / "bundle" / "manifest.json"
    content = json.loads(path.read_text())
    content["probe"]["rows"][1]["outputs"]["logits"][0] += 1
    path.write_text(json.dumps(content))
    (note,) = browse(copy)["note"]
    assert note.startswith("This browser computes the model wrongly")
    (copy / "bundle" / "vocab.txt").unlink()
    (note,) = browse(copy)["note"]
    assert note == "bundle/vocab.txt is missing: copy the page's folder again."


def test_as_a_file_it_says_what_it_needs(write, browse):
    _, page = write("classification")
    (note,) = browse(page, file=True)["note"]
    assert "python3 -m http.server 8000" in note


def test_looks(write, browse):
    """Examples, facts and labels; on a phone nothing is cut off."""
    examples = [["first " * 30], ["second"]]
    _, page = write("classification", title="<i>Mine</i>", examples=examples)
    shown = browse(page, width=360, height=740, scheme="dark", keys=["second"])
    require_sound(shown)
    assert shown["title"] == "<i>Mine</i>"
    assert shown["labels"] == ["Text"]
    assert shown["value"] == "second"
    assert shown["width"] <= 360
    assert shown["first"] > 0
    (facts,) = shown["facts"]
    assert re.search(r"Latency\d+\.\d ms", facts)
    assert re.search(r"First answer\d+\.\d s after loading began", facts)
    assert re.search(r"File\d+\.\d MB, int8", facts)
    # What a screen reader says, once typing pauses.
    assert re.fullmatch(r"(bad|neutral|good), [\d.]+%", shown["spoken"])
    small = [x for x in shown["targets"] if x["height"] < 44]
    assert small == []
    dim = [x for x in shown["contrast"] if x["ratio"] < 4.5]
    assert dim == []
