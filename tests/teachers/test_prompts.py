"""Texts in front of texts, as sentence-transformers puts them there."""

import json
import pathlib
import types

import make_prompts as made
import numpy as np
import pytest

import tfminilm
from tfminilm import UserError, teachers
from tfminilm.tasks.encode import encode, encode_texts
from tfminilm.tasks.example import Example
from tfminilm.tasks.similarity import score_similarity
from tfminilm.tasks.task import get_task
from tfminilm.teachers.embedding import (
    embedding_of,
    read_embedding,
    write_embedding,
)
from tfminilm.train.models import Models
from tfminilm.train.sources.encoder import Encoder

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
NUMBERS = np.load(made.GOLDEN)
# An empty text is none for `embed`.
PLACES = [i for i, text in enumerate(made.TEXTS) if text]
TEXTS = [made.TEXTS[i] for i in PLACES]
DEFAULT = made.PROMPTS["query"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prompts")
    made.write(folder)
    return folder


@pytest.fixture(scope="module")
def source(folders):
    return folders / "model"


@pytest.mark.parametrize(
    ("name", "prefix"), [("model", ""), ("written", "written/")]
)
def test_the_library_embeds_alike(name, prefix, folders):
    model = tfminilm.load(folders / name)
    if prefix:
        # Otherwise it was another folder that the library has read: make the
        # golden file again.
        digest = made.library.digest(folders / name)
        assert digest == str(NUMBERS["written/digest"])
    assert model.prompts == {k: x for k, x in made.PROMPTS.items() if x}
    assert model.embedding.prompt == DEFAULT
    assert f"prompt={DEFAULT!r}" in repr(model)
    given = {"default": None, "none": "", **made.PROMPTS}
    for key, prompt in given.items():
        wanted = NUMBERS[prefix + key][PLACES]
        found = model.embed(TEXTS, prompt=prompt)
        np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert np.max(np.abs(NUMBERS["default"] - NUMBERS["none"])) > 0.1
    # Also where the embedding is a prediction.
    vectors = [found.embedding for found in model.predict(TEXTS)]
    np.testing.assert_array_equal(vectors, model.embed(TEXTS))


def test_our_own_presets_keep_them(source, tmp_path):
    write_embedding(tmp_path, teachers.load_backbone(source))
    assert read_embedding(tmp_path) == read_embedding(source)


def test_similar_texts_are_scored_behind_it(source):
    words = teachers.load_tokenizer(source)
    seen = []

    def embed(encoded):
        seen.append(encoded)
        return np.eye(len(encoded))

    examples = [
        Example("0", ("the cat", "a mat"), 1.0),
        Example("1", ("the", "a"), 2.0),
    ]
    score_similarity(
        get_task("stsb"), embed, words, examples, 16, prompt=DEFAULT
    )
    for place, encoded in enumerate(seen):
        texts = [(DEFAULT + each.texts[place],) for each in examples]
        wanted = encode_texts(texts, words, 16)
        np.testing.assert_array_equal(encoded.token_ids, wanted.token_ids)
    assert len(seen) == 2


def test_a_student_learns_texts_behind_its_teachers(source):
    teacher, words = (
        teachers.load_backbone(source),
        teachers.load_tokenizer(source),
    )
    task = get_task("sst2")
    for has_head, prompt in ((False, DEFAULT), (True, "")):
        student = types.SimpleNamespace(**{"backbone": 0} if has_head else {})
        trained = types.SimpleNamespace(teacher=teacher)
        encoder = Encoder.of(
            Models(trained, student, words),
            16,
            lambda few, cut: encode(task, few, cut.tokenizer, cut.max_length),
        )
        for texts in (("a cat",), ("a cat", "a mat")):
            encoded = encoder([Example("0", texts, 0)])
            one = len(texts) == 1
            wanted = [(prompt + texts[0],) if one else texts]
            np.testing.assert_array_equal(
                encoded.token_ids, encode_texts(wanted, words, 16).token_ids
            )
    assert embedding_of(teacher).prompt == DEFAULT


@pytest.mark.parametrize(
    ("name", "changes", "text"),
    [
        ("config_sentence_transformers.json", {"default_prompt_name": "q"},
         "default_prompt_name is 'q', expected one of the prompts, query,"),
        ("config_sentence_transformers.json", {"prompts": {"query": 3}},
         "prompts"),
        ("1_Pooling/config.json", {"include_prompt": False},
         "include_prompt is false, expected true"),
    ],
)  # fmt: skip
def test_what_is_not_known_here(tmp_path, name, changes, text):
    folder = made.make(tmp_path / "model")
    path = folder / name
    path.chmod(0o644)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(UserError, match=text) as error:
        read_embedding(folder)
    assert "\n" not in str(error.value)
