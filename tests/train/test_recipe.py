"""Recipes: what is accepted, what is refused, and how smoke runs shrink."""

import pytest

from tfminilm import methods
from tfminilm.errors import UsageError
from tfminilm.train.recipe import (
    DataSpec,
    Recipe,
    Stage,
    StudentSpec,
    TrainSpec,
)


def changed(key, value):
    room, _, name = key.rpartition(".")
    return {room: {name: value}} if room else {name: value}


def test_a_recipe_survives_its_config():
    given = Recipe(
        name="a",
        seed=3,
        student=StudentSpec(init="1,3"),
        train=TrainSpec(gradient_accumulation=2),
    )
    assert Recipe.parse(given.config()) == given


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("train.stepz", 1, "unknown key train.stepz; did you mean train.steps"),
        ("train.steps", "1", "train.steps is '1' (str), expected int"),
        ("train.steps", 0, "train.steps is 0, expected 1 or more"),
        ("train.steps", -4, "train.steps is -4, expected 1 or more"),
        ("train.log_every", 0, "train.log_every is 0, expected 1 or more"),
        ("train.learning_rate", -0.1, "expected 0 or more"),
        ("train.learning_rate", float("nan"), "is nan, expected a number up"),
        ("train.precision", "float8", "expected auto or float32 or"),
        ("train.optimizer", "sgd", "is 'sgd', expected adamw or lamb"),
        ("train.gradient_accumulation", 3, "multiple of train.gradient_accu"),
        (
            "train.steps_per_execution",
            3,
            "multiple of train.steps_per_execut",
        ),
        ("method.name", "MiniML", "is 'MiniML'; did you mean MiniLM?"),
        ("method.value_weight", -1.0, "expected 0 or more"),
        ("student.hidden_dim", 100, "a multiple of student.num_heads (12)"),
        ("student.dropout", 1.0, "student.dropout is 1.0, expected 0 to 1"),
        (
            "student.init",
            "last",
            "pruned, random, or layers",
        ),
        ("student.attention_input", "all", "expected shared or block or bo"),
        ("compress.sparsity_schedule", "sudden", "expected polynomial or con"),
        ("student.num_feedforwards", -1, "is -1, expected 0 or more"),
        ("student.bottleneck_dim", 0, "is 0, expected 1 or more"),
        ("student.init", "1,,2", "or layers such as 1,3,5"),
        ("data.sequence_length", 513, "is 513, expected 8 to 512"),
        ("data.sequence_length", 7, "is 7, expected 8 to 512"),
        ("data.held_out_fraction", 0.0, "expected 0 to 0.5, above 0"),
        ("data.max_tokens", -1, "data.max_tokens is -1, expected 0 or more"),
        ("seed", -1, "seed is -1, expected 0 to 2**32 - 1"),
    ],
)
def test_refuses(key, value, said):
    with pytest.raises(UsageError) as caught:
        Recipe.parse(changed(key, value))
    assert str(caught.value).startswith("recipe: ")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("init", "layers"),
    [
        ("uniform", "uniform"),
        ("random", "random"),
        ("1, 3", [1, 3]),
        ("-1", [-1]),
    ],
)
def test_init_layers(init, layers):
    assert StudentSpec(init=init).init_layers() == layers


def test_a_method_is_found_by_its_name():
    given = Recipe(method=methods.MiniLM(value_weight=0.5))
    config = given.config()
    assert config.method.name == "MiniLM"
    assert Recipe.parse(config) == given
    assert Recipe.parse({"method": {"value_weight": 0.5}}) == given


def test_smoke_mode_is_small_and_needs_no_file():
    given = Recipe(
        name="a", student=StudentSpec(num_layers=12, hidden_dim=768, init="1,2")
    )
    smoke = Recipe.parse(given.config("smoke"))
    assert smoke.name == "a"
    assert smoke.teacher == "tiny:bert"
    assert smoke.student.num_layers == 2
    assert smoke.student.init == "uniform"
    assert smoke.data.source == "docs"
    assert smoke.train.steps <= 4
    with pytest.raises(UsageError, match="mode is 'smok', expected smoke"):
        given.config("smok")


def test_smoke_mode_of_stages():
    sst2 = DataSpec(source="task:sst2", folder="somewhere")
    given = Recipe(
        stages={
            "first": Stage(teacher="nowhere"),
            "second": Stage(
                teacher="elsewhere",
                student=StudentSpec(kind="xlm_roberta", init_from="first"),
            ),
            "third": Stage(teacher="second", data=sst2),
        }
    )
    stages = Recipe.parse(given.config("smoke")).stages
    assert list(stages) == ["first", "second", "third"]
    teachers = [stage.teacher for stage in stages.values()]
    assert teachers == ["tiny:bert", "tiny:xlm_roberta", "second"]
    assert stages["second"].student.init_from == "first"
    assert (stages["third"].data.source, stages["third"].data.folder) == (
        "task:sst2",
        "tiny:",
    )


def test_stages_survive_their_config_in_their_order():
    given = Recipe(name="a", stages={"z": Stage(), "y": Stage(teacher="z")})
    found = Recipe.parse(given.config())
    assert found == given
    assert list(found.stages) == ["z", "y"]
    assert list(found.runs()) == ["z", "y"]
    assert found.runs()["y"].name == "a/y"


def test_one_teacher_for_all_stages():
    given = Recipe(stages={"z": Stage(), "y": Stage(teacher="z"), "x": Stage()})
    config = given.config()
    config.teacher = "another"
    found = Recipe.parse(config)
    assert [stage.teacher for stage in found.stages.values()] == [
        "another",
        "z",
        "another",
    ]
    assert Recipe.parse(found.config()) == found


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"stages": {"a": {}}, "data": {}}, "has stages and a data"),
        ({"stages": {"a/b": {}}}, "no stage can be called 'a/b'"),
        ({"stages": {"student": {}}}, "no stage can be called 'student'"),
        ({"stages": {"a": {"train": {"stepz": 1}}}}, "stages.a.train.steps"),
        (
            {"method": {"name": "SoftTargets", "temperature": 0.0}},
            "recipe: method: SoftTargets: temperature is 0.0, expected above",
        ),
        ({"student": {"frozen": "all"}}, "student.frozen is 'all', expected"),
    ],
)
def test_refuses_in_stages_and_methods(config, said):
    with pytest.raises(UsageError) as caught:
        Recipe.parse(config)
    assert said in str(caught.value)
