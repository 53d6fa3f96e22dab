"""What stages on examples learn from and are measured on."""

import json
import shutil

import numpy as np
import pytest

from tfminilm import methods
from tfminilm.commands import main
from tfminilm.data.text import place
from tfminilm.tasks import heads
from tfminilm.tasks.encoded import Encoded
from tfminilm.tasks.example import Example
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import get_task
from tfminilm.teachers import load_backbone, load_tokenizer
from tfminilm.train.distillation import select_job
from tfminilm.train.models import Models
from tfminilm.train.progress import Progress
from tfminilm.train.recipe import DataSpec, Recipe, TrainSpec
from tfminilm.train.sources.examples import Examples, example_data
from tfminilm.train.trainer import Trainer
from tfminilm.train.workdir import Workdir


def write_sorted(folder, counts):
    """SST-2's files with one class after the other, as IMDb's are."""
    for name, each in counts.items():
        rows = [f"the {n} was {c}\t{c}" for c in (0, 1) for n in range(each)]
        lines = ["sentence\tlabel", *rows]
        (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n")


@pytest.fixture
def read(tiny, tmp_path):
    """`read(method, **data)`: the data of a stage."""

    def run(method, **data):
        recipe = Recipe(
            teacher=str(tiny.teacher),
            method=method,
            data=DataSpec(sequence_length=16, **data),
            train=TrainSpec(batch_size=16, held_out_sequences=64),
        )
        models = Models(None, None, load_tokenizer(tiny.teacher))
        workdir = Workdir(tmp_path / "run", recipe)
        with Progress() as progress:
            return select_job(recipe).open_data(models, workdir, progress)

    return run


def labels_of(batches):
    """How many examples there are of each class, fillers left out."""
    counts = np.zeros(2, int)
    for _, labels, weights in batches:
        real = np.asarray(labels["labels"])[np.asarray(weights) > 0]
        counts += np.bincount(real, minlength=2)
    return counts.tolist()


@pytest.mark.parametrize("method", [methods.SoftTargets(), methods.MiniLM()])
def test_held_out_are_all_classes(read, tmp_path, method):
    """The loss that picks the best checkpoint was of the first class."""
    write_sorted(tmp_path, {"train": 40, "dev": 200})
    opened = read(method, source="task:sst2", folder=str(tmp_path))
    assert labels_of(opened.held_out) == [32, 32]
    # An export takes the first sentences of these.
    assert 8 <= sum(text.endswith("1") for text in opened.sentences[:32]) <= 24


def test_max_examples_are_of_all_classes(read, tmp_path):
    write_sorted(tmp_path, {"train": 100, "dev": 100})
    data = {"source": "task:sst2", "folder": str(tmp_path), "max_examples": 50}
    opened = read(methods.SoftTargets(), **data)
    epoch = opened.batches(0, opened.batches_per_epoch)
    for batches in (epoch, opened.held_out):
        assert labels_of(batches) == [25, 25]


def test_max_examples_of_sentences_are_of_the_whole_text(read, tmp_path):
    (tmp_path / "text").mkdir()
    for name in "abcd":
        lines = [f"This is number {n} of {name}." for n in range(250)]
        path = tmp_path / "text" / f"{name}.txt"
        path.write_text("\n\n".join(lines))
    opened = read(
        methods.SentenceEmbedding(),
        source=str(tmp_path / "text"),
        sentences=True,
        held_out_fraction=0.2,
        max_examples=200,
    )
    held_out = opened.sentences
    epoch = opened.batches(0, opened.batches_per_epoch)
    trained = sum(np.count_nonzero(weights) for *_, weights in epoch)
    assert len(held_out) + trained == 200
    assert 20 <= len(held_out) <= 60
    assert {text[-2] for text in held_out[:20]} <= set("abcd")
    files = {text[-2] for text in held_out}
    assert files == set("abcd")
    assert all(place(text, 0) < 0.2 for text in held_out)


@pytest.fixture
def own(tiny, tmp_path):
    """The flags of a recipe on a user's own file, and of its columns."""
    rows = [f'"the first, {n}",{n % 2 + 3}\n' for n in range(60)]
    (tmp_path / "mine.csv").write_text("text,stars\n" + "".join(rows))
    source = f"csv:{tmp_path / 'mine.csv'}"
    head = heads.build_head(get_task("sst2"), load_backbone(tiny.teacher))
    folder = tmp_path / "head"
    for model in (head, load_tokenizer(tiny.teacher)):
        model.save_to_preset(str(folder))
    Settings(source, "classification", ("3", "4"), 16).save(folder)
    data = {
        "data.source": f"task:{source}",
        "data.text_columns": "text",
        "data.label_column": "stars",
        "teacher": folder,
        "train.steps": 2,
        "train.evaluate_every": 2,
    }
    recipe = tmp_path / "own.py"
    recipe.write_text(
        tiny.recipe.read_text()
        .replace('name="tiny",', 'name="own", method=METHOD,')
        .replace("def get_config", f"{METHOD}\n\ndef get_config")
    )
    flags = [f"--config.{key}={value}" for key, value in data.items()]
    asked = [f"--task={source}", "--text_columns=text", "--label_column=stars"]
    return [f"--config={recipe}", *flags], asked


METHOD = "from tfminilm import methods\nMETHOD = methods.SoftTargets()"


def test_a_file_of_ones_own_is_distilled_on(own, tmp_path, rows, capsys):
    recipe, asked = own
    workdir = tmp_path / "run"
    assert main(["distill", *recipe, f"--workdir={workdir}"]) == 0
    last = [row for row in rows(workdir) if row["split"] == "held_out"][-1]
    capsys.readouterr()
    assert main(["evaluate", f"--model={workdir}", *asked]) == 0
    found = json.loads(capsys.readouterr().out)["metrics"]["validation"]
    assert found["accuracy"]["mean"] == last["accuracy"]
    assert len(json.loads((workdir / "held_out.json").read_text())) == 1


def test_a_held_out_batch_counts_by_its_sequences(tmp_path):
    """Of 20 in batches of 16 the last 4 counted as much as the others."""
    values = np.random.default_rng(0).normal(size=20)
    ends = np.arange(21) * 3
    ids = np.zeros(60, np.int32)
    encoded = Encoded(ids, ids, ends, {"labels": values}, 0)

    recipe = Recipe(train=TrainSpec(batch_size=16))
    rows = [Example(str(number), ("",), number) for number in range(20)]
    examples = Examples("own", rows, rows, lambda rows: encoded)
    folder = Workdir(tmp_path / "run", recipe)

    class Measured(Trainer):
        def __init__(self):
            self.data = example_data(examples, recipe, folder, Progress())
            self.step = 1
            self._reset_metrics = lambda: None

        def _require_finite(self, losses, when):
            assert when == "on held-out examples after step 1"

        def _test(self, inputs, labels, weights):
            return {"loss": np.average(labels["labels"], weights=weights)}

    assert Measured()._measure()["loss"] == pytest.approx(values.mean())


def test_a_run_does_not_go_on_with_other_data(
    finished, distill, tmp_path, capfd
):
    workdir = shutil.copytree(finished, tmp_path / "run")
    path = workdir / "decisions.json"
    found = json.loads(path.read_text())
    shutil.rmtree(workdir / "student")
    assert distill(workdir) == 0  # As it is, it goes on.
    for other, said in (
        ({"data": "0"}, "began with other data than is read now"),
        ({}, "of an earlier version of tfminilm"),
    ):
        shutil.rmtree(workdir / "student", ignore_errors=True)
        path.write_text(json.dumps({"precision": found["precision"]} | other))
        capfd.readouterr()
        assert distill(workdir) == 1
        assert said in capfd.readouterr().err
        assert not (workdir / "student").exists()
