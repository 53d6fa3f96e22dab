"""The describe command, on a model and on a recipe's student."""

import json
import types

import keras_hub
import pytest

from tfminilm.commands import describe, main
from tfminilm.errors import UsageError, UserError
from tfminilm.train.recipe import Recipe, Stage, StudentSpec


def flags(**given):
    defaults = {
        "model": None,
        "config": None,
        "lengths": ["32", "128"],
        "vocabulary_size": None,
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


# Layers and width: parameters of the transformer and the token table (MiniLM,
# arXiv 2002.10957, table 2); all parameters, and FLOPs at length 128 (BERT and
# BERT-PKD, as tabled by MobileBERT, arXiv 2004.02984, and others).
PAPERS = {
    (12, 768): (85.1e6, 23.4e6, 109e6, 22.5e9),
    (6, 768): (42.5e6, 23.4e6, 66.5e6, 11.3e9),
    (4, 768): (None, 23.4e6, 52.2e6, 7.6e9),
    (3, 768): (None, 23.4e6, 45.3e6, 5.7e9),
    (12, 384): (21.3e6, 11.7e6, None, None),
    (6, 384): (10.6e6, 11.7e6, None, None),
    (4, 384): (7.1e6, 11.7e6, None, None),
    (3, 384): (5.3e6, 11.7e6, None, None),
}


@pytest.fixture
def described(capsys):
    """`described(**student)`: what is printed of such a student, as JSON."""

    def run(**student):
        recipe = Recipe(name="a", student=StudentSpec(**student))
        config = recipe.config()
        describe.run(flags(config=config, json=True, lengths=["128"]))
        return json.loads(capsys.readouterr().out)

    return run


def shape(num_layers, hidden_dim):
    return {
        "num_layers": num_layers,
        "hidden_dim": hidden_dim,
        "intermediate_dim": 4 * hidden_dim,
    }


@pytest.mark.parametrize("size", PAPERS)
def test_the_papers_tables(size, described):
    transformer, table, whole, flops = PAPERS[size]
    found = described(**shape(*size))
    assert found["embedding_parameters"] == pytest.approx(table, rel=0.01)
    if transformer:
        counted = found["transformer_parameters"]
        assert counted == pytest.approx(transformer, rel=0.01)
    if whole:  # Without the pooler.
        counted = found["parameters"] - found["pooler_parameters"]
        assert counted == pytest.approx(whole, rel=0.01)
        assert found["flops"]["128"] == pytest.approx(flops, rel=0.03)


def test_distilberts_parameters(described):
    found = described(kind="distilbert", **shape(6, 768))
    assert found["parameters"] == pytest.approx(66e6, rel=0.01)


def test_bilstms_parameters_and_flops(described):
    found = described(kind="bilstm", hidden_dim=400)
    assert found["parameters"] == pytest.approx(10.1e6, rel=0.01)
    # Two directions of four gates, from 300 and 200 to 200; then a layer.
    flops = 128 * 2 * 2 * 4 * (300 + 200) * 200 + 2 * 400 * 400
    assert found["flops"]["128"] == flops


def test_multilingual_student_has_its_vocabulary(described):
    found = described(kind="xlm_roberta", **shape(1, 12))
    assert found["vocabulary_size"] == 250_002


def test_published_sizes_of_electra_and_roberta(described):
    """As table 1 of arXiv 2003.10555 and section 4 of arXiv 1907.11692."""
    small = {"num_heads": 4, "intermediate_dim": 1024, "embedding_dim": 128}
    found = described(kind="electra", **shape(12, 256) | small)
    assert found["parameters"] == pytest.approx(14e6, rel=0.04)
    found = described(kind="roberta", **shape(12, 768))
    assert found["parameters"] == pytest.approx(125e6, rel=0.01)


@pytest.mark.slow
def test_published_size_of_modernbert(described):
    """As `transformers` counts the parameters of ModernBERT-base."""
    sizes = {"intermediate_dim": 1152, "num_heads": 12}
    found = described(kind="modernbert", **shape(22, 768) | sizes)
    assert found["parameters"] == 149_014_272
    products = 22 * (4 * 768 + 3 * 1152) * 768
    attention = 22 * 2 * 128 * 768
    assert found["flops"]["128"] == 2 * 128 * (products + attention)


@pytest.mark.slow
def test_published_size_of_mpnet(described):
    """Of all-mpnet-base-v2, but for its pooler and two unused positions."""
    found = described(kind="mpnet", **shape(12, 768) | {"num_heads": 12})
    pooler = 768 * 768 + 768
    assert found["parameters"] == 109_486_464 - pooler - 2 * 768
    biases = 32 * 12
    others = 512 * 768 + 2 * 768 + biases
    assert found["other_parameters"] == others


def test_the_last_stage_is_described(capsys):
    stages = {
        "wide": Stage(student=StudentSpec(num_layers=12)),
        "small": Stage(teacher="wide", student=StudentSpec(num_layers=3)),
    }
    recipe = Recipe(name="two", stages=stages)
    describe.run(flags(config=recipe.config()))
    assert "two (student): BertBackbone, 3 layers" in capsys.readouterr().out


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
