"""Prompts of sentence-transformers in what is exported."""

import json
import pathlib

import make_prompts as made
import numpy as np
import pytest

import tfminilm
from tfminilm import UserError, teachers
from tfminilm.export.bundle.writer import export_bundle
from tfminilm.export.target import Target
from tfminilm.export.text_tasks.writer import export_text_task

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
NUMBERS = np.load(made.GOLDEN)
# An empty text is none for `embed`.
PLACES = [i for i, text in enumerate(made.TEXTS) if text]
TEXTS = [made.TEXTS[i] for i in PLACES]
DEFAULT = made.PROMPTS["query"]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return made.make(tmp_path_factory.mktemp("prompts") / "model")


def test_a_bundle_says_its_prompt(source, tmp_path):
    model, words = (
        teachers.load_backbone(source),
        teachers.load_tokenizer(source),
    )
    target = Target(name="a", precision="float32", lengths=(16,))
    export_bundle(model, words, target, tmp_path / "a", texts=["the cat"])
    manifest = json.loads((tmp_path / "a/manifest.json").read_text())
    assert manifest["sentence_embedding"]["prompt"] == DEFAULT
    bundle = tfminilm.load(tmp_path / "a")
    assert bundle.prompts == {}
    wanted = NUMBERS["default"][PLACES]
    np.testing.assert_allclose(bundle.embed(TEXTS), wanted, atol=1e-4)


def test_clients_that_know_none_are_refused(source, tmp_path):
    model, words = (
        teachers.load_backbone(source),
        teachers.load_tokenizer(source),
    )
    target = Target(name="a", format="mediapipe_embedder", lengths=(16,))
    with pytest.raises(UserError, match="the model has 'the cat: ' in front"):
        export_text_task(model, words, target, tmp_path / "a", ["the cat"])
