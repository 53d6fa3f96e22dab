"""Hugging Face's models that classify tokens: in to 1e-5, and out again."""

import json
import pathlib

import keras
import make_token_folders as written
import make_token_heads as made
import numpy as np
import pytest

from tfminilm.tasks import heads
from tfminilm.tasks.settings import Settings

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


LABELS = tuple(made.TAGS["id2label"].values())


@pytest.fixture(scope="module")
def golden():
    return np.load(made.GOLDEN)


def compute(model, batch):
    given = {
        "token_ids": batch["input_ids"],
        "segment_ids": batch["token_type_ids"],
        "padding_mask": batch["attention_mask"],
    }
    inputs = {name: given[name].astype("int32") for name in model.input}
    logits = model(inputs, training=False)["token_logits"]
    return keras.ops.convert_to_numpy(logits)


@pytest.mark.parametrize("name", made.CASES)
def test_transformers_computes_the_same(name, golden, tmp_path):
    settings, _ = made.imports.write(golden, name, tmp_path)
    model = heads.load_head(tmp_path)
    batch = made.imports.batch(settings)
    real = batch["attention_mask"] > 0
    got, wanted = compute(model, batch), golden[f"{name}/logits"]
    assert got.shape == wanted.shape
    scale = np.abs(wanted).max()
    assert np.abs(got - wanted)[real].max() < 1e-5 * scale
    read = Settings.load(tmp_path)
    assert (read.kind, read.labels) == ("token_classification", LABELS)
    # What is saved is what was loaded.
    model.save_to_preset(tmp_path / "preset")
    again = heads.load_head(tmp_path / "preset")
    np.testing.assert_array_equal(compute(again, batch), compute(model, batch))


def test_its_rate_of_dropout(golden, tmp_path):
    made.imports.write(golden, "bert", tmp_path)
    assert heads.load_head(tmp_path).dropout == 0.1
    path = tmp_path / "config.json"
    config = json.loads(path.read_text()) | {"classifier_dropout": 0.25}
    path.write_text(json.dumps(config))
    assert heads.load_head(tmp_path).dropout == 0.25


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("token_folders")
    written.made.write(root)
    return root


@pytest.mark.parametrize("name", written.CLASSES)
def test_transformers_reads_what_is_written(name, folders):
    golden = np.load(written.made.GOLDEN)
    # Otherwise it was another folder that `transformers` has read: make the
    # golden file again.
    digest = written.made.digest(folders / name)
    assert digest == str(golden[f"{name}/digest"])
    model, batch = written.student(name), written.made.batch()
    inputs = {key: batch[key] for key in model.input}
    wanted = keras.ops.convert_to_numpy(
        model(inputs, training=False)["token_logits"]
    )
    real = batch["padding_mask"] > 0
    got = golden[f"{name}/logits"]
    np.testing.assert_allclose(got[real], wanted[real], atol=1e-5)
    # In again: the same numbers, and the same names.
    again = heads.load_head(folders / name)
    logits = again(inputs, training=False)["token_logits"]
    logits = keras.ops.convert_to_numpy(logits)
    np.testing.assert_allclose(logits, wanted, atol=1e-6)
    assert Settings.load(folders / name).labels == written.LABELS
