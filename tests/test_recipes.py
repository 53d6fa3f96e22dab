"""The recipes that are shipped, each of them."""

import ast
import dataclasses
import pathlib
import re
import shutil

import pytest

from tfminilm import commands
from tfminilm.commands import recipes
from tfminilm.export.target import Target
from tfminilm.train import distill
from tfminilm.train.recipe import Recipe

ROOT = pathlib.Path(__file__).parents[1]
STUDENTS = sorted((ROOT / "students").glob("*.py"))
TARGETS = sorted((ROOT / "export").glob("*.py"))
KINDS = {"students": Recipe, "export": Target}


def stem(path):
    return path.stem


def docstring(path):
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def smoke(path):
    """A student's smoke run, without its name."""
    recipe = Recipe.parse(recipes.load_recipe(f"{path}:smoke"))
    return dataclasses.replace(recipe, name="")


def distinct():
    """Smoke runs that are not the same: depth is all that some differ in.

    A wide one writes half a gigabyte, and is slow.
    """
    return [
        pytest.param(
            path,
            id=path.stem,
            marks=[pytest.mark.slow] * (recipe.student.hidden_dim > 384),
        )
        for recipe, path in {str(smoke(p)): p for p in STUDENTS}.items()
    ]


def test_there_are_some():
    assert {"demo", "minilm_l6_h384"} <= set(map(stem, STUDENTS))
    assert {"android_fp32", "android_int8"} <= set(map(stem, TARGETS))


@pytest.mark.parametrize("mode", ["", ":smoke"])
@pytest.mark.parametrize("path", [*STUDENTS, *TARGETS], ids=stem)
def test_parses_and_is_called_like_its_file(path, mode):
    kind = KINDS[path.parent.name]
    recipe = kind.parse(recipes.load_recipe(f"{path}{mode}"))
    assert recipe.name == path.stem


@pytest.mark.parametrize("path", [*STUDENTS, *TARGETS], ids=stem)
def test_is_found_by_path_and_by_name(path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in (path, path.stem, path.name):
        assert recipes.find_recipe(str(name)) == path


@pytest.mark.parametrize("path", [*STUDENTS, *TARGETS], ids=stem)
def test_is_found_where_a_wheel_puts_it(path, monkeypatch, tmp_path):
    shared = tmp_path / "share" / "tfminilm" / path.parent.name
    shared.mkdir(parents=True)
    shutil.copy(path, shared)
    roots = (tmp_path / "site-packages", shared.parent)
    monkeypatch.setattr(recipes, "_ROOTS", roots)
    assert recipes.find_recipe(path.stem) == shared / path.name
    assert recipes.load_recipe(path.stem).name == path.stem


@pytest.mark.parametrize("path", STUDENTS, ids=stem)
def test_says_its_paper_command_and_cost(path):
    text = docstring(path)
    assert re.search(r"arXiv \d{4}\.\d{5}", text)
    assert re.search(rf"tfminilm distill --config=\S*{path.stem}\S* --", text)
    assert re.search(r"^Cost", text, re.MULTILINE)


@pytest.mark.parametrize("path", TARGETS, ids=stem)
def test_target_says_its_command(path):
    assert f"tfminilm export --config={path.stem} " in docstring(path)


@pytest.fixture(scope="module")
def read_once(tmp_path_factory):
    """All smoke runs read the same text; it need not be read for each."""
    cache = tmp_path_factory.mktemp("text")
    read = distill.data.text_data

    def text_data(*args, **options):
        return read(*args, **options | {"cache_dir": cache})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distill.data, "text_data", text_data)
        yield


@pytest.mark.usefixtures("real_teacher", "read_once")
@pytest.mark.parametrize("path", distinct())
def test_smoke_run(path, tmp_path):
    run = tmp_path / "run"
    flags = [f"--config={path}:smoke", f"--workdir={run}"]
    assert commands.main(["distill", *flags]) == 0
    assert (run / "student" / "model.weights.h5").is_file()
    shutil.rmtree(run)
