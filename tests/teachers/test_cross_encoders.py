"""Cross-encoders of sentence-transformers: their logits, scores and limits."""

import json
import pathlib
import shutil

import make_cross_encoders as made
import numpy as np
import pytest

from tfminilm import UserError, teachers
from tfminilm.methods import SoftTargets
from tfminilm.tasks import heads
from tfminilm.tasks.evaluate import evaluate
from tfminilm.tasks.example import Example
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task, get_task
from tfminilm.train.distillation import select_job
from tfminilm.train.recipe import DataSpec, Recipe, StudentSpec

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
FOLDER = GOLDEN / "cross_encoders"
STSB = get_task("stsb")
CLASSES = Task("nli", "classification", (), (), ("a", "b", "c"))


@pytest.fixture(scope="module")
def golden():
    return np.load(FOLDER / "golden.npz")


@pytest.fixture
def folder(tmp_path):
    """`folder(name)`: a copy that a test may change."""

    def copy(name):
        return shutil.copytree(FOLDER / name, tmp_path / name)

    return copy


def change(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def predictions(folder, task=STSB, **changes):
    settings = Settings.load(folder)
    rows = [
        Example(str(row), texts, None) for row, texts in enumerate(made.PAIRS)
    ]
    tokenizer = teachers.load_tokenizer(folder)
    head = heads.load_head(folder)
    return evaluate(task, head, tokenizer, rows, settings).predictions


@pytest.mark.parametrize(
    ("name", "activation"), [("sigmoid", "sigmoid"), ("identity", "linear")]
)
def test_scores_are_sentence_transformers(name, activation, golden):
    settings = Settings.load(FOLDER / name)
    assert settings.score_activation == activation
    assert (settings.kind, settings.num_texts) == ("regression", 2)
    assert settings.max_length == 16
    scores = predictions(FOLDER / name)
    assert np.abs(scores - golden[f"{name}/scores"]).max() < 1e-5


def test_a_score_of_which_nothing_is_said_is_the_logit(golden):
    # `transformers` calls it a regression.
    assert Settings.load(FOLDER / "plain").score_activation == ""
    scores = predictions(FOLDER / "plain")
    assert np.abs(scores - golden["plain/logits"]).max() < 1e-5


def test_classes_of_pairs(golden):
    settings = Settings.load(FOLDER / "classes")
    assert (settings.kind, settings.num_texts) == ("classification", 2)
    assert settings.score_activation == ""
    expected = golden["classes/logits"].argmax(1)
    assert predictions(FOLDER / "classes", CLASSES) == expected.tolist()


def test_a_cross_encoder_without_an_activation_has_a_sigmoid(folder, golden):
    copy = folder("sigmoid")
    change(copy / "config_sentence_transformers.json", activation_fn=None)
    assert np.abs(predictions(copy) - golden["sigmoid/scores"]).max() < 1e-5


def test_older_names_of_the_activation(folder):
    copy = folder("plain")
    name = "torch.nn.modules.activation.Sigmoid"
    change(copy / "config.json", sbert_ce_default_activation_function=name)
    assert Settings.load(copy).score_activation == "sigmoid"


def test_other_activations_are_refused(folder):
    copy = folder("identity")
    told = {"activation_fn": "torch.nn.modules.activation.Tanh"}
    change(copy / "config.json", sentence_transformers=told)
    for read in (Settings.load, heads.load_head):
        with pytest.raises(UserError, match=r"json: activation_fn is .*Tanh'"):
            read(copy)


def test_the_encoder_below():
    backbone = teachers.load_backbone(FOLDER / "sigmoid")
    assert backbone.hidden_dim == 16


def test_settings_keep_the_activation(tmp_path):
    settings = Settings.load(FOLDER / "sigmoid")
    settings.save(tmp_path)
    assert Settings.load(tmp_path) == settings
    Settings.of(STSB, 16).save(tmp_path)  # As before there was such a field.
    assert "score_activation" not in (tmp_path / "tfminilm.json").read_text()


def stage(name, alpha):
    student = StudentSpec(
        num_layers=1,
        hidden_dim=16,
        num_heads=4,
        intermediate_dim=24,
        max_sequence_length=16,
    )
    return Recipe(
        teacher=str(FOLDER / name),
        student=student,
        method=SoftTargets(alpha=alpha),
        data=DataSpec(source="task:stsb", sequence_length=16),
    )


@pytest.mark.parametrize("name", ["sigmoid", "identity"])
def test_a_student_learns_logits_and_keeps_the_activation(name):
    job = select_job(stage(name, 1.0))
    expected = Settings.load(FOLDER / name).score_activation
    assert job.kind.settings.score_activation == expected
    assert job.load_models("float32", None).student.num_classes == 1
    if name == "sigmoid":  # Of labels it would learn logits.
        with pytest.raises(UserError, match=r"set method\.alpha=1"):
            select_job(stage(name, 0.5)).load_models("float32", None)
