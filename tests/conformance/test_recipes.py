"""The recipes that are shipped, each of them."""

import ast
import dataclasses
import json
import pathlib
import re
import shutil

import pytest

from tfminilm import commands
from tfminilm.commands import recipes
from tfminilm.export.target import Target
from tfminilm.teachers import load_backbone
from tfminilm.train.recipe import Recipe, TrainSpec
from tfminilm.train.sources import text as text_source

ROOT = pathlib.Path(__file__).parents[2]
STUDENTS = sorted((ROOT / "students").glob("*.py"))
TARGETS = sorted((ROOT / "export").glob("*.py"))
KINDS = {"students": Recipe, "export": Target}


def stem(path):
    return path.stem


def docstring(path):
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def load(path, mode=""):
    return Recipe.parse(recipes.load_recipe(f"{path}{mode}"))


def distinct(key):
    """One of the recipes that `key` maps to the same."""
    return list({json.dumps(key(path)): path for path in STUDENTS}.values())


def smoke(path):
    """What a smoke run does; how fast it learns is not of interest."""
    return [
        dataclasses.asdict(dataclasses.replace(run, name="", train=TrainSpec()))
        for run in load(path, ":smoke").runs().values()
    ]


def smoke_runs():
    """One of each kind; those that take longer than 5 s are slow.

    What they do is tested on its own as well, in tests/train.
    """
    slow = {
        "distilbert_d",
        "distilbert_l6_h768",
        "minilm_l6_h384_ta",
        "minilmv2_l6_h768_roberta_large",
        "mlm_kd_l6_h384",
        "mminilm_l12_h384",
        "mminilm_l6_h384",
        "mminilmv2_l6_h384",
        "mobilebert",
        "mobilebert_l6_auxiliary",
        "mobilebert_l6_joint",
        "mobilebert_l6_progressive",
        "mobilebert_tiny",
        "multilingual_l12_h384",
        "pkd_l3_h768",
        "pkd_l6_h768",
        "pruned_sst2",
        "quantized_sst2",
        "sentence_l3_h384",
        "sparse_sst2",
        "trimmed_l3_h384",
        "tinybert_l6_h768",
    }
    return [
        pytest.param(
            path, id=path.stem, marks=[pytest.mark.slow] * (path.stem in slow)
        )
        for path in distinct(smoke)
    ]


def shape(path):
    """The last student's shape."""
    *_, last = load(path).runs().values()
    return dataclasses.asdict(
        dataclasses.replace(last.student, init="random", init_from="")
    )


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
def test_survives_its_config(path):
    recipe = load(path)
    assert Recipe.parse(recipe.config()) == recipe
    assert Recipe.parse(json.loads(json.dumps(recipe.to_dict()))) == recipe


@pytest.mark.parametrize("path", STUDENTS, ids=stem)
def test_says_its_paper_command_cost_and_result(path):
    text = docstring(path)
    assert re.search(r"arXiv \d{4}\.\d{5}", text)
    assert re.search(rf"tfminilm distill --config=\S*{path.stem}\S* --", text)
    if path.stem != "demo":  # Its cost and result stand in the README.
        words = " ".join(text.split())
        cost = r"Cost, computed: \S+ tokens, \S+e\+\d+ FLOPs, \S+ hours on one "
        assert re.search(cost + "A100 at 40 % of its bfloat16 peak", words)
        assert re.search("no result of our own|Measured", words)


@pytest.mark.parametrize("path", distinct(shape), ids=stem)
def test_can_be_described(path, capsys):
    # Of few tokens, as a large table takes a second.
    flags = [f"--config={path}", "--json", "--vocabulary_size=100"]
    assert commands.main(["describe", *flags]) == 0
    found = json.loads(capsys.readouterr().out)
    expected = shape(path)
    for name in ("num_layers", "hidden_dim"):
        assert found[name] == expected[name]


@pytest.mark.parametrize("path", TARGETS, ids=stem)
def test_target_says_its_command(path):
    assert f"tfminilm export --config={path.stem} " in docstring(path)


@pytest.fixture(scope="module")
def read_once(tmp_path_factory):
    """All smoke runs read the same text; it need not be read for each."""
    cache = tmp_path_factory.mktemp("text")
    read = text_source.data.text_data

    def text_data(*args, **options):
        return read(*args, **options | {"cache_dir": cache})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_source.data, "text_data", text_data)
        yield


@pytest.mark.usefixtures("read_once")
@pytest.mark.parametrize("path", smoke_runs())
def test_smoke_run(path, tmp_path, capsys):
    run = tmp_path / "run"
    flags = [f"--config={path}:smoke", f"--workdir={run}"]
    assert commands.main(["distill", *flags]) == 0
    stages = load(path, ":smoke").stages
    for name in stages:
        assert (run / name / "student" / "model.weights.h5").is_file()
    assert load_backbone(run).count_params()
    said = capsys.readouterr().err
    assert [line for line in said.splitlines() if line[:6] == "stage "] == [
        f"stage {number} of {len(stages)}: {name}"
        for number, name in enumerate(stages, 1)
    ]
