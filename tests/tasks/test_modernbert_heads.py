"""ModernBERT's heads: as `transformers` has them, in, out and on a phone."""

import json
import pathlib

import keras
import keras_hub
import make_modernbert as made
import numpy as np
import pytest
import safetensors.numpy

from tfminilm import UserError, students
from tfminilm.export.graph.mobile_graph import MobileGraph
from tfminilm.export.server import hugging_face
from tfminilm.families.modernbert.classifier import ModernBertTextClassifier
from tfminilm.tasks.heads import build_head, load_head
from tfminilm.tasks.task import Task
from tfminilm.teachers import expose
from tfminilm.teachers.heads import find_head
from tfminilm.tokenizer.hugging_face import with_bert_rules

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
OUTPUTS = {
    "cls": ["logits"],
    "mean": ["logits"],
    "span": ["start_logits", "end_logits"],
    "tokens": ["token_logits"],
}
# What `transformers` calls them.
NAMES = {"token_logits": "logits"}
every_head = pytest.mark.parametrize("name", OUTPUTS)


@pytest.fixture(scope="module")
def golden():
    return np.load(made.GOLDEN)


@pytest.fixture
def folder(golden, tmp_path):
    """A function that writes a case's folder, and gives its path."""

    def write(name):
        made.write(golden, name, tmp_path / name)
        return tmp_path / name

    return write


def run(model, padding=None):
    batch = made.batch()
    inputs = {
        "token_ids": batch["input_ids"].astype("int32"),
        "padding_mask": batch["attention_mask"].astype("int32"),
    }
    if padding is not None:
        real = batch["attention_mask"] > 0
        inputs["token_ids"] = np.where(real, inputs["token_ids"], padding)
    found = model(inputs, training=False)
    found = found if isinstance(found, dict) else {"logits": found}
    return {k: keras.ops.convert_to_numpy(x) for k, x in found.items()}


def assert_same(found, wanted, atol):
    real = made.batch()["attention_mask"] > 0
    for key, value in found.items():
        kept = real if key != "logits" else ...
        np.testing.assert_allclose(value[kept], wanted[key][kept], atol=atol)


@every_head
def test_heads_are_right(name, golden, folder, tmp_path):
    path = folder(name)
    model = load_head(path)
    found = run(model)
    assert list(found) == OUTPUTS[name]
    wanted = {key: golden[f"{name}/{NAMES.get(key, key)}"] for key in found}
    assert_same(found, wanted, 1e-4)
    assert_same(run(model, padding=7), found, 0)
    model.save_to_preset(tmp_path / "preset")
    assert_same(run(load_head(tmp_path / "preset")), found, 0)
    if name in ("cls", "mean"):
        assert isinstance(model, ModernBertTextClassifier)
        assert model.pooling == name
        # What a distiller reads of a teacher computes the same, shorter.
        view = expose(model, {"logits": [-1], "queries": [0]})
        short = run(view)["logits/0"]
        np.testing.assert_allclose(short, found["logits"], atol=1e-5)


@every_head
def test_written_again_they_are_the_same(name, golden, folder, tmp_path):
    path = folder(name)
    model, head = load_head(path), find_head(path)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefg"]
    tokenizer = with_bert_rules(keras_hub.models.BertTokenizer(words))
    out = tmp_path / "out"
    out.mkdir()
    hugging_face.write(model, tokenizer, out, head.labels)
    first, again = (
        safetensors.numpy.load_file(each / "model.safetensors")
        for each in (path, out)
    )
    assert first.keys() == again.keys()
    for key, value in first.items():
        np.testing.assert_array_equal(value, again[key])
    before, after = (
        json.loads((each / "config.json").read_text()) for each in (path, out)
    )
    assert after["architectures"] == before["architectures"]
    # The tokenizer's padding is another than the small model's.
    same = ("classifier_pooling", "rope_parameters", "layer_types", "norm_eps")
    for key in same if name in ("cls", "mean") else same[1:]:
        assert after[key] == before[key]
    assert_same(run(load_head(out)), run(model), 0)
    assert find_head(out) == head


@every_head
def test_a_phone_computes_the_same(name, folder, golden):
    import tensorflow as tf

    graph, batch = MobileGraph(load_head(folder(name))), made.batch()
    call = graph.signature(20)
    for row in range(3):
        found = call(
            token_ids=tf.constant(batch["input_ids"][[row]], tf.int32),
            padding_mask=tf.constant(batch["attention_mask"][[row]], tf.int32),
        )
        count = batch["attention_mask"][row].sum()
        for key in OUTPUTS[name]:
            wanted = golden[f"{name}/{NAMES.get(key, key)}"][[row]]
            kept = np.s_[:, :count] if key != "logits" else ...
            np.testing.assert_allclose(
                found[key].numpy()[kept], wanted[kept], atol=1e-4
            )


def test_a_new_head_has_these_layers():
    backbone = students.modernbert(
        1, 8, num_heads=2, vocabulary_size=9, max_sequence_length=8
    )
    task = Task("t", "classification", ("text",), (), ("no", "yes"))
    model = build_head(task, backbone)
    assert isinstance(model, ModernBertTextClassifier)
    assert (model.pooling, model.dropout) == ("cls", 0.1)
    assert not model.get_layer("head_dense").use_bias
    finder = build_head(Task("q", "qa", ("a", "b"), ()), backbone)
    assert finder.get_layer("head_norm").beta is None
    with pytest.raises(UserError, match="pooling is 'max', expected cls or me"):
        ModernBertTextClassifier(backbone, 2, pooling="max")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"classifier_pooling": "max"},
            "classifier_pooling is 'max', expected",
        ),
        ({"classifier_bias": True}, "classifier_bias is True, expected False"),
    ],
)
def test_other_heads_are_refused(changes, sentence, folder):
    path = folder("cls") / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(UserError, match=sentence):
        load_head(path.parent)
