"""A grid of settings: which there are, which is the best, and going on."""

import json

import pytest

from tfminilm.commands import main
from tfminilm.errors import Interrupted, NotFiniteError, UsageError, UserError
from tfminilm.methods import PatientKD
from tfminilm.train import sweep
from tfminilm.train.recipe import DataSpec, Recipe, TrainSpec

CONFIG = Recipe(
    name="a",
    method=PatientKD(),
    data=DataSpec(source="task:mrpc"),
    train=TrainSpec(),
).to_dict()
KEYS = ["method.alpha=0.2,1", "train.batch_size=8,16"]


def test_a_grid_has_all_settings():
    assert sweep.read_grid(CONFIG, KEYS) == [
        {"method.alpha": alpha, "train.batch_size": size}
        for alpha in (0.2, 1.0)
        for size in (8, 16)
    ]
    (true, false) = sweep.read_grid(CONFIG, ["method.raw_states=true,False"])
    assert (*true.values(), *false.values()) == (True, False)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["method.alpha"], "expected each key once with its values"),
        (["method.alpha="], "expected each key once"),
        (KEYS[:1] * 2, "expected each key once"),
        (["method.alfa=1"], "the recipe has no such key"),
        (["method=1"], "expected a key of a number"),
        (["train.steps=1.5"], "'1.5' is no int, as 400000 is"),
        (["method.raw_states=1"], "'1' is no bool, as False is"),
    ],
)
def test_refuses_what_is_no_grid(keys, message):
    with pytest.raises(UsageError, match=message):
        sweep.read_grid(CONFIG, keys)


@pytest.fixture
def runs(monkeypatch):
    """What each setting's dev scores are, by its alpha; and what has run."""
    seen, scores = [], {}

    def distill(recipe, folder, context):
        seen.append(recipe.method.alpha)
        found = scores[recipe.method.alpha]
        if isinstance(found, Exception):
            raise found
        folder.mkdir(parents=True, exist_ok=True)
        rows = [
            {"step": step, "split": "held_out", "loss": 1.0, "f1": score}
            for step, score in enumerate(found)
        ]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "metrics.jsonl").write_text(text)

    monkeypatch.setattr(sweep, "distill", distill)
    return seen, scores


def config(best_by=""):
    train = CONFIG["train"] | {"best_by": best_by}
    return CONFIG | {"train": train}


@pytest.mark.parametrize(
    ("best_by", "order"), [("", (0.7, 0.2, 0.5)), ("score", (0.2, 0.7, 0.5))]
)
def test_the_best_is_first(best_by, order, runs, tmp_path):
    """By the last model, or by the best where the run ends with that."""
    _, scores = runs
    scores |= {0.2: [0.9, 0.5], 0.5: NotFiniteError("oh"), 0.7: [0.1, 0.6]}
    grid = sweep.read_grid(config(best_by), ["method.alpha=0.2,0.5,0.7"])
    cells = sweep.sweep(config(best_by), grid, tmp_path)
    assert tuple(cell.values["method.alpha"] for cell in cells) == order
    assert cells[-1].score is None
    found = json.loads((tmp_path / "sweep.json").read_text())
    assert found["by"] == "f1"
    assert [cell["folder"] for cell in found["cells"]] == [
        str(tmp_path / "cells" / f"method.alpha={alpha}") for alpha in order
    ]


def test_a_stopped_one_keeps_what_it_has(runs, tmp_path):
    seen, scores = runs
    scores |= {0.2: [0.3], 0.5: Interrupted("stopped")}
    grid = sweep.read_grid(CONFIG, ["method.alpha=0.2,0.5"])
    with pytest.raises(Interrupted):
        sweep.sweep(CONFIG, grid, tmp_path)
    (cell,) = json.loads((tmp_path / "sweep.json").read_text())["cells"]
    assert cell["score"] == 0.3
    scores[0.5] = [0.4]
    best, _ = sweep.sweep(CONFIG, grid, tmp_path)
    assert (best.score, seen) == (0.4, [0.2, 0.5, 0.2, 0.5])


def test_refuses_what_cannot_be_compared(runs, tmp_path):
    _, scores = runs
    scores |= {0.2: NotFiniteError("oh"), 0.5: [0.1]}
    grid = sweep.read_grid(CONFIG, ["method.alpha=0.2"])
    with pytest.raises(UserError, match="kept a finite loss"):
        sweep.sweep(CONFIG, grid, tmp_path / "a")
    grid = sweep.read_grid(CONFIG, ["method.alpha=0.5"])
    with pytest.raises(UserError, match="measured no such metric"):
        sweep.sweep(CONFIG, grid, tmp_path / "b", by="accuracy")
    with pytest.raises(UsageError, match="names a value twice"):
        sweep.sweep(CONFIG, grid * 2, tmp_path / "c")
    text = Recipe(name="b").to_dict()
    grid = sweep.read_grid(text, ["method.value_weight=0,1"])
    with pytest.raises(UsageError, match="losses do not compare"):
        sweep.sweep(text, grid, tmp_path / "d")
    # A wrong value is found before the first setting runs.
    grid = sweep.read_grid(CONFIG, ["method.alpha=0.5,2"])
    with pytest.raises(UsageError, match=r"alpha is 2\.0, expected 0 to 1"):
        sweep.sweep(CONFIG, grid, tmp_path / "e")


@pytest.mark.slow
def test_the_command(tmp_path, capsys):
    flags = ["--config=pkd_l3_h768:smoke", f"--workdir={tmp_path}"]
    flags += ["--sweep=method.alpha=0.2,0.7"]
    assert main(["distill", *flags]) == 0
    lines = capsys.readouterr().out.splitlines()
    scores = [float(line.split()[0]) for line in lines]
    assert len(scores) == 2
    assert scores == sorted(scores, reverse=True)
    assert main(["distill", *flags]) == 0
    again = capsys.readouterr()
    assert again.out.splitlines() == lines
    assert again.err.count("already finished") == 2
