"""Fine-tuned models that are calibrated, and bundles that say so."""

import json

import numpy as np
import pytest

import tfminilm
from tfminilm.commands import main
from tfminilm.errors import UserError
from tfminilm.tasks import csv_task, evidence
from tfminilm.tasks.settings import Settings
from tfminilm.train.finetune import FineTuning, finetune


def write(path, seed):
    """Half of the labels follow the text, so that nobody can be sure."""
    draw = np.random.default_rng(seed)
    rows = []
    for number in range(40):
        label = "ab"[number % 2 if draw.random() < 0.7 else draw.integers(2)]
        rows.append(f"text {'good bad'.split()[number % 2]} {number},{label}")
    path.write_text("\n".join(["text,label", *rows]))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibrated")
    write(folder / "train.csv", 0)
    write(folder / "dev.csv", 1)
    return folder


def tuned(files, folder, **how):
    task = csv_task(
        files / "train.csv", ["text"], "label", eval_path=files / "dev.csv"
    )
    spec = FineTuning(
        "tiny:bert", task.name, epochs=6, max_length=8, batch_size=8,
        learning_rate=1e-3, precision="float32", **how,
    )  # fmt: skip
    finetune(task, spec, folder)
    return task


def logits(source, task):
    examples = task_examples(task)
    return np.stack(tfminilm.load(source).outputs(task, examples)[1]), np.array(
        [example.label for example in examples]
    )


def task_examples(task):
    from tfminilm.tasks.examples import read

    return read(task, "validation")


@pytest.mark.slow
def test_fine_tuned_and_exported(files, tmp_path):
    task = tuned(files, tmp_path / "plain")
    raw, labels = logits(tmp_path / "plain", task)
    temperature = evidence.fit_temperature(raw, labels)
    assert abs(np.log(temperature)) > 0.05

    tuned(files, tmp_path / "run", calibrate=True)
    mended, _ = logits(tmp_path / "run", task)
    np.testing.assert_allclose(mended, raw / temperature, rtol=1e-3, atol=1e-5)
    settings = Settings.load(tmp_path / "run/student")
    assert settings.temperature == pytest.approx(temperature, rel=1e-3)

    # The same by export, of the model as it was.
    command = [
        "export", "--config=android_fp32", "--config.lengths=8",
        f"--model={tmp_path / 'plain'}", f"--output={tmp_path / 'bundle'}",
        f"--task=csv:{files / 'train.csv'}", "--text_columns=text",
        "--label_column=label", f"--eval_file={files / 'dev.csv'}",
    ]  # fmt: skip
    assert main([*command, "--calibrate"]) == 0
    manifest = json.loads((tmp_path / "bundle/manifest.json").read_text())
    calibration = manifest["calibration"]
    assert calibration["temperature"] == pytest.approx(temperature, rel=1e-3)
    least = calibration["unsure_below"] or 0.0
    assert least == pytest.approx(settings.unsure_below, rel=1e-3)
    bundled, _ = logits(tmp_path / "bundle", task)
    np.testing.assert_allclose(bundled, mended, atol=1e-3)


def test_without_classes_or_examples(files, tmp_path, capfd):
    task = csv_task(files / "train.csv", ["text"], "label")
    spec = FineTuning("tiny:bert", "stsb", calibrate=True)
    from tfminilm.tasks.task import get_task

    with pytest.raises(UserError, match="calibrate is True, expected false"):
        spec.resolved(get_task("stsb"))
    assert FineTuning("tiny:bert", task.name, calibrate=True).resolved(task)
    command = ["export", "--config=android_fp32", "--config.lengths=8"]
    given = ["--model=tiny:bert", f"--output={tmp_path / 'b'}", "--calibrate"]
    assert main([*command, *given]) == 2
    assert "--calibrate expects --task=" in capfd.readouterr().err
    assert not (tmp_path / "b").exists()
