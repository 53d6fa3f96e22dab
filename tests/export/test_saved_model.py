"""A SavedModel that takes texts, in every client that opens one."""

import json
import pathlib
import shutil
import subprocess
import sys

import keras
import make_hugging_face as made
import numpy as np
import pytest
import tensorflow as tf

import tfminilm
from tfminilm.errors import UserError
from tfminilm.export.server import saved_model, text_inputs
from tfminilm.export.server.folder import export_folder
from tfminilm.export.target import Target
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import get_task
from tfminilm.teachers.embedding import TextEmbedding, set_embedding

TEXTS = [
    "the cat sat on a mat",
    "The Résumé, and the CATS!",
    "a cat",
    "a cat that is far too long: the cat sat on a mat and the cat sat",
]
PAIRS = [*zip(TEXTS, reversed(TEXTS), strict=True)]
LENGTH = 12
# Nothing but TensorFlow: no Keras, no operations of TensorFlow Text.
PLAIN = """
import json, sys, tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
texts = tf.constant(json.load(sys.stdin))
found = loaded.signatures["serve_text"](texts)
assert not {"tensorflow_text", "tfminilm"} & set(sys.modules)
print(json.dumps(found["logits"].numpy().tolist()))
"""


def settings_of(task):
    return Settings.of(get_task(task), LENGTH) if task else None


def export(name, task, folder):
    target = Target(
        format="saved_model",
        lengths=(LENGTH,),
        max_difference=1e-3,
        min_agreement=0.5,
    )
    model = made.student(name)
    set_embedding(model, TextEmbedding(max_length=LENGTH))
    export_folder(
        model,
        made.tokenizer(),
        target,
        folder,
        settings=settings_of(task),
    )
    return folder / "saved_model" / "1"


@pytest.mark.parametrize("task", ["sst2", "stsb", None])
def test_inputs_made_in_the_graph_are_pythons(task, monkeypatch):
    name = {"sst2": "bert_classifier", "stsb": "bert_score"}.get(task, "bert")
    model, tokenizer = made.student(name), made.tokenizer()
    if task is None:
        set_embedding(
            model,
            TextEmbedding("mean", False, LENGTH, {"query": "a cat: "}, "query"),
        )
    read = text_inputs.TextInputs(model, tokenizer, settings_of(task))
    rows = PAIRS if task == "stsb" else [(text,) for text in TEXTS]
    assert read.max_length == LENGTH
    read.require_same(tokenizer, rows)
    # And it would say so if they were not.
    monkeypatch.setattr(read, "_pad", 1)
    with pytest.raises(UserError, match=r"read texts otherwise \(token_ids\)"):
        read.require_same(tokenizer, rows)


def test_what_cannot_take_texts_says_why():
    bert = made.student("bert_classifier")
    assert text_inputs.fault(bert, made.tokenizer()) == ""
    assert "places in the text" in text_inputs.fault(
        made.student("bert_span"), made.tokenizer()
    )
    assert "operations" in text_inputs.fault(bert, made.tokenizer("roberta"))


@pytest.mark.slow
def test_texts_of_a_classifier(tmp_path):
    folder = export("bert_classifier", "sst2", tmp_path / "served")
    model = tfminilm.load(tmp_path / "served")
    wanted = [[*one.scores.values()] for one in model.predict(TEXTS)]
    layer = keras.layers.TFSMLayer(folder, call_endpoint="serve_text")
    logits = layer(tf.constant(TEXTS))["logits"]
    np.testing.assert_allclose(tf.nn.softmax(logits), wanted, atol=1e-6)
    plain = subprocess.run(
        [sys.executable, "-c", PLAIN, folder],
        input=json.dumps(TEXTS),
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert plain.returncode == 0, plain.stderr
    found = json.loads(plain.stdout)
    np.testing.assert_allclose(found, logits, atol=1e-6)


@pytest.mark.slow
def test_texts_of_pairs_and_of_an_encoder(tmp_path):
    folder = export("bert_score", "stsb", tmp_path / "pairs")
    loaded = tf.saved_model.load(str(folder))
    columns = [tf.constant(column) for column in zip(*PAIRS, strict=True)]
    found = loaded.serve_text(*columns)["logits"][:, 0]
    scores = tfminilm.load(tmp_path / "pairs").predict(PAIRS)
    wanted = [one.score for one in scores]
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    folder = export("bert", None, tmp_path / "encoder")
    loaded = tf.saved_model.load(str(folder))
    found = loaded.serve_text(tf.constant(TEXTS))["sentence_embedding"]
    wanted = tfminilm.load(tmp_path / "encoder").embed(TEXTS)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.slow
def test_ids_by_name_as_keras_and_servers_give_them(tmp_path, make_batch):
    folder = export("bert", None, tmp_path / "served")
    ids = np.array([[2, 5, 6, 3]], np.int32)
    batch = {"token_ids": ids, "segment_ids": ids * 0, "padding_mask": ids**0}
    wanted = saved_model.Runner(tmp_path / "served")(batch)
    found = keras.layers.TFSMLayer(folder)(batch)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, atol=1e-6)
    command = pathlib.Path(sys.executable).with_name("saved_model_cli")
    arguments = ["show", "--dir", folder, "--tag_set", "serve"]
    shown = {}
    for signature in ("serving_default", "serve_text"):
        done = subprocess.run(
            [command, *arguments, "--signature_def", signature],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        shown[signature] = [
            line.split("'")[1]
            for line in done.stdout.splitlines()
            if "put['" in line or "puts['" in line
        ]
    names = ["padding_mask", "segment_ids", "token_ids"]
    outputs = ["pooled_output", "sentence_embedding", "sequence_output"]
    assert shown["serving_default"] == [*names, *outputs]
    assert shown["serve_text"] == ["texts", *outputs]


@pytest.mark.slow
def test_a_folder_without_versions_is_read(tmp_path):
    folder = export("bert_classifier", "sst2", tmp_path / "served")
    ids = np.array([[2, 5, 6, 3]], np.int32)
    batch = {"token_ids": ids, "segment_ids": ids * 0, "padding_mask": ids**0}
    wanted = saved_model.Runner(tmp_path / "served")(batch)
    older = tmp_path / "older"
    shutil.copytree(folder, older / "saved_model")
    found = saved_model.Runner(older)(batch)
    np.testing.assert_array_equal(found["logits"], wanted["logits"])
