"""Fine-tuning by the command: what it learns, saves and scores."""

import json

import keras
import numpy as np
import pytest

from tfminilm.commands import main
from tfminilm.tasks import heads


def test_it_learns(done, results):
    found = results(done)
    accuracy = found["metrics"]["validation"]["accuracy"]
    assert accuracy["mean"] > 0.8
    assert accuracy["seeds"] == [accuracy["mean"]]
    assert found["task"] == "sst2"
    assert found["seeds"] == [1]
    assert found["settings"]["epochs"] == 10
    rows = [
        json.loads(line)
        for line in (done / "metrics.jsonl").read_text().splitlines()
    ]
    scored = [row["step"] for row in rows if row["split"] == "validation"]
    assert scored == list(range(15, 150, 15))
    train = [row for row in rows if row["split"] == "train"]
    assert train[-1]["step"] == 150
    assert train[-1]["loss"] < train[0]["loss"]


def test_the_saved_model_is_keras_hubs(done):
    import keras_hub

    found = keras_hub.models.TextClassifier.from_preset(
        str(done / "student"), compile=False
    )
    assert type(found) is keras_hub.models.BertTextClassifier
    settings = json.loads((done / "student" / "tfminilm.json").read_text())
    assert settings["labels"] == ["negative", "positive"]
    assert settings["max_length"] == 16


def test_again_gives_the_same_number(
    done, data, run, tmp_path, capsys, results
):
    given = [f"--model={done}", "--task=sst2", f"--data_dir={data}"]
    assert main(["evaluate", *given, f"--output={tmp_path}"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["metrics"] == results(done)["metrics"]
    # Finetune itself, started again, only scores.
    before = (done / "student" / "model.weights.h5").stat().st_mtime_ns
    assert run(done) == 0
    assert (done / "student" / "model.weights.h5").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("task", "metric", "least"),
    [("stsb", "pearson", 0.4), ("squad", "f1", 90), ("squad_v2", "f1", 80)],
)
def test_other_kinds_of_tasks(
    run, data, tmp_path, capsys, task, metric, least, results
):
    workdir = tmp_path / "run"
    assert run(workdir, task, "--doc_stride=4") == 0
    found = results(workdir)["metrics"]
    assert found["validation"][metric]["mean"] > least
    capsys.readouterr()
    given = [f"--model={workdir}", f"--task={task}", f"--data_dir={data}"]
    assert main(["evaluate", *given, f"--output={tmp_path}"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"] == found
    if task == "squad_v2":
        assert "NoAns_f1" in found["validation"]
        assert "best_f1_thresh" in found["validation"]
        path = tmp_path / "squad_v2-validation-no-answer.json"
        assert len(json.loads(path.read_text())) == 11
    if task == "squad":
        path = tmp_path / "squad-validation-predictions.json"
        answers = json.loads(path.read_text())
        assert set(answers) == {f"dev{i}" for i in range(11)}


def test_several_seeds(run, data, tmp_path, capsys, results):
    workdir = tmp_path / "run"
    assert run(workdir, "sst2", "--seeds=1,2", "--epochs=1") == 0
    found = results(workdir)["metrics"]["validation"]["accuracy"]
    assert found["mean"] == pytest.approx(np.mean(found["seeds"]))
    assert found["spread"] == pytest.approx(np.std(found["seeds"], ddof=1))
    first, second = (
        (workdir / f"seed-{seed}" / "student" / "model.weights.h5").read_bytes()
        for seed in (1, 2)
    )
    assert first != second
    # The text is tokenised once for both, and once for each split.
    assert len(list((workdir / "text").glob("text-*"))) == 2
    capsys.readouterr()
    given = [f"--model={workdir}", "--task=sst2", f"--data_dir={data}"]
    assert main(["evaluate", *given]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["metrics"]["validation"]["accuracy"] == found
    assert shown["seeds"] == [1, 2]


def test_a_seed_makes_the_head_as_well(run, tmp_path):
    still = ("--learning_rate=1e-12", "--max_examples=8", "--epochs=1")
    assert run(tmp_path, "sst2", "--seeds=1,2", *still) == 0
    first, second = (
        heads.load_head(tmp_path / f"seed-{seed}" / "student").output_dense
        for seed in (1, 2)
    )
    gap = np.asarray(first.kernel) - np.asarray(second.kernel)
    assert np.abs(gap).max() > 1e-3


def test_mixed_precision(run, tmp_path):
    workdir = tmp_path / "run"
    flags = ("--precision=mixed_bfloat16", "--epochs=1")
    assert run(workdir, "sst2", *flags) == 0
    model = heads.load_head(workdir / "student")
    assert keras.tree.flatten(model.weights)[0].dtype == "float32"
    assert model.backbone.dtype_policy.name == "float32"
