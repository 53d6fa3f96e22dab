"""Folders for servers: right at any batch and length, or not there."""

import json
import math

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf

from tfminilm import files, students
from tfminilm.errors import UserError
from tfminilm.export.server import folder, serving
from tfminilm.export.target import Target
from tfminilm.tasks import heads
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task, get_task
from tfminilm.typed_json import to_json

SETTINGS = Settings("sst2", "classification", ("bad", "good"), 16)


@pytest.fixture(scope="module")
def classifier(make_backbone):
    return heads.build_head(get_task("sst2"), make_backbone(num_layers=1))


@pytest.fixture(scope="module")
def encoder(make_backbone):
    return make_backbone(num_layers=1)


def export(model, tokenizer, output, kind, sentences, settings=None, **options):
    target = Target(name="server", format=kind, lengths=(8, 16), **options)
    return folder.export_folder(
        model, tokenizer, target, output, sentences, settings, "A student."
    )


def assert_same(run, model, make_batch):
    """Batches of several sizes and lengths, against Keras and NumPy."""
    for lengths, total in (((11, 3, 1), 11), ((5,), 9)):
        batch = make_batch(lengths, total)
        wanted = model(batch, training=False)
        if not isinstance(wanted, dict):
            wanted = {"logits": wanted}
        wanted = {name: np.array(value) for name, value in wanted.items()}
        if "sequence_output" in wanted:
            real = batch["padding_mask"][:, :, None].astype(np.float64)
            total_state = (wanted["sequence_output"] * real).sum(1)
            wanted["sentence_embedding"] = total_state / real.sum(1)
        got = run(batch)
        assert got.keys() == wanted.keys()
        for name, value in wanted.items():
            np.testing.assert_allclose(got[name], value, atol=1e-4)


def test_onnx(classifier, tokenizer, sentences, make_batch, tmp_path):
    output = tmp_path / "onnx"
    manifest = export(
        classifier, tokenizer, output, "onnx", sentences, SETTINGS
    )
    content = json.loads((output / "manifest.json").read_text())
    assert content == to_json(manifest)
    assert content["format"] == "tfminilm-onnx"
    assert content["labels"] == ["bad", "good"]
    assert content["parity"]["outputs"]["logits"]["agreement"] == 1
    written = {"model.onnx", "vocab.txt", "tfminilm.json"}
    assert set(content["files"]) == written
    for name, file in content["files"].items():
        assert file["sha256"] == files.sha256(output / name)
    model = onnx.load(output / "model.onnx")
    onnx.checker.check_model(model)
    assert [o.version for o in model.opset_import if not o.domain] == [17]
    session = onnxruntime.InferenceSession(output / "model.onnx")
    shapes = {value.name: value.shape for value in session.get_inputs()}
    names = ("token_ids", "segment_ids", "padding_mask")
    assert shapes == {name: ["batch", "length"] for name in names}

    def run(batch):
        return {"logits": session.run(["logits"], batch)[0]}

    assert_same(run, classifier, make_batch)


def test_onnx_of_the_exact_gelu(tmp_path):
    """XLM-R's and DistilBERT's, in which TensorFlow has an erfc."""
    inputs = {
        name: keras.Input((None,), dtype="int32", name=name)
        for name in ("token_ids", "padding_mask")
    }
    x = keras.layers.Embedding(9, 4)(inputs["token_ids"])
    x = keras.ops.gelu(3 * x, approximate=False)
    model = keras.Model(inputs, {"sequence_output": x})
    model.weights[0].assign(np.linspace(-1, 1, 36).reshape(9, 4))
    folder.onnx.write(model, tmp_path)
    ids = np.arange(9, dtype=np.int32)[None]
    got = folder.onnx.Runner(tmp_path)(
        {"token_ids": ids, "padding_mask": ids**0}
    )
    x = np.linspace(-3, 3, 36)
    wanted = [0.5 * v * (1 + math.erf(v / 2**0.5)) for v in x]
    np.testing.assert_allclose(
        got["sequence_output"].ravel(), wanted, atol=1e-6
    )


