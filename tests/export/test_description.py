"""What a bundle says of its model, out of the recipes of its runs."""

import json
import types

import keras
import pytest

from tfminilm import families
from tfminilm.errors import UserError
from tfminilm.export.bundle.description import describe

BACKBONE = types.SimpleNamespace(
    vocabulary_size=30_522,
    num_layers=6,
    num_heads=12,
    hidden_dim=384,
    count_params=lambda: 22_713_216,
)
SHAPE = "6 layers of width 384, 22.7 million parameters"


def workdir(folder, **recipe):
    (folder / "student").mkdir(parents=True)
    (folder / "recipe.json").write_text(json.dumps(recipe))
    return folder


def stage(method, teacher):
    return {"method": {"name": method}, "teacher": teacher}


def test_no_more_than_its_shape():
    assert describe(BACKBONE, "bert_base_en_uncased") == SHAPE
    head = types.SimpleNamespace(backbone=BACKBONE)
    assert describe(head, "nowhere/model") == SHAPE


def test_of_what_is_no_encoder():
    """The families that can be exported are named."""
    wanted = f"export a Dense: expected a {' or '.join(families.exportable())}"
    with pytest.raises(UserError, match=wanted):
        describe(keras.layers.Dense(1), "runs/bilstm")


def test_a_name_is_no_part_of_the_workdir_that_it_is_used_in(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(workdir(tmp_path / "run", task="sst2", model="mini"))
    assert describe(BACKBONE, "bert_base_en_uncased") == SHAPE
    assert "fine-tuned on sst2" in describe(BACKBONE, "student")


def test_a_damaged_recipe(tmp_path):
    (tmp_path / "recipe.json").write_text("{")
    with pytest.raises(UserError, match=r"recipe\.json cannot be read"):
        describe(BACKBONE, tmp_path)


def test_the_last_teacher_comes_first(tmp_path):
    stages = {"a": stage("MiniLM", "big"), "b": stage("Sentences", "small")}
    assert describe(BACKBONE, workdir(tmp_path / "run", stages=stages)) == (
        f"{SHAPE}; distilled from small by Sentences; "
        "distilled from big by MiniLM"
    )


@pytest.mark.parametrize("inside", ["", "student"])
def test_fine_tuned(tmp_path, inside):
    run = workdir(tmp_path / "run", task="csv:mine/own.csv", model="hub/mini")
    wanted = f"{SHAPE}; fine-tuned on csv; starting from mini"
    assert describe(BACKBONE, run / inside) == wanted


def test_distilled_then_fine_tuned(tmp_path):
    stages = {
        "minilm": stage("MiniLM", "package:some_model/inside"),
        "assistant": stage("MiniLMv2", "minilm"),
    }
    first = workdir(tmp_path / "first", stages=stages)
    assert describe(BACKBONE, first) == (
        f"{SHAPE}; distilled from some_model by MiniLM"
    )
    second = workdir(tmp_path / "second", task="sst2", model=str(first))
    assert describe(BACKBONE, second) == (
        f"{SHAPE}; fine-tuned on sst2; distilled from some_model by MiniLM"
    )


def test_a_recipe_of_one_stage(tmp_path):
    run = workdir(tmp_path / "run", **stage("SoftTargets", "tiny:bert"))
    found = describe(BACKBONE, run)
    assert found == f"{SHAPE}; distilled from tiny:bert by SoftTargets"
