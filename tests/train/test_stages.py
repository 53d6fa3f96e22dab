"""Runs of several stages: the later ones build on the earlier ones."""

import json
import os
import shutil
import signal

import numpy as np
import pytest

from tfminilm.commands import main
from tfminilm.report import evaluate
from tfminilm.report.run_files import read_run
from tfminilm.teachers import load_backbone, load_tokenizer
from tfminilm.train.progress import StepBar
from tfminilm.train.recipe import Recipe

RECIPE = """
import dataclasses
from tfminilm.train import recipe

TRAIN = recipe.TrainSpec(
    steps=6, batch_size=4, learning_rate=1e-2, warmup_steps=1,
    precision="float32", log_every=2, evaluate_every=3, checkpoint_every=2,
    held_out_sequences=4,
)
DATA = recipe.DataSpec(
    source={text!r}, sequence_length=16, held_out_fraction=0.2
)

def stage(teacher, layers, train=TRAIN, **student):
    return recipe.Stage(
        teacher=teacher,
        student=recipe.StudentSpec(
            num_layers=layers, hidden_dim=16, num_heads=2,
            intermediate_dim=32, max_sequence_length=32, **student,
        ),
        data=DATA,
        train=train,
    )

def get_config(mode=""):
    return recipe.Recipe(
        name="three",
        stages={{
            "wide": stage({teacher!r}, 2),
            "again": stage("wide", 2, init="uniform", frozen="embeddings,0"),
            "deep": stage(
                {teacher!r}, 1, dataclasses.replace(TRAIN, learning_rate=0.0),
                init="-1", init_from="again",
            ),
        }},
    ).config(mode)
"""


@pytest.fixture(scope="module")
def recipe(tiny, tmp_path_factory):
    path = tmp_path_factory.mktemp("stages") / "three.py"
    paths = {"teacher": str(tiny.teacher), "text": str(tiny.text)}
    path.write_text(RECIPE.format(**paths))
    return path


@pytest.fixture(scope="module")
def staged(recipe, command):
    """`staged(workdir, *flags)`: the exit code of the command."""
    return command("distill", f"--config={recipe}")


@pytest.fixture(scope="module")
def whole(staged, tmp_path_factory):
    """An uninterrupted run. Shared: tests copy it."""
    workdir = tmp_path_factory.mktemp("runs") / "whole"
    assert staged(workdir) == 0
    return workdir


def layers(folder):
    """The values of each encoder layer, and of the token table."""
    model = load_backbone(folder)
    found = [x.get_weights() for x in model.transformer_layers]
    return found, model.token_embedding.get_weights()


def same(one, other):
    return all(map(np.array_equal, one, other))


def test_each_stage_is_a_workdir(whole, tiny):
    stages = ["wide", "again", "deep"]
    found = json.loads((whole / "recipe.json").read_text())
    assert list(found["stages"]) == stages  # In their order.
    assert sorted(path.name for path in whole.iterdir()) == sorted(
        [".lock", "decisions.json", "recipe.json", "text", *stages]
    )
    for name in stages:
        own = json.loads((whole / name / "recipe.json").read_text())
        assert own["name"] == f"three/{name}"
        assert own["method"]["name"] == "MiniLM"
        assert (whole / name / "metrics.jsonl").is_file()
        assert (whole / name / "held_out.json").is_file()


def test_the_last_student_is_the_runs(whole):
    assert load_backbone(whole).num_layers == 1
    ours, theirs = layers(whole), layers(whole / "deep")
    assert same(ours[1], theirs[1])


def test_what_is_frozen_stays_and_the_rest_moves(whole):
    # It started as a copy of its teacher, the first stage's student.
    first, table = layers(whole / "wide")
    second, own = layers(whole / "again")
    assert same(table, own)
    assert same(first[0], second[0])
    assert not same(first[1], second[1])


def test_starts_from_an_earlier_student(whole):
    # Its learning rate is 0: it is as it started.
    source, table = layers(whole / "again")
    [only], own = layers(whole / "deep")
    assert same(source[-1], only)
    assert same(table, own)


def test_says_stage_by_stage(whole, staged, tmp_path, capsys):
    run = shutil.copytree(whole, tmp_path / "run")
    shutil.rmtree(run / "deep" / "student")
    capsys.readouterr()
    assert staged(run) == 0
    said = capsys.readouterr().err.splitlines()
    heads = [line for line in said if line.startswith("stage ")]
    assert heads == [
        "stage 1 of 3: wide",
        "stage 2 of 3: again",
        "stage 3 of 3: deep",
    ]
    assert sum("already finished" in line for line in said) == 2
    assert any("resumed at step 6" in line for line in said)


