"""MPNet on phones and in Hugging Face folders."""

import json

import make_mpnet as made
import numpy as np
import pytest
import tensorflow as tf

from tfminilm import teachers
from tfminilm.compress import prune
from tfminilm.export.bundle import reader, writer
from tfminilm.export.check import calibration, parity
from tfminilm.export.check.ranges import activation_ranges
from tfminilm.export.graph.mobile_graph import MobileGraph
from tfminilm.export.litert import profile
from tfminilm.export.litert.convert import convert
from tfminilm.export.server import hugging_face
from tfminilm.export.target import Target
from tfminilm.private.encoders import encoder_parts
from tfminilm.tasks import encode, heads

# What `transformers` calls our outputs.
NAMES = {
    "sequence_output": "last_hidden_state",
    "pooled_output": "pooler_output",
}


@pytest.fixture(scope="module")
def golden():
    return np.load(made.HERE / "written.npz")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("mpnet")
    made.write(root)
    return root


def batch():
    settings = {"model_type": "mpnet", "pad_token_id": 1}
    given = made.imports.batch(settings)
    return {
        "token_ids": given["input_ids"].astype("int32"),
        "padding_mask": given["attention_mask"].astype("int32"),
    }


def outputs(model):
    found = model(batch(), training=False)
    if not isinstance(found, dict):
        found = {"logits": found}
    return {name: np.array(value) for name, value in found.items()}


@pytest.mark.parametrize("name", made.HEADS)
def test_transformers_computes_the_same(name, folders, golden):
    # Otherwise it was another folder that `transformers` has read: make the
    # golden file again.
    assert made.digest(folders / name) == str(golden[f"{name}/digest"])
    load = teachers.load_backbone if name == "mpnet" else heads.load_head
    model, real = made.student(name), batch()["padding_mask"] > 0
    again = outputs(load(folders / name))
    for key, value in outputs(model).items():
        np.testing.assert_array_equal(again[key], value)
        wanted = golden[f"{name}/{NAMES.get(key, key)}"]
        if key == "sequence_output" or name.endswith("span"):
            value, wanted = value[real], wanted[real]
        np.testing.assert_allclose(value, wanted, atol=1e-5)


def test_the_library_embeds_alike(folders, golden):
    read = np.load(made.HERE / "golden.npz")
    assert str(golden["ids"]) == str(read["ids"])
    assert golden["pair"].tolist() == read["pair"].tolist()
    np.testing.assert_allclose(
        golden["embeddings"], read["embeddings"], atol=1e-6
    )
    written = folders / "sentences"
    words = teachers.load_tokenizer(written)
    texts = calibration.batch(words, [(x,) for x in made.TEXTS], made.LENGTH)
    model = teachers.load_backbone(written)
    found = parity.keras_outputs(model, texts)["sentence_embedding"]
    np.testing.assert_allclose(found, golden["embeddings"], atol=1e-5)


def test_another_model_of_its_words(tmp_path):
    """BERT's own class in `transformers` would put one end between texts."""
    from tfminilm import students

    words = made.tokenizer()
    size = words.vocabulary_size()
    model = students.bert(1, 8, 2, vocabulary_size=size)
    hugging_face.write(model, words, tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert config["tokenizer_class"] == "PreTrainedTokenizerFast"
    engine = json.loads((tmp_path / "tokenizer.json").read_text())
    pair = engine["post_processor"]["pair"]
    tokens = [x["SpecialToken"]["id"] for x in pair if "SpecialToken" in x]
    assert tokens == ["<s>", "</s>", "</s>", "</s>"]


@pytest.mark.parametrize("name", ["mpnet", "mpnet_classifier", "mpnet_span"])
def test_a_phone_computes_the_same(name):
    model = made.student(name)
    graph, wanted = MobileGraph(model), outputs(model)
    call = graph.signature(9)
    for row, length in enumerate((9, 5, 1)):
        one = {k: tf.constant(x[row : row + 1]) for k, x in batch().items()}
        found = call(**one)
        for key in wanted.keys() & {*graph.outputs}:
            real = wanted[key][row]
            got = found[key].numpy()[0]
            if key == "sequence_output" or name.endswith("span"):
                got, real = got[:length], real[:length]
            np.testing.assert_allclose(got, real, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("mpnet", "static_wi8_ai8"),
        ("mpnet_classifier", "dynamic_wi8_afp32"),
    ],
)
def test_a_file_is_one_partition(name, precision, tmp_path):
    path = tmp_path / "model.tflite"
    model = made.student(name)
    texts = {key: np.pad(x, ((0, 0), (0, 7))) for key, x in batch().items()}
    file = convert(model, precision, (16,), batch=lambda length: texts)
    path.write_bytes(file)
    assert profile.partitions(path) == {"encode_16": 1}
    assert profile.custom_operators(path) == []


def test_silent_heads_keep_their_biases():
    model = made.student("mpnet_classifier")
    pruned = prune.prune(model, [batch()], num_layers=1, kept_heads=1)
    one = {k: tf.constant(x[:1]) for k, x in batch().items()}
    found = MobileGraph(pruned).signature(9)(**one)["logits"].numpy()
    np.testing.assert_allclose(found, outputs(pruned)["logits"][:1], atol=1e-5)


def test_a_bundle(tmp_path):
    model, words = made.student("mpnet"), made.tokenizer()
    writer.export_bundle(model, words, Target(lengths=(16,)), tmp_path / "b")
    bundle = reader.open_bundle(tmp_path / "b")
    settings = bundle.manifest.tokenizer
    assert settings.separators_between_texts == 2
    mask = words.mask_token_id
    wanted = {"cls": 0, "sep": 2, "pad": 1, "mask": mask, "unk": 6}
    assert settings.special_ids == wanted
    again = bundle.tokenizer
    assert type(again) is type(words)
    assert encode.special_ids(again) == encode.special_ids(words)
    lines = list(made.token_ids.LINES)
    assert again(lines) == words(lines)


@pytest.mark.parametrize("name", ["mpnet", "mpnet_classifier"])
def test_ranges_inside_a_layer_know_of_the_bias(name):
    """A layer that is called alone computes what it does in the model."""
    model = made.student(name)
    found = {x.tensor: x for x in activation_ranges(model, [batch()])}
    wide = "layer 1, feed-forward layer norm's input"
    last = getattr(model, "backbone", model).transformer_layers[1]
    norm = encoder_parts(last).feedforward_norm
    seen = []
    call, norm.call = norm.call, lambda x: seen.append(x) or call(x)
    model(batch(), training=False)
    del norm.call
    real = batch()["padding_mask"] > 0
    largest = np.abs(np.array(seen[0]))[real].max()
    assert found[wide].largest == pytest.approx(largest, rel=1e-4)
