"""What of a model is exported: its head too, unless `--as=encoder` is given."""

import json
import pathlib

import keras_hub
import numpy as np
import pytest

import tfminilm
from tfminilm.commands import main
from tfminilm.export.bundle.reader import open_bundle
from tfminilm.tasks import heads
from tfminilm.tasks.settings import Settings
from tfminilm.teachers import load_tokenizer
from tfminilm.tokenizer.hugging_face import with_bert_rules

pytestmark = pytest.mark.filterwarnings(
    "ignore:the load_module:DeprecationWarning"
)
GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "cross_encoders"
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "cat", "sat"]


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    """A text classifier as KerasHub alone saves it."""
    folder = tmp_path_factory.mktemp("preset")
    models = keras_hub.models
    backbone = models.BertBackbone(
        vocabulary_size=len(WORDS),
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=16,
    )
    preprocessor = models.BertTextClassifierPreprocessor(
        with_bert_rules(models.BertTokenizer(WORDS)), sequence_length=16
    )
    models.BertTextClassifier(
        backbone, 2, preprocessor, activation="softmax"
    ).save_to_preset(str(folder))
    return folder


def export(model, output, *given, form="android_fp32"):
    flags = [f"--model={model}", f"--output={output}", *given]
    return main(["export", f"--config={form}:smoke", *flags])


def manifest(output):
    return json.loads((output / "manifest.json").read_text())


@pytest.mark.parametrize(
    "form",
    [
        pytest.param("android_fp32", marks=pytest.mark.slow),
        "hugging_face",
        "server_saved_model",
    ],
)
def test_a_preset_keeps_its_head(form, preset, tmp_path, error):
    output = tmp_path / "out"
    assert export(preset, output, form=form) == 1
    assert "does not name its 2 classes" in error()
    assert not output.exists()
    assert export(preset, output, "--labels=no,yes", form=form) == 0
    assert manifest(output)["task"] == "classification"
    assert manifest(output)["labels"] == ["no", "yes"]


@pytest.mark.parametrize(
    "form", ["android_fp32", "hugging_face", "server_saved_model"]
)
def test_its_encoder_alone(form, preset, tmp_path, error):
    output = tmp_path / "out"
    assert export(preset, output, "--as=encoder", form=form) == 0
    assert manifest(output)["task"] == "encoder"
    # An encoder has no head to ask for, and no classes.
    assert export("tiny:bert", tmp_path / "b", "--as=task", form=form) == 1
    assert "tiny:bert holds an encoder without a head" in error()
    assert export("tiny:bert", tmp_path / "b", "--labels=a,b", form=form) == 1
    assert "an encoder has no classes: leave the labels a, b out" in error()


def test_an_unread_head_needs_the_flag(tmp_path, error):
    folder = tmp_path / "choices"
    folder.mkdir()
    for path in (GOLDEN / "plain").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    settings = json.loads((folder / "config.json").read_text())
    settings["architectures"] = ["BertForMultipleChoice"]
    (folder / "config.json").write_text(json.dumps(settings))
    assert export(folder, tmp_path / "out") == 1
    line = error()
    assert "whose head is not read here" in line
    assert "--as=encoder" in line
    assert export(folder, tmp_path / "out", "--as=encoder") == 0


def test_a_bundle_gives_a_cross_encoders_scores(tmp_path):
    output = tmp_path / "bundle"
    length = "--config.lengths=16"
    assert export(GOLDEN / "sigmoid", output, length) == 0
    assert manifest(output)["score_activation"] == "sigmoid"
    assert manifest(output)["num_texts"] == 2
    bundle = open_bundle(output)
    assert bundle.settings.score_activation == ""  # Nothing is left to do.
    row = np.array([2, 5, 6, 18, 3, 9, 6, 7, 8, 5, 10, 15, 3])
    segments = np.array([0] * 5 + [1] * 8)
    score = bundle.encoder(row, segments)["logits"]
    golden = np.load(GOLDEN / "golden.npz")["sigmoid/scores"]
    np.testing.assert_allclose(score, [[golden[0]]], atol=1e-5)


@pytest.mark.parametrize("name", ["sigmoid", "identity"])
def test_a_hugging_face_folder_says_the_activation(name, tmp_path):
    output = tmp_path / "out"
    assert export(GOLDEN / name, output, form="hugging_face") == 0
    (output / "tfminilm.json").unlink()
    again = Settings.load(output)
    before = Settings.load(GOLDEN / name)
    assert again.score_activation == before.score_activation
    assert again.num_texts == 2
    ours, theirs = heads.load_head(output), heads.load_head(GOLDEN / name)
    for one, other in zip(
        ours.get_weights(), theirs.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    assert load_tokenizer(output).vocabulary_size() == 21


@pytest.mark.parametrize("form", ["android_fp32", "server_onnx"])
def test_what_is_loaded_gives_scores(form, tmp_path):
    output = tmp_path / "out"
    assert (
        export(GOLDEN / "sigmoid", output, "--config.lengths=16", form=form)
        == 0
    )
    golden = np.load(GOLDEN / "golden.npz")["sigmoid/scores"]
    pair = ("the cat?", "a cat sat on the mat.")
    for model in (GOLDEN / "sigmoid", output):
        score = tfminilm.load(model).predict(pair).score
        assert score == pytest.approx(golden[0], abs=1e-5)
