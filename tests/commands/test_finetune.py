"""The finetune command's flags; tests/train has its runs."""

import pytest

from tfminilm.commands import finetune, main
from tfminilm.errors import UsageError, UserError


def said(capsys, *given):
    code = main(["finetune", *given])
    (line,) = capsys.readouterr().err.splitlines()
    return code, line


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((), "expected --model="),
        (("--model=m",), "expected --workdir="),
        (("--model=m", "--workdir=w"), "expected --task=, such as sst2"),
        (
            ("--model=m", "--workdir=w", "--task=csv:mine.csv"),
            "expects --text_columns=A[,B] and --label_column=C",
        ),
        (
            ("--model=m", "--workdir=w", "--task=sst2", "--seeds=1,x"),
            "--seeds=1,x: expected whole numbers, each once",
        ),
        (
            ("--model=m", "--workdir=w", "--task=sst2", "--seeds=2,2"),
            "--seeds=2,2: expected whole numbers, each once",
        ),
        (("--model=m", "--precision=half"), "precision"),
        (("--model=m", "--max_examples=-1"), "max_examples"),
    ],
)
def test_usage(given, message, capsys):
    code, line = said(capsys, *given)
    assert code == 2
    assert message in line


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--task=sst"], "did you mean 'sst2'?"),
        (["--task=sst2", "--batch_size=-2"], "--batch_size is -2"),
        (["--task=sst2", "--learning_rate=0"], "--learning_rate is 0.0"),
    ],
)
def test_what_cannot_be_done(given, message, capsys, tmp_path):
    workdir = tmp_path / "run"
    code, line = said(capsys, "--model=m", f"--workdir={workdir}", *given)
    assert code == 1
    assert message in line
    assert not workdir.exists()


def test_missing_model(capsys, tmp_path):
    given = [f"--model={tmp_path}/none", f"--workdir={tmp_path}/run"]
    code, line = said(capsys, *given, "--task=sst2")
    assert code == 1
    assert "no model at" in line
    # So that the right model can be given for the same workdir.
    assert not (tmp_path / "run").exists()


def test_folders_of_seeds(tmp_path):
    assert finetune._folders(tmp_path, [3]) == {3: tmp_path}
    two = {seed: tmp_path / f"seed-{seed}" for seed in (1, 2)}
    assert finetune._folders(tmp_path, [1, 2]) == two
    two[1].mkdir()
    (two[1] / "recipe.json").write_text("{}")
    assert finetune._folders(tmp_path, [5]) == {5: tmp_path / "seed-5"}
    (tmp_path / "recipe.json").write_text("{}")
    with pytest.raises(UserError, match="the run of one seed"):
        finetune._folders(tmp_path, [1, 2])


def test_seeds():
    assert finetune._seeds(["1", " 2"]) == [1, 2]
    with pytest.raises(UsageError):
        finetune._seeds([])
