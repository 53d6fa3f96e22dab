"""Fine-tuning on a user's own file."""

import json

import numpy as np

from tfminilm.commands import main
from tfminilm.tasks import csv_task, heads, read
from tfminilm.tasks.evaluate import evaluate
from tfminilm.tasks.settings import Settings
from tfminilm.teachers import load_tokenizer


def test_text_of_ones_own(model, labelled, tmp_path, capsys, results, fast):
    texts = labelled(120, "glad", "sad")
    rows = [f'"{text}",{label}\n' for text, label in texts]
    (tmp_path / "mine.csv").write_text("text,mood\n" + "".join(rows))
    task = [
        f"--task=csv:{tmp_path / 'mine.csv'}",
        "--text_columns=text",
        "--label_column=mood",
    ]
    workdir = f"{tmp_path}/run"
    given = [f"--model={model}", f"--workdir={workdir}", *task, *fast]
    assert main(["finetune", *given]) == 0
    metrics = results(tmp_path / "run")["metrics"]
    assert metrics["validation"]["accuracy"]["mean"] > 0.7
    capsys.readouterr()
    assert main(["evaluate", f"--model={workdir}", *task]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"] == metrics
    # The classes are those of the training file, not of what is scored.
    glad = [row for row in rows if row.endswith("glad\n")]
    (tmp_path / "mine.csv").write_text("text,mood\n" + "".join(glad))
    assert main(["evaluate", f"--model={workdir}", *task]) == 0


def test_scores_of_any_size(model, labelled, tmp_path, results, fast):
    """A score may be far from 0 and from 1, and the saved model gives it."""
    texts = labelled(100, 2500, 1500)
    rows = [f"{t}\t{price + i % 7 / 7}\n" for i, (t, price) in enumerate(texts)]
    (tmp_path / "mine.tsv").write_text("text\tprice\n" + "".join(rows))
    columns = ("--text_columns=text", "--label_column=price")
    given = [
        f"--model={model}",
        f"--task=csv:{tmp_path / 'mine.tsv'}",
        f"--workdir={tmp_path}/run",
        *("--kind=regression", *columns, *fast, "--epochs=20"),
    ]
    assert main(["finetune", *given]) == 0
    pearson = results(tmp_path / "run")["metrics"]["validation"]["pearson"]
    assert pearson["mean"] > 0.8
    task = csv_task(tmp_path / "mine.tsv", ["text"], "price", "regression")
    examples = read(task, "validation")
    student = tmp_path / "run" / "student"
    found = evaluate(
        task,
        heads.load_head(student),
        load_tokenizer(str(student)),
        examples,
        Settings.load(student),
    )
    wanted = [example.label for example in examples]
    np.testing.assert_allclose(found.predictions, wanted, rtol=0.15)
