"""Heads of Hugging Face folders: right to 1e-5, or refused by name."""

import json
import pathlib

import keras
import make_heads as made
import numpy as np
import pytest
import safetensors.numpy

from tfminilm import UserError, teachers
from tfminilm.tasks import heads
from tfminilm.tasks.settings import Settings, has_head

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


READ = [
    name
    for name in made.CASES
    if name.endswith(("_classes", "_score", "_span"))
]
KINDS = {"classes": "classification", "score": "regression", "span": "qa"}


@pytest.fixture(scope="module")
def golden():
    return np.load(made.GOLDEN)


@pytest.fixture
def case(golden, tmp_path):
    """`case(name)`: a folder that a test may damage, and what is in it."""

    def write(name):
        folder = tmp_path / name
        return folder, *made.imports.write(golden, name, folder)

    return write


def change(folder, **changes):
    path = folder / "config.json"
    known = json.loads(path.read_text()) | changes
    gone = {key for key, value in changes.items() if value is None}
    path.write_text(json.dumps({k: known[k] for k in known.keys() - gone}))


def compute(model, batch):
    given = {
        "token_ids": batch["input_ids"],
        "segment_ids": batch["token_type_ids"],
        "padding_mask": batch["attention_mask"],
    }
    inputs = {name: given[name].astype("int32") for name in model.input}
    found = model(inputs, training=False)
    found = found if isinstance(found, dict) else {"logits": found}
    return {k: keras.ops.convert_to_numpy(v) for k, v in found.items()}


@pytest.mark.parametrize("name", READ)
def test_transformers_computes_the_same(name, golden, case, tmp_path):
    folder, settings, _ = case(name)
    assert has_head(folder)
    model = heads.load_head(folder)
    batch = made.imports.batch(settings)
    real = batch["attention_mask"] > 0
    for key, value in compute(model, batch).items():
        wanted = golden[f"{name}/{key}"]
        if name.endswith("_span"):
            value, wanted = value[real], wanted[real]
        scale = np.abs(wanted).max()
        assert value.shape == wanted.shape
        assert np.abs(value - wanted).max() < 1e-5 * scale
    # What is saved is what was loaded.
    model.save_to_preset(tmp_path / "preset")
    again = heads.load_head(tmp_path / "preset")
    assert type(again) is type(model)
    for key, value in compute(again, batch).items():
        np.testing.assert_array_equal(value, compute(model, batch)[key])


@pytest.mark.parametrize("name", READ)
def test_what_a_folder_says(name, case):
    folder, _, _ = case(name)
    found = Settings.load(folder)
    assert found.kind == KINDS[name.rpartition("_")[2]]
    labels = ()
    if name.endswith("_classes"):
        labels = ("LABEL_0", "LABEL_1")
        if "id2label" in made.CASES[name][1]:
            labels = ("yes", "maybe", "no")
    assert found.labels == labels
    assert found.task == name  # The folder's.
    positions = 14 if "roberta" in name or "camembert" in name else 16
    assert found.max_length == positions
    assert found.num_texts == (2 if name.endswith("_span") else 1)


def test_a_known_task(case):
    folder, _, _ = case("bert_score")
    change(folder, finetuning_task="stsb")
    found = Settings.load(folder)
    assert (found.task, found.num_texts) == ("stsb", 2)


def test_rates_of_dropout(case):
    for name, rate in (
        ("bert_classes", 0.1),
        ("bert_span", 0.0),
        ("distilbert_classes", 0.3),
        ("distilbert_span", 0.1),
    ):
        folder, _, _ = case(name)
        assert heads.load_head(folder).dropout == rate


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("bert_choices", "is a BertForMultipleChoice, whose head is not"),
    ],
)
def test_heads_that_are_not_read(name, text, case):
    folder, _, _ = case(name)
    for read in (heads.load_head, Settings.load, has_head):
        with pytest.raises(UserError, match=text):
            read(folder)
    # The encoder below is.
    teachers.load_backbone(folder)


def test_several_labels_are_sigmoids(golden, case):
    folder, settings, _ = case("bert_several")
    assert Settings.load(folder).kind == "multi_label"
    model = heads.load_head(folder)
    logits = golden["bert_several/logits"].astype("float64")
    outputs = compute(model, made.imports.batch(settings))["logits"]
    assert np.abs(outputs - 1 / (1 + np.exp(-logits))).max() < 1e-5
    assert np.array_equal(
        compute(heads.plain(model), made.imports.batch(settings))["logits"],
        outputs,
    )
    change(folder, id2label={"0": "one"})
    with pytest.raises(UserError, match="with 1 labels"):
        heads.load_head(folder)


NAMES = '{"0": "negative", "1": "positive"}'


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"id2label": {}}, f"1,000 classes, such as {NAMES}"),
        ({"id2label": {"0": "a", "2": "b"}}, "id2label has 0, 2, expected"),
        (
            {"id2label": {"0": "a", "1": 5}},
            "id2label has '5' as 1, expected a n",
        ),
        ({"id2label": {"0": "", "1": "b"}}, "id2label has '' as 0, expected"),
        ({"id2label": {"0": "a", "1": "a"}}, "id2label names a class twice"),
        ({"id2label": ["a", "b"]}, "expected id2label"),
        ({"id2label": {"0": "a"}}, "and the head has 3 outputs"),
        ({"num_labels": 10**9, "id2label": None}, "expected id2label"),
        (
            {"problem_type": "single_label_classification"}
            | {"id2label": {"0": "a"}},
            "problem_type is 'single_label_classification' with 1 labels",
        ),
        ({"problem_type": "regression"}, "with 3 labels"),
        ({"architectures": "BertModel"}, "architectures is 'BertModel'"),
        ({"architectures": [1]}, "architectures is "),
        ({"classifier_dropout": "x"}, "classifier_dropout is 'x', expected"),
        ({"max_position_embeddings": "x"}, "max_position_embeddings is 'x'"),
    ],
)
def test_damaged_settings(changes, text, case):
    folder, _, _ = case("bert_classes")
    change(folder, **changes)
    with pytest.raises(UserError) as found:
        heads.load_head(folder)
    assert text in str(found.value)
    assert "config.json" in str(found.value)


@pytest.mark.parametrize("part", ["classifier", "bert.pooler.dense"])
def test_a_part_of_the_head_is_missing(part, case):
    folder, _, tensors = case("bert_classes")
    for name in ("weight", "bias"):
        del tensors[f"{part}.{name}"]
    path = folder / "model.safetensors"
    safetensors.numpy.save_file(tensors, path, {"format": "pt"})
    with pytest.raises(UserError, match=f"missing {part}.bias, {part}.weight"):
        heads.load_head(folder)


def test_a_pooler_that_does_nothing(case):
    folder, _, _ = case("mobilebert_classes")
    change(folder, classifier_activation=False)
    with pytest.raises(UserError, match="classifier_activation is false, exp"):
        heads.load_head(folder)


def test_settings_of_another_model(case):
    folder, _, _ = case("bert_classes")
    Settings("own", "classification", ("yes", "no"), 16).save(folder)
    text = "is for classification of yes, no, and config.json beside it for "
    with pytest.raises(UserError, match=text):
        Settings.load(folder)


def test_an_encoder_has_none(golden, tmp_path):
    imports = np.load(made.imports.GOLDEN)
    for name in ("bert", "bert_masked_lm", "bert_pretraining"):
        made.imports.write(imports, name, tmp_path / name)
        assert not has_head(tmp_path / name)
        with pytest.raises(UserError, match="holds no head for a task"):
            heads.load_head(tmp_path / name)
