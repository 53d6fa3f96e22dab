"""`RUN@STEP` of fine-tuning: evaluated, exported and asked."""

import json
import shutil

import numpy as np
import pytest

import tfminilm
from tfminilm.commands import main
from tfminilm.tasks import heads
from tfminilm.train import at_step

TEXTS = ["the first of the new", "not all in other", "most"]


def evaluate(model, data, output, capsys, task="sst2"):
    given = [f"--task={task}", f"--data_dir={data}", f"--output={output}"]
    capsys.readouterr()
    assert main(["evaluate", f"--model={model}", *given]) == 0
    return json.loads(capsys.readouterr().out)["metrics"]


def test_the_last_checkpoint_scores_as_the_model(
    done, data, tmp_path, capsys, results
):
    found = evaluate(f"{done}@150", data, tmp_path, capsys)
    assert found == results(done)["metrics"]
    assert (tmp_path / "evaluation-sst2.json").is_file()


@pytest.mark.slow
def test_an_unfinished_run_of_a_file_is_opened(
    model, fast, labelled, command, tmp_path
):
    """Its classes are those that it noted: the file may be gone."""
    rows = labelled(32, "yes", "no")
    lines = ["text,label", *(f"{text},{label}" for text, label in rows)]
    path, run = tmp_path / "own.csv", tmp_path / "run"
    path.write_text("\n".join(lines) + "\n")
    finetune = command("finetune", f"--model={model}", *fast, "--epochs=2")
    columns = ("--text_columns=text", "--label_column=label")
    assert finetune(run, f"--task=csv:{path}", *columns) == 0
    wanted = tfminilm.load(run)
    step = max((run / "checkpoints").glob("step-*")).name.partition("-")[2]
    shutil.rmtree(run / "student")
    path.unlink()
    found = tfminilm.load(f"{run}@{int(step)}")
    assert found.labels == wanted.labels
    assert found.max_length == wanted.max_length
    for one, other in zip(
        found.predict(TEXTS), wanted.predict(TEXTS), strict=True
    ):
        assert one.scores == pytest.approx(other.scores, abs=1e-6)
    decisions = json.loads((run / "decisions.json").read_text())
    del decisions["settings"]
    (run / "decisions.json").write_text(json.dumps(decisions))
    with pytest.raises(tfminilm.UserError, match="did not note its classes"):
        tfminilm.load(f"{run}@{int(step)}")


def test_a_score_is_in_the_units_of_the_labels(run, tmp_path):
    """In training scores are standardised; in a model they are not."""
    workdir = tmp_path / "run"
    assert run(workdir, "stsb", "--epochs=1") == 0
    wanted = heads.load_head(workdir / "student").get_weights()
    for is_finished in (True, False):
        if not is_finished:
            shutil.rmtree(workdir / "student")
        found = heads.load_head(at_step.folder_of(f"{workdir}@12"))
        for one, other in zip(found.get_weights(), wanted, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)
    decisions = json.loads((workdir / "decisions.json").read_text())
    del decisions["label_scale"]
    (workdir / "decisions.json").write_text(json.dumps(decisions))
    with pytest.raises(tfminilm.UserError, match="did not note the scale"):
        tfminilm.load(f"{workdir}@12")


@pytest.mark.slow
def test_a_checkpoint_is_exported(done, data, tmp_path):
    given = [f"--output={tmp_path}/bundle", "--config.lengths=16"]
    step = min((done / "checkpoints").glob("step-*")).name.partition("-")[2]
    name = f"{done}@{int(step)}"
    export = ["export", "--config=android_fp32", f"--model={name}", *given]
    assert main(export) == 0
    bundle, keras = tfminilm.load(tmp_path / "bundle"), tfminilm.load(name)
    for one, other in zip(
        bundle.predict(TEXTS), keras.predict(TEXTS), strict=True
    ):
        assert one.scores == pytest.approx(other.scores, abs=1e-4)
    manifest = json.loads((tmp_path / "bundle/manifest.json").read_text())
    assert "fine-tuned on sst2" in manifest["description"]
