"""The describe command, on a model and on a recipe's student."""

import json
import types

import keras_hub
import pytest

from tfminilm.commands import describe, main
from tfminilm.errors import UsageError, UserError
from tfminilm.train.recipe import Recipe, StudentSpec


def flags(**given):
    defaults = {
        "model": None,
        "config": None,
        "lengths": ["32", "128"],
        "vocabulary_size": 30522,
        "json": False,
    }
    return types.SimpleNamespace(**(defaults | given))


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    keras_hub.models.BertBackbone(
        vocabulary_size=50,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=20,
        max_sequence_length=128,
    ).save_to_preset(str(folder))
    return folder


def test_model_as_json(preset, capsys):
    describe.run(flags(model=str(preset), json=True, lengths=["128"]))
    got = json.loads(capsys.readouterr().out)
    assert got["model"] == str(preset)
    assert got["embedding_parameters"] == 400
    assert list(got["flops"]) == ["128"]
    assert got["size_bytes"]["float32"] == 4 * got["parameters"]


def test_model_as_table(preset, capsys):
    describe.run(flags(model=str(preset)))
    text = capsys.readouterr().out
    assert "BertBackbone, 2 layers x 8, 2 heads" in text
    assert "FLOPs, length 128" in text


def test_student_of_a_recipe_needs_no_teacher(capsys):
    recipe = Recipe(
        name="six",
        teacher="nowhere/to/be/found",
        student=StudentSpec(num_layers=6, hidden_dim=384),
    )
    describe.run(flags(config=recipe.config()))
    text = capsys.readouterr().out
    assert "six (student): BertBackbone, 6 layers x 384, 12 heads" in text
    for part in ("11.7 M", "10.6 M", "2.87 B", "token table (30,522 tokens)"):
        assert part in text


@pytest.mark.parametrize("both", [False, True])
def test_one_of_model_and_config(both):
    given = {"model": "a", "config": Recipe().config()} if both else {}
    said = "both" if both else "neither"
    with pytest.raises(UsageError, match=said):
        describe.run(flags(**given))


def test_bad_input_is_named(preset):
    with pytest.raises(UserError, match="--lengths=32,128"):
        describe.run(flags(model=str(preset), lengths=["many"]))
    with pytest.raises(UserError, match="length 4096 is out of range"):
        describe.run(flags(model=str(preset), lengths=["4096"]))
    with pytest.raises(UserError, match="no model"):
        describe.run(flags(model=str(preset / "missing")))


def test_from_the_command_line(tmp_path, capsys):
    path = tmp_path / "recipe.py"
    path.write_text(
        "from tfminilm.train.recipe import Recipe\n"
        "def get_config():\n"
        "    return Recipe(name='mine').config()\n"
    )
    given = [f"--config={path}", "--config.student.num_layers=4", "--json"]
    assert main(["describe", *given, "--lengths=16"]) == 0
    got = json.loads(capsys.readouterr().out)
    assert got["num_layers"] == 4
    assert f"{got['transformer_parameters'] / 1e6:.1f}" == "7.1"
    assert list(got["flops"]) == ["16"]
    assert main(["describe"]) == 2
    assert main(["describe", f"--model={tmp_path}"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 2