@pytest.mark.slow  # The other formats show the rest of it.
def test_saved_model(encoder, tokenizer, sentences, make_batch, tmp_path):
    output = tmp_path / "served"
    manifest = export(encoder, tokenizer, output, "saved_model", sentences)
    assert "saved_model/1/saved_model.pb" in manifest.files
    loaded = tf.saved_model.load(str(output / "saved_model" / "1"))
    signature = loaded.signatures["serving_default"]

    def run(batch):
        outputs = signature(**{k: tf.constant(v) for k, v in batch.items()})
        return {name: value.numpy() for name, value in outputs.items()}

    assert_same(run, encoder, make_batch)


def test_hugging_face_replaces_what_is_its_own(
    classifier, tokenizer, sentences, tmp_path
):
    output = tmp_path / "hf"
    for _ in range(2):
        arguments = (classifier, tokenizer, output, "hugging_face", sentences)
        manifest = export(*arguments, SETTINGS)
    assert manifest.parity.outputs["logits"].max_difference < 1e-6
    config = json.loads((output / "config.json").read_text())
    assert config["id2label"] == {"0": "bad", "1": "good"}
    assert heads.load_head(output).num_classes == 2
    thesis = output / "saved" / "thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("years of work")
    with pytest.raises(UserError, match=r"holds saved/thesis\.txt, so it is n"):
        export(*arguments, SETTINGS)
    assert thesis.read_text() == "years of work"


@pytest.mark.parametrize("kind", ["onnx", "saved_model"])
def test_ids_without_a_row(kind, encoder, make_batch, tmp_path):
    run = folder._write(encoder, kind, tmp_path)
    batch = make_batch((5, 3), 5)
    for value, words in (
        (-1, "token_ids has numbers from -1 to"),
        (100, "on token ids up to 100: "),
        (2**31 - 1, "on token ids up to 2147483647: "),
    ):
        ids = batch["token_ids"].copy()
        ids[1, 2] = value
        with pytest.raises(UserError, match=words):
            run(batch | {"token_ids": ids})
    with pytest.raises(UserError, match="segment_ids has numbers from 2 to 2"):
        run(batch | {"segment_ids": batch["segment_ids"] * 0 + 2})


