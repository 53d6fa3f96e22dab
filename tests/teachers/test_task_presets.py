"""Presets that KerasHub's own task models wrote: opened with their head."""

import json

import keras
import keras_hub
import numpy as np
import pytest

from tfminilm import UserError, teachers
from tfminilm.tasks import heads
from tfminilm.tasks.settings import Settings, has_head
from tfminilm.tasks.task import Task
from tfminilm.train.models import TaskHead

MODELS = keras_hub.models
SIZES = {
    "vocabulary_size": 8,
    "num_layers": 1,
    "num_heads": 2,
    "hidden_dim": 8,
    "intermediate_dim": 16,
    "max_sequence_length": 16,
}
FAMILIES = ("Bert", "DistilBert", "Roberta", "XLMRoberta", "DebertaV3")
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "cat", "sat"]
INPUTS = {
    "token_ids": np.array([[2, 5, 6, 3, 0], [2, 7, 7, 5, 3]]),
    "padding_mask": np.array([[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]),
    "segment_ids": np.zeros((2, 5), int),
    "mask_positions": np.array([[1, 2], [3, 1]]),
}


def backbone(family="Bert"):
    keras.utils.set_random_seed(1)
    return getattr(MODELS, f"{family}Backbone")(**SIZES)


def saved(folder, family="Bert", task="TextClassifier", **settings):
    """A model as KerasHub saves it, and its folder."""
    model = getattr(MODELS, family + task)(backbone(family), **settings)
    model.save_to_preset(str(folder))
    return model


def compute(model):
    outputs = model({name: INPUTS[name] for name in model.input})
    return keras.ops.convert_to_numpy(outputs)


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_are_kerashubs_own(family, tmp_path):
    model = saved(tmp_path, family, num_classes=3)
    assert has_head(tmp_path)
    head = heads.load_head(tmp_path)
    np.testing.assert_allclose(compute(head), compute(model), atol=1e-6)
    assert Settings.load(tmp_path, ("x", "y", "z")).kind == "classification"


def test_a_softmax_is_no_part_of_the_logits(tmp_path):
    model = saved(tmp_path, num_classes=3, activation="softmax")
    logits = compute(heads.plain(heads.load_head(tmp_path)))
    np.testing.assert_allclose(
        keras.ops.softmax(logits), compute(model), atol=1e-6
    )
    assert np.abs(logits.sum(1) - 1).max() > 1e-3


def test_a_sigmoid_makes_a_score(tmp_path):
    model = saved(tmp_path, num_classes=1, activation="sigmoid")
    settings = Settings.load(tmp_path)
    assert (settings.kind, settings.score_activation) == (
        "regression",
        "sigmoid",
    )
    scorer = heads.with_score(heads.load_head(tmp_path), settings)
    np.testing.assert_allclose(compute(scorer), compute(model), atol=1e-6)


def test_classes_need_names(tmp_path):
    saved(tmp_path, num_classes=3)
    with pytest.raises(UserError, match=r"its 3 classes: .* --labels=a,b"):
        Settings.load(tmp_path)
    assert Settings.load(tmp_path, ("x", "y", "z")).labels == ("x", "y", "z")
    for labels in (("x", "y"), ("x", "y", "y"), ("x", "y", "")):
        with pytest.raises(UserError, match="expected a name for each"):
            Settings.load(tmp_path, labels)


def test_names_that_a_model_has_are_not_changed(tmp_path):
    Settings("t", "classification", ("no", "yes"), 8).save(tmp_path)
    assert Settings.load(tmp_path, ("no", "yes")).labels == ("no", "yes")
    with pytest.raises(UserError, match=r"says no, yes: give no labels"):
        Settings.load(tmp_path, ("yes", "no"))
    Settings("t", "classification", ("LABEL_0", "LABEL_1"), 8).save(tmp_path)
    assert Settings.load(tmp_path, ("no", "yes")).labels == ("no", "yes")


def test_length_is_the_preprocessors(tmp_path):
    tokenizer = MODELS.BertTokenizer(WORDS)
    preprocessor = MODELS.BertTextClassifierPreprocessor(
        tokenizer, sequence_length=12
    )
    saved(tmp_path, num_classes=2, preprocessor=preprocessor)
    assert Settings.load(tmp_path, ("no", "yes")).max_length == 12
    assert heads.load_head(tmp_path).num_classes == 2
    assert teachers.load_tokenizer(tmp_path).vocabulary_size() == len(WORDS)


@pytest.mark.parametrize("family", FAMILIES)
def test_masked_language_models_teach(family, tmp_path):
    model = saved(tmp_path, family, "MaskedLM")
    teacher = teachers.load_masked_lm(tmp_path)
    np.testing.assert_allclose(compute(teacher), compute(model), atol=1e-6)
    assert not has_head(tmp_path)  # It answers no task.
    with pytest.raises(UserError, match="holds no head for a task"):
        heads.load_head(tmp_path)


def test_other_models_are_refused_by_name(tmp_path):
    saved(tmp_path, num_classes=2)
    path = tmp_path / "task.json"
    content = json.loads(path.read_text())
    for name, changes, text in (
        ("BertCausalLM", {}, "is a BertCausalLM, whose head is not read"),
        ("BertTextClassifier", {"num_classes": 0}, "num_classes is 0"),
        ("BertTextClassifier", {"activation": "tanh"}, "activation is 'tanh'"),
    ):
        changed = content | {"class_name": name}
        changed["config"] = content["config"] | changes
        path.write_text(json.dumps(changed))
        with pytest.raises(UserError, match=text):
            has_head(tmp_path)


def test_a_recipe_names_the_teachers_classes(tmp_path):
    model = saved(tmp_path, num_classes=2)
    task = Task("t", "classification", (), (), ("no", "yes"))
    settings = Settings.of(task, 8)
    kind = TaskHead(task, settings, 0.1, ("no", "yes"))
    teacher = kind.load_teacher(tmp_path, "float32")
    np.testing.assert_allclose(compute(teacher), compute(model), atol=1e-6)
    for labels, text in (((), "teacher_labels=a,b"), (("a", "b"), "not for t")):
        with pytest.raises(UserError, match=text):
            TaskHead(task, settings, 0.1, labels).load_teacher(tmp_path, None)


def test_sigmoids_are_several_labels(tmp_path):
    model = saved(tmp_path, num_classes=3, activation="sigmoid")
    settings = Settings.load(tmp_path, ("x", "y", "z"))
    assert settings.kind == "multi_label"
    head = heads.load_head(tmp_path)
    np.testing.assert_allclose(compute(head), compute(model), atol=1e-6)
    classes = Task("t", "classification", (), (), ("x", "y", "z"))
    with pytest.raises(UserError, match="gives 3"):
        heads.check_head(classes, head, "it")
