"""KerasHub alone asks a saved student about texts, and gets our answers."""

import json
import os
import subprocess
import sys

import keras_hub
import make_hugging_face as made
import numpy as np
import pytest

import tfminilm
from tfminilm.tasks import heads
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import get_task
from tfminilm.teachers import load, masked_lm, presets
from tfminilm.teachers.embedding import TextEmbedding, set_embedding
from tfminilm.train.models import Backbone, MaskedLM

TEXTS = [
    "the cat sat on a mat",
    "The résumé, and the mating CATS!",
    "a cat that is far too long: the cat sat on a mat and the cat sat",
]
PAIRS = [*zip(TEXTS, reversed(TEXTS), strict=True)]
FAMILIES = ["bert", "distilbert", "roberta", "xlm-roberta"]
# Alone: without this package.
ALONE = """
import json, sys, keras_hub
kind, folder = sys.argv[1:]
texts, pairs, options = json.load(sys.stdin)
model = getattr(keras_hub.models, kind).from_preset(folder, **options)
one = model.predict(texts, verbose=0)
two = model.predict(tuple(pairs), verbose=0) if pairs else one
assert "tfminilm" not in sys.modules
print(json.dumps([one.tolist(), two.tolist()]))
"""
LENGTH = 10
# Of KerasHub's.
QUIET = "ignore:unclosed file:ResourceWarning"


def save(name, folder):
    """A classifier as finetune saves it."""
    model, tokenizer = made.student(f"{name}_classifier"), made.tokenizer(name)
    presets.save_preset(model, tokenizer, folder, LENGTH)
    note("sst2", folder)


def note(name, folder):
    Settings.of(get_task(name), LENGTH).save(folder)


def alone(kind, folder, pairs=(), **options):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    found = subprocess.run(
        [sys.executable, "-c", ALONE, kind, str(folder)],
        input=json.dumps([TEXTS, pairs, options]),
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
    )
    assert found.returncode == 0, found.stderr
    return map(np.array, json.loads(found.stdout.splitlines()[-1]))


def probabilities(model, texts):
    return [[*one.scores.values()] for one in model.predict(texts)]


def softmax(logits):
    exponents = np.exp(np.asarray(logits, "float64"))
    return exponents / exponents.sum(-1, keepdims=True)


def test_a_classifier_is_asked_with_texts(tmp_path):
    save("bert", tmp_path)
    model = keras_hub.models.TextClassifier.from_preset(
        str(tmp_path), compile=False
    )
    assert model.preprocessor.sequence_length == LENGTH
    wanted = probabilities(tfminilm.load(tmp_path), TEXTS)
    found = softmax(model.predict(TEXTS, verbose=0))
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    # Ours is asked with token ids.
    assert heads.load_head(tmp_path).preprocessor is None


def test_chinese_stays_in_one_word(tmp_path):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "猫", "猫猫"]
    tokenizer = keras_hub.models.BertTokenizer(words, split_on_cjk=False)
    model = made.student("bert_classifier")
    presets.save_preset(model, tokenizer, tmp_path)
    for file, *keys in (
        ("tokenizer.json",),
        ("preprocessor.json", "config", "tokenizer"),
        ("task.json", "config", "preprocessor", "config", "tokenizer"),
    ):
        content = json.loads((tmp_path / file).read_text())
        for key in keys:
            content = content[key]
        assert content["config"]["split_on_cjk"] is False
    model = keras_hub.models.TextClassifier.from_preset(
        str(tmp_path), compile=False
    )
    row = model.preprocessor(["猫猫"])["token_ids"][0]
    assert np.asarray(row)[:3].tolist() == [2, 6, 3]


@pytest.mark.filterwarnings(QUIET)
@pytest.mark.parametrize(
    "name", ["albert_classifier", "bert_span", "electra_classifier"]
)
def test_what_keras_hub_would_read_otherwise_has_no_preprocessor(
    name, tmp_path
):
    model = made.student(name)
    tokenizer = made.tokenizer(name.partition("_")[0])
    presets.save_preset(model, tokenizer, tmp_path)
    assert not (tmp_path / "preprocessor.json").exists()
    content = json.loads((tmp_path / "task.json").read_text())
    assert content["config"]["preprocessor"] is None


def test_a_tokenizer_of_another_kind_has_no_preprocessor():
    model = made.student("bert_classifier")
    assert presets.preprocessor_of(model, made.tokenizer("roberta")) is None
    assert presets.preprocessor_of(model, made.tokenizer()) is not None


@pytest.mark.slow
def test_an_encoder_embeds_texts(tmp_path):
    model = made.student("bert")
    set_embedding(model, TextEmbedding("cls", True, 8))
    Backbone().save(model, made.tokenizer(), tmp_path)
    embedder = keras_hub.models.TextEmbedder.from_preset(
        str(tmp_path), pooling_mode="cls"
    )
    assert embedder.preprocessor.sequence_length == 8
    np.testing.assert_allclose(
        embedder.predict(TEXTS, verbose=0),
        tfminilm.load(tmp_path).embed(TEXTS),
        atol=1e-5,
    )


@pytest.mark.slow
def test_masked_words_are_asked_with_texts(tmp_path):
    kind = MaskedLM("MLM-KD")
    model = masked_lm.build_masked_lm(made.student("bert"))
    kind.save(model, made.tokenizer(), tmp_path)
    reader = keras_hub.models.MaskedLM.from_preset(str(tmp_path))
    inputs, targets, _ = reader.preprocessor(TEXTS)
    assert inputs["token_ids"].shape == (3, 16)
    ids = np.array(inputs["token_ids"])
    places = np.array(inputs["mask_positions"])
    ids[np.arange(3)[:, None], places] = np.array(targets)
    tokenizer = load.load_tokenizer(tmp_path)
    ours = [*map(int, tokenizer(TEXTS[0]))]
    assert ids[0, 1 : 1 + len(ours)].tolist() == ours
    assert kind.load(tmp_path).preprocessor is None


@pytest.mark.slow
@pytest.mark.filterwarnings(QUIET)
@pytest.mark.parametrize("name", FAMILIES)
def test_keras_hub_alone_gives_the_same_probabilities(name, tmp_path):
    save(name, tmp_path)
    columns = [*map(list, zip(*PAIRS, strict=True))]
    one, two = alone("TextClassifier", tmp_path, columns)
    wanted = probabilities(tfminilm.load(tmp_path), TEXTS)
    np.testing.assert_allclose(softmax(one), wanted, atol=1e-5)
    note("mrpc", tmp_path)
    wanted = probabilities(tfminilm.load(tmp_path), PAIRS)
    np.testing.assert_allclose(softmax(two), wanted, atol=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings(QUIET)
@pytest.mark.parametrize("name", ["bert", "xlm-roberta"])
def test_keras_hub_alone_gives_the_same_embeddings(name, tmp_path):
    Backbone().save(made.student(name), made.tokenizer(name), tmp_path)
    found, _ = alone("TextEmbedder", tmp_path, normalize=False)
    wanted = tfminilm.load(tmp_path).embed(TEXTS)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