@pytest.mark.slow
def test_stopped_in_a_stage_it_ends_the_same(
    whole, staged, tmp_path, rows, state, monkeypatch, capsys
):
    update, steps = StepBar.update, []

    def updated(bar, done, loss):
        update(bar, done, loss)
        steps.append(done)
        if len(steps) in (3, 6 + 5):  # In the first stage and in the second.
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(StepBar, "update", updated)
    run = tmp_path / "run"
    for name, step in (("wide", 3), ("again", 5)):
        assert staged(run) == 75
        said = capsys.readouterr().err
        assert f": {name}\n" in said
        assert f"interrupted at step {step}" in said
        assert not (run / name / "student").exists()
    assert (
        main(
            ["export", f"--model={run}", "--config=android_fp32", "--output=x"]
        )
        == 1
    )
    assert "unfinished run" in capsys.readouterr().err
    assert staged(run) == 0
    for name in ("wide", "again", "deep"):
        assert rows(run / name) == rows(whole / name)
        assert state(run / name) == state(whole / name)


def test_the_report_shows_all_stages(whole, tmp_path, capsys):
    run = shutil.copytree(whole, tmp_path / "run")
    shutil.rmtree(run / "deep")  # It has not begun.
    assert main(["report", f"--workdir={run}", "--noevaluate"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{run}/report.html"]
    page = (run / "report.html").read_text()
    assert "<h1>three</h1>" in page
    assert "MiniLM, then MiniLM" in page
    for name in ("wide", "again"):
        assert f"<h2>Training, stage {name}</h2>" in page
        assert f"<h2>Settings, stage {name}</h2>" in page
    assert "stage deep" not in page
    began = evaluate._first(read_run(whole / "deep"))
    assert began.workdir == whole / "again"
    assert evaluate._teacher(
        run / "again", Recipe.parse(read_run(run / "again").recipe)
    ) == (run / "wide")


def test_is_locked_and_kept_to_its_recipe(whole, staged, tmp_path, capsys):
    run = shutil.copytree(whole, tmp_path / "run")
    assert staged(run, "--config.stages.again.train.steps=7") == 1
    assert "stages.again.train.steps is 6 there, 7 here" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (
            ["wide.teacher=again"],
            2,
            "stages.wide.teacher is 'again', a later stage",
        ),
        (["again.teacher=again"], 2, "'again', itself; expected a model"),
        (
            ["again.student.init_from=deep"],
            2,
            "stages.again.student.init_from is 'deep', a later stage",
        ),
        (
            ["again.teacher=wid"],
            1,
            "stages.again.teacher: no model 'wid': expected a workdir",
        ),
        (["again.teacher=wid"], 1, "; stages before it are wide"),
        (
            ["deep.student.num_heads=4", "deep.student.init=random"],
            1,
            "stages.deep: MiniLM needs as many heads",
        ),
        (
            ["deep.student.hidden_dim=32"],
            1,
            "stages.deep: cannot initialise",
        ),
        (
            ["deep.student.frozen=1"],
            1,
            "stages.deep: student.frozen names layer 1, but the student has",
        ),
        (
            ["deep.student.frozen=embeddings,0"],
            1,
            "stages.deep: student.frozen leaves nothing to train",
        ),
        (["again.data.source=task:ax"], 1, "no examples of its own to train"),
        (["deep.method.teacher_layer=2"], 1, "stages.deep: cannot expose "),
        (["again.train.steps=0"], 2, "stages.again.train.steps is 0, expec"),
        (["deep.student.init=x"], 2, "stages.deep.student.init is 'x'"),
        (["deep.student.frozen=top"], 2, "deep.student.frozen is 'top'"),
        (["deep.method.name=Mini"], 2, "did you mean MiniLM?"),
        (["deep.trian.steps=1"], 2, "did you mean stages.deep.train"),
        (["dep.train.steps=1"], 2, "did you mean stages.deep?"),
    ],
)
def test_refused_before_anything_is_written(
    staged, tmp_path, capfd, flags, code, said
):
    run = tmp_path / "run"
    flags = [f"--config.stages.{flag}" for flag in flags]
    capfd.readouterr()
    assert staged(run, *flags) == code
    [line] = capfd.readouterr().err.splitlines()
    assert said in line
    assert not run.exists()


def test_vocabularies_differ(staged, tmp_path, tiny, save_bert, capfd):
    words = load_tokenizer(tiny.teacher).get_vocabulary()
    save_bert(
        tmp_path / "other", [*words, "house"], {}, num_layers=2, num_heads=2,
        hidden_dim=16, intermediate_dim=32,
    )  # fmt: skip
    flag = f"--config.stages.deep.teacher={tmp_path / 'other'}"
    capfd.readouterr()
    assert staged(tmp_path / "run", flag) == 1
    [line] = capfd.readouterr().err.splitlines()
    assert "stages.deep: again (student.init_from) and" in line
    assert "read different vocabularies" in line
    assert not (tmp_path / "run").exists()
