"""Tags of words from a user's file to a bundle, by the commands."""

import json

import pytest

from tfminilm import commands
from tfminilm.tasks.readers.tagged import tagged_task
from tfminilm.tasks.settings import SETTINGS, Settings
from tfminilm.tasks.task import get_task
from tfminilm.train.sources.task import in_order_of

NAMES = ("student", "teacher", "text", "layer")
RECIPE = """
from tfminilm import methods
from tfminilm.train import recipe


def get_config(mode=""):
    return recipe.Recipe(
        name="tags",
        teacher={teacher!r},
        student=recipe.StudentSpec(
            num_layers=1, hidden_dim=48, intermediate_dim=96, dropout=0.0,
        ),
        method=methods.SoftTargets(),
        data=recipe.DataSpec(
            source="task:conll:" + {file!r}, sequence_length=32
        ),
        train=recipe.TrainSpec(
            steps=12, batch_size=16, learning_rate=5e-3, warmup_steps=1,
            precision="float32", evaluate_every=6, checkpoint_every=6,
            held_out_sequences=4,
        ),
    ).config()
"""


def conll(count):
    """Sentences in which a name is a thing, and is followed by its kind."""
    lines = []
    for index in range(count):
        name = NAMES[index % len(NAMES)]
        lines += ["the O", f"{name} B-THING", "model I-THING", "reads O", ""]
    return "\n".join(lines) + "\n"


@pytest.fixture
def command(capsys):
    """`command(name, *arguments)`: the JSON that it prints."""

    def run(*arguments):
        code = commands.main([*map(str, arguments)])
        out, err = capsys.readouterr()
        assert code == 0, err
        start = out.find("{\n")
        return (
            json.JSONDecoder().raw_decode(out, start)[0]
            if start >= 0
            else {"said": err}
        )

    return run


@pytest.mark.slow
def test_from_a_file_to_a_bundle(command, tmp_path):
    file, task = tmp_path / "mine.txt", f"conll:{tmp_path / 'mine.txt'}"
    file.write_text(conll(60))
    teacher, student = tmp_path / "teacher", tmp_path / "student"
    found = command(
        *("finetune", "--model=tiny:bert", f"--workdir={teacher}"),
        *(f"--task={task}", "--epochs=6", "--batch_size=16"),
        *("--learning_rate=5e-3", "--max_length=32", "--precision=float32"),
    )
    assert found["metrics"]["validation"]["f1"]["mean"] == 1.0
    recipe = tmp_path / "tags.py"
    content = RECIPE.format(teacher=str(teacher), file=str(file))
    recipe.write_text(content)
    command("distill", f"--config={recipe}", f"--workdir={student}")
    # More texts, which have no tags, and the teacher's answers to all.
    (tmp_path / "more.txt").write_text("the layer model reads\n" * 10)
    more = command(
        *("distill", f"--config={recipe}", f"--workdir={tmp_path / 'more'}"),
        f"--config.data.unlabeled={tmp_path / 'more.txt'}",
        "--config.method.alpha=1.0",
    )
    assert ": 64 sequences" in more["said"]
    scores = command("evaluate", f"--model={student}", f"--task={task}")
    bundle = tmp_path / "bundle"
    command(
        *("export", f"--model={student}", "--config=android_fp32"),
        *("--config.lengths=8,32", f"--output={bundle}", f"--task={task}"),
    )
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert manifest["task"] == "token_classification"
    assert manifest["token_classification"] == {"scheme": "bio"}
    assert manifest["labels"] == ["O", "B-THING", "I-THING"]
    assert manifest["signatures"]["encode_8"]["outputs"]["token_logits"] == {
        "dtype": "float32",
        "shape": [1, 8, 3],
    }
    again = command(
        *("evaluate", f"--model={bundle}", f"--task={task}"),
        f"--output={tmp_path}",
    )
    assert again["metrics"] == scores["metrics"]
    rows = (tmp_path / "validation-predictions.jsonl").read_text().splitlines()
    assert len(rows) == 6
    assert {*json.loads(rows[0])} == {"id", "spans"}


def test_a_file_takes_its_teachers_order(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("a B-Y\nb I-Y\nc O\n")
    task = tagged_task(f"conll:{file}")
    assert task.labels == ("O", "B-Y", "I-Y")
    teacher = ("O", "I-X", "B-X", "I-Y", "B-Y")
    settings = Settings("other", "token_classification", teacher, 32)
    settings.save(tmp_path)
    # As a model's folder has it, of which nothing is read here.
    (tmp_path / "config.json").write_text('{"module": "keras_hub"}')
    (tmp_path / "model.weights.h5").write_bytes(b"h5")
    assert in_order_of(tmp_path, task).labels == teacher
    # Others stay as they are, to be refused.
    assert in_order_of(tmp_path, get_task("sst2")) is get_task("sst2")
    (tmp_path / SETTINGS).unlink()
    Settings("other", "token_classification", teacher[:3], 32).save(tmp_path)
    assert in_order_of(tmp_path, task) is task
    assert in_order_of("tiny:bert", task) is task