def test_on_another_backend(encoder, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(serving.keras.backend, "backend", lambda: "jax")
    with pytest.raises(UserError, match="on jax: set KERAS_BACKEND=tensorflow"):
        export(encoder, tokenizer, tmp_path / "onnx", "onnx", ["the cat"])
    assert list(tmp_path.iterdir()) == []


def test_a_length_without_positions(encoder, tokenizer, tmp_path):
    target = Target(format="onnx", lengths=(8, 65))
    with pytest.raises(UserError, match=r"\(8, 65\), expected up to 64, the"):
        folder.export_folder(encoder, tokenizer, target, tmp_path / "onnx")


def test_what_differs_is_not_written(
    encoder, tokenizer, sentences, tmp_path, monkeypatch
):
    write = folder.hub.hugging_face.write

    def break_it(model, *args):
        changed = heads.rebuilt(model)
        changed.set_weights([1.001 * weight for weight in model.get_weights()])
        write(changed, *args)

    monkeypatch.setattr(folder.hub.hugging_face, "write", break_it)
    with pytest.raises(UserError, match="Hugging Face folder and Keras dis"):
        export(encoder, tokenizer, tmp_path / "hf", "hugging_face", sentences)
    assert list(tmp_path.iterdir()) == []


def test_rows_of_a_batch_may_not_change_each_other(
    encoder, tokenizer, sentences, tmp_path, monkeypatch
):
    run = folder.hub.hugging_face.Runner.__call__

    def mixed_up(self, batch):
        return {name: value[::-1] for name, value in run(self, batch).items()}

    monkeypatch.setattr(folder.hub.hugging_face.Runner, "__call__", mixed_up)
    with pytest.raises(UserError, match="Hugging Face folder and Keras dis"):
        export(encoder, tokenizer, tmp_path / "hf", "hugging_face", sentences)


@pytest.mark.slow
def test_what_onnxruntime_cannot_run_is_not_written(tokenizer, tmp_path, capfd):
    untrained = students.mobilebert(
        vocabulary_size=100, num_layers=1, num_heads=2, hidden_dim=16,
        bottleneck_dim=8, intermediate_dim=8, embedding_dim=8,
    )  # fmt: skip
    with pytest.raises(UserError, match="onnxruntime cannot run this model"):
        export(untrained, tokenizer, tmp_path / "onnx", "onnx", ["the cat"])
    assert list(tmp_path.iterdir()) == []
    assert "onnxruntime" not in capfd.readouterr().err


LAYOUT = {
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
}
OF_AN_ENCODER = {
    "1_Pooling/config.json",
    "config_sentence_transformers.json",
    "modules.json",
    "sentence_bert_config.json",
}
WEIGHTS, FLOAT, INT8 = (
    "model.safetensors",
    "onnx/model.onnx",
    "onnx/model_quantized.onnx",
)


@pytest.mark.parametrize(
    ("kind", "models"),
    [
        ("sentence_transformers", [WEIGHTS, FLOAT, INT8]),
        ("transformers_js", [FLOAT, INT8]),
        ("onnx_int8", [INT8]),
    ],
)
def test_layouts(kind, models, encoder, tokenizer, sentences, tmp_path):
    output = tmp_path / kind
    options = {"precision": "dynamic_wi8_afp32"} if kind == "onnx_int8" else {}
    if options:
        options |= {"max_difference": 1.0, "min_cosine": 0.97}
    for _ in range(2):  # An older export is replaced.
        manifest = export(
            encoder, tokenizer, output, kind, sentences, **options
        )
    content = json.loads((output / "manifest.json").read_text())
    assert content == to_json(manifest)
    assert content["format"] == f"tfminilm-{kind}"
    assert set(content["files"]) == LAYOUT | OF_AN_ENCODER | set(models)
    if len(models) > 1:
        assert list(content["parities"]) == models
        parities = content["parities"]
    else:
        parities = {models[0]: content["parity"]}
    for name in models:
        outputs = parities[name]["outputs"]
        exact = 0.0001 if name != INT8 else 0.5
        assert outputs["sequence_output"]["max_difference"] < exact
        if name == INT8:
            assert outputs["sentence_embedding"]["max_difference"] > 1e-4


def test_int8_that_differs_is_not_written(
    encoder, tokenizer, sentences, tmp_path, monkeypatch
):
    """The other file of the folder is right; the layer is named."""
    pack = folder.hub.transformers_onnx.quantize.__globals__["pack_matrix"]

    def coarse(matrix):
        values, scales = pack(matrix)
        return values // 40 * 40, scales

    monkeypatch.setitem(
        folder.hub.transformers_onnx.quantize.__globals__, "pack_matrix", coarse
    )
    message = r"transformers.js and Keras disagree: .* the worst layer is layer"
    with pytest.raises(UserError, match=message):
        export(
            encoder, tokenizer, tmp_path / "js", "transformers_js", sentences
        )
    assert not (tmp_path / "js").exists()


def test_sentence_transformers_has_no_tags(make_backbone, tokenizer, tmp_path):
    labels = ("O", "B-X", "I-X")
    task = Task("t", "token_classification", (), (), labels, texts=("text",))
    head = heads.build_head(task, make_backbone(num_layers=1))
    message = r"no model for a TokenClassifier: expected an encoder \(--as=enc"
    with pytest.raises(UserError, match=message):
        export(
            head,
            tokenizer,
            tmp_path / "st",
            "sentence_transformers",
            ["a b"],
            Settings("t", "token_classification", labels, 16),
        )
