"""The flags of `tfminilm distill` and the recipe files they name."""

import pytest

from tfminilm import commands
from tfminilm.train.recipe import Recipe

RECIPE = """
from tfminilm.train import recipe

def get_config(mode=""):
    return recipe.Recipe({keys}).config(mode)
"""
BROKEN = {
    "def get_config(:": "SyntaxError: invalid syntax",
    "x = 1": "no get_config() in it, so it is no recipe",
    "import no_such_package": "No module named 'no_such_package'",
    "def get_config(m=''): return 1 / 0": "ZeroDivisionError: division by",
    "def get_config(m=''): return {'a': 1}": "get_config() returns a dict, ex",
    RECIPE.format(keys="naem='a'"): "Recipe: unknown key naem; did you mean n",
    RECIPE.format(keys="train=recipe.TrainSpec(stepz=1)"): (
        "TrainSpec: unknown key stepz; did you mean steps?"
    ),
}


@pytest.fixture
def recipe(tmp_path):
    """`recipe(content)`: a recipe's file."""

    def write(content):
        path = tmp_path / "mine.py"
        path.write_text(content)
        return path

    return write


@pytest.fixture
def parsed(recipe, monkeypatch):
    """`parsed(*flags)`: the recipe that would be run."""

    class Found(Exception):
        pass

    def stop(config, parse=Recipe.parse):
        raise Found(parse(config))

    def run(*flags):
        path = recipe(RECIPE.format(keys="name='mine', seed=7"))
        monkeypatch.setattr(Recipe, "parse", stop)
        with pytest.raises(Found) as caught:
            commands.main(["distill", f"--config={path}", *flags, "--debug"])
        return caught.value.args[0]

    return run


def test_keys_are_flags(parsed):
    found = parsed(
        "--config.train.steps=5",
        "--config.train.learning_rate",
        "1",
        "--config.teacher=there",
    )
    assert (found.name, found.seed) == ("mine", 7)
    assert (found.train.steps, found.train.learning_rate) == (5, 1.0)
    assert found.teacher == "there"


def test_keys_in_a_flagfile(parsed, tmp_path):
    (tmp_path / "flags").write_text("--config.seed=9\n--workdir=x\n")
    assert parsed(f"--flagfile={tmp_path / 'flags'}").seed == 9


def test_keys_before_the_recipe(recipe, parsed):
    # The last recipe given counts, wherever the keys stand.
    other = recipe(RECIPE.format(keys="name='other'"))
    other = other.rename(other.with_name("other.py"))
    found = parsed("--config.seed=1", "--config", f"{other}:smoke")
    assert (found.name, found.seed, found.train.steps) == ("other", 1, 4)


@pytest.mark.parametrize("content", BROKEN)
def test_broken_recipe(recipe, content, capsys):
    path = recipe(content)
    assert commands.main(["distill", f"--config={path}", "--workdir=x"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"tfminilm: {path}: ")
    assert BROKEN[content] in line


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("config.trian.steps=1", "unknown key trian; did you mean train?"),
        ("config.train.stepz=1", "unknown key train.stepz; did you mean trai"),
        ("config.train.steps.x=1", "train.steps has no keys"),
        ("config.method=1", "is no single value: expected --config.method.att"),
        ("config.train.steps=1.5", "invalid literal for int"),
        ("config=demo:smok", "mode is 'smok', expected smoke"),
        ("config=dmo", "did you mean demo?"),
        ("config=no/where/demo2.txt", "no recipe 'no/where/demo2.txt': expec"),
    ],
)
def test_bad_flags(recipe, flag, said, capsys):
    path = recipe(RECIPE.format(keys="name='mine'"))
    flags = [f"--config={path}", "--workdir=x", f"--{flag}"]
    assert commands.main(["distill", *flags]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert said in line


def test_changed_within_a_second(recipe, capsys):
    for name in ("one", "two"):
        path = recipe(RECIPE.format(keys=f"name='{name}'"))
        commands.main(["distill", f"--config={path}", "--help"])
        assert f"--config.name={name}\n" in capsys.readouterr().out
    assert not path.with_name("__pycache__").exists()
