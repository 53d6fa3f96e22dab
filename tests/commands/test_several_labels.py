"""Several labels of a text, from a user's own file to a bundle."""

import json

import pytest

import tfminilm
from tfminilm.commands import main
from tfminilm.tasks.settings import Settings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning"),
]
WORDS = {"food": "soup", "place": "town", "time": "today"}
RECIPE = """
from tfminilm.methods import SoftTargets
from tfminilm.train.recipe import DataSpec, Recipe, StudentSpec, TrainSpec

def get_config(mode=""):
    return Recipe(
        student=StudentSpec(num_layers=1, hidden_dim=48, num_heads=4,
                            intermediate_dim=64, max_sequence_length=32),
        method=SoftTargets(),
        data=DataSpec(sequence_length=16),
        train=TrainSpec(steps=150, batch_size=32, learning_rate=3e-3,
                        warmup_steps=10, evaluate_every=150,
                        checkpoint_every=150, precision="float32"),
    ).config(mode)
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Each set of labels many times, as lists and with columns."""
    folder = tmp_path_factory.mktemp("data")
    lists, columns = [], ["text,food,place,time"]
    for number in range(240):
        names = [n for i, n in enumerate(WORDS) if number >> i & 1]
        text = " ".join(["we", *(WORDS[name] for name in names), "and more"])
        lists.append(json.dumps({"text": text, "tags": names}))
        flags = [str(int(name in names)) for name in WORDS]
        columns.append(",".join([text, *flags]))
    (folder / "lists.jsonl").write_text("\n".join(lists))
    (folder / "columns.csv").write_text("\n".join(columns))
    return folder


def task(data, name="lists.jsonl", column="--label_column=tags"):
    return [
        f"--task=csv:{data / name}", "--text_columns=text", column,
        "--kind=multi_label",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def teacher(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher")
    how = ["--epochs=20", "--learning_rate=2e-3", "--max_length=16"]
    names = ["finetune", "--model=tiny:bert", f"--workdir={folder}", *how]
    assert main([*names, "--precision=float32", *task(data)]) == 0
    return folder


def macro_f1(model, data, output, capsys, *given):
    capsys.readouterr()
    flags = [f"--model={model}", f"--output={output}", "--splits=all"]
    assert main(["evaluate", *flags, *(given or task(data))]) == 0
    metrics = json.loads(capsys.readouterr().out)["metrics"]["all"]
    return metrics["macro_f1"]["mean"]


def test_from_a_file_to_a_bundle(teacher, data, tmp_path, capsys):
    score = macro_f1(teacher, data, tmp_path, capsys)
    assert score > 0.9
    columns = task(data, "columns.csv", "--label_columns=time,food,place")
    assert macro_f1(teacher, data, tmp_path, capsys, *columns) == score
    settings = Settings.load(teacher / "student")
    assert len(settings.thresholds) == 3
    bundle, folder = tmp_path / "bundle", tmp_path / "hf"
    for form, output in (("android_fp32", bundle), ("hugging_face", folder)):
        flags = [f"--config={form}:smoke", f"--output={output}"]
        flags += ["--config.lengths=16", f"--model={teacher}"]
        assert main(["export", *flags]) == 0
        assert macro_f1(output, data, tmp_path, capsys) == score
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert manifest["task"] == "multi_label_classification"
    told = manifest["multi_label_classification"]["thresholds"]
    assert tuple(told) == settings.thresholds
    config = json.loads((folder / "config.json").read_text())
    assert config["problem_type"] == "multi_label_classification"
    text = "we soup today and more"
    for model in (teacher, bundle, folder):
        prediction = tfminilm.load(model).predict(text)
        assert prediction.labels == ("food", "time")
        assert prediction.scores["place"] < settings.thresholds[1]
    capsys.readouterr()
    assert main(["predict", f"--model={bundle}", f"--text={text}"]) == 0
    assert capsys.readouterr().out.startswith(f"food, time\t{text}")


def test_a_student_learns_from_a_teacher(teacher, data, tmp_path, capsys):
    recipe = tmp_path / "recipe.py"
    recipe.write_text(RECIPE)
    given = {
        "teacher": teacher,
        "data.source": f"task:csv:{data / 'lists.jsonl'}",
        "data.text_columns": "text",
        "data.label_column": "tags",
        "data.label_kind": "multi_label",
    }
    flags = [f"--config.{name}={value}" for name, value in given.items()]
    run = tmp_path / "run"
    command = ["distill", f"--config={recipe}", f"--workdir={run}"]
    assert main([*command, *flags]) == 0
    assert len(Settings.load(run / "student").thresholds) == 3
    assert macro_f1(run, data, tmp_path, capsys) > 0.8
