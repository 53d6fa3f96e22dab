"""Fine-tuning by the command: results, resuming, seeds, bad numbers."""

import json
import random
import shutil
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest

from tfminilm.commands import main
from tfminilm.errors import UserError
from tfminilm.tasks import csv_task, heads, read
from tfminilm.tasks.evaluate import Settings, evaluate
from tfminilm.tasks.task import get_task
from tfminilm.teachers import load_tokenizer
from tfminilm.train import finetune, loop, score

GOOD, BAD = ("first", "new", "most"), ("not", "other", "all")
FILLER = ("the", "of", "and", "in", "was", "for", "with", "he", "that")
FAST = (
    "--epochs=10",
    "--learning_rate=5e-3",
    "--batch_size=8",
    "--max_length=16",
    "--precision=float32",
)


def sentence(chance, words):
    # Of two lengths only: each is a shape to trace.
    found = chance.choices(FILLER, k=chance.choice((2, 6)))
    found.insert(chance.randint(0, len(found)), chance.choice(words))
    return " ".join(found)


def save_model(folder):
    """One layer of random weights from which these tasks can be learned."""
    import keras_hub

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *FILLER, *GOOD, *BAD]
    model = keras_hub.models.BertBackbone(
        vocabulary_size=len(words),
        num_layers=1,
        num_heads=2,
        hidden_dim=32,
        intermediate_dim=64,
        max_sequence_length=32,
    )
    chance = np.random.default_rng(0)
    for variable in model.weights:
        if variable.name in ("kernel", "embeddings"):
            scale = 0.2 if variable.name == "kernel" else 1.0
            variable.assign(chance.normal(scale=scale, size=variable.shape))
    model.save_to_preset(str(folder))
    tokenizer = keras_hub.models.BertTokenizer(words, lowercase=True)
    tokenizer.save_to_preset(str(folder))


def write_lines(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def write_sst2(folder, train=120, dev=41):
    chance = random.Random(0)
    for name, count in (("train", train), ("dev", dev), ("test", 5)):
        lines = ["index\tsentence" if name == "test" else "sentence\tlabel"]
        for index in range(count):
            text = sentence(chance, GOOD if index % 2 else BAD)
            cells = (index, text) if name == "test" else (text, index % 2)
            lines.append("\t".join(map(str, cells)))
        write_lines(folder / "SST-2" / f"{name}.tsv", lines)


def write_stsb(folder):
    chance = random.Random(0)
    names = "index genre filename year old_index source1 source2".split()
    header = "\t".join([*names, "sentence1", "sentence2", "score"])
    for name, count in (("train", 96), ("dev", 21)):
        lines = [header]
        for index in range(count):
            same = index % 2
            words = GOOD if same else BAD
            pair = [sentence(chance, words), sentence(chance, words)]
            about = [str(index), *["x"] * 6]
            lines.append("\t".join([*about, *pair, f"{5.0 * same:.3f}"]))
        write_lines(folder / "STS-B" / f"{name}.tsv", lines)


def write_squad(folder, version="1.1"):
    chance = random.Random(0)
    for name, count in (("train", 40), ("dev", 11)):
        paragraphs = []
        for index in range(count):
            context = sentence(chance, GOOD)
            answer = next(word for word in context.split() if word in GOOD)
            asked = {
                "id": f"{name}{index}",
                "question": "which first",
                "answers": [
                    {"text": answer, "answer_start": context.index(answer)}
                ],
            }
            if version == "2.0":
                asked["is_impossible"] = index % 2 == 0
                if asked["is_impossible"]:
                    context = sentence(chance, BAD)
                    asked["answers"] = []
            paragraphs.append({"context": context, "qas": [asked]})
        content = {
            "version": version,
            "data": [{"title": "t", "paragraphs": paragraphs}],
        }
        path = folder / f"{name}-v{version}.json"
        write_lines(path, [json.dumps(content)])


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_sst2(folder)
    write_stsb(folder)
    write_squad(folder)
    write_squad(folder, "2.0")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_model(folder)
    return folder


@pytest.fixture(scope="module")
def run(model, data):
    """`run(workdir, task, *flags)`: the exit code of the command."""

    def call(workdir, task="sst2", *flags):
        given = [
            f"--model={model}",
            f"--task={task}",
            f"--workdir={workdir}",
            f"--data_dir={data}",
            *FAST,
            *flags,
        ]
        return main(["finetune", *given])

    return call


@pytest.fixture(scope="module")
def done(run, tmp_path_factory):
    """The workdir of an uninterrupted run. Shared: tests copy it."""
    workdir = tmp_path_factory.mktemp("runs") / "done"
    assert run(workdir) == 0
    return workdir


def results(workdir):
    return json.loads((workdir / "results.json").read_text())


def test_it_learns(done):
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


def test_again_gives_the_same_number(done, data, run, tmp_path, capsys):
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
def test_other_kinds_of_tasks(run, data, tmp_path, capsys, task, metric, least):
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


def test_several_seeds(run, data, tmp_path, capsys):
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


def weights(workdir):
    model = heads.load_head(workdir / "student")
    return [np.asarray(variable) for variable in model.weights]


def test_a_killed_run_goes_on_to_the_same_end(
    done, model, data, run, tmp_path, rows
):
    workdir = tmp_path / "run"
    given = [
        f"--model={model}",
        "--task=sst2",
        f"--workdir={workdir}",
        f"--data_dir={data}",
        *FAST,
    ]
    kill = (
        "import os, signal, sys\n"
        "from tfminilm.commands import main\n"
        "from tfminilm.train import loop\n"
        "end = loop._Watch._end_step\n"
        "def killed(self, loss):\n"
        "    end(self, loss)\n"
        "    if self.step == 20: os.kill(os.getpid(), signal.SIGKILL)\n"
        "loop._Watch._end_step = killed\n"
        "main(sys.argv[1:])\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", kill, "finetune", *given], capture_output=True
    )
    assert process.returncode == -signal.SIGKILL, process.stderr
    # It may die while it writes the cache as well.
    (entry, *_) = (workdir / "text").glob("text-*")
    shutil.copytree(entry, entry.with_name(f".tmp-{entry.name}-x"))
    (entry / "token_ids.npy").write_bytes(b"half")
    assert run(workdir) == 0
    assert rows(workdir) == rows(done)
    for one, other in zip(weights(workdir), weights(done), strict=True):
        np.testing.assert_array_equal(one, other)


def test_interrupted(run, tmp_path, monkeypatch, capsys):
    end = loop._Watch._end_step

    def stopped(self, loss):
        self.signals.stop = self.step == 3
        end(self, loss)

    monkeypatch.setattr(loop._Watch, "_end_step", stopped)
    workdir = tmp_path / "run"
    assert run(workdir) == 1
    assert "interrupted at step 4, which is saved" in capsys.readouterr().err
    assert main(["evaluate", f"--model={workdir}", "--task=sst2"]) == 1
    assert "unfinished run" in capsys.readouterr().err


def test_a_loss_that_is_not_finite(run, tmp_path, capsys):
    assert run(tmp_path / "run", "sst2", "--learning_rate=1e30") == 1
    assert "the loss is not finite" in capsys.readouterr().err
    assert not (tmp_path / "run" / "student").exists()


def test_another_run_in_the_workdir(done, run, capsys):
    assert run(done, "sst2", "--epochs=9") == 1
    assert "epochs is 10 there, 9 here" in capsys.readouterr().err
    assert run(done, "sst2", "--seeds=1,2") == 1
    assert "holds the run of one seed" in capsys.readouterr().err


def test_a_mistake_leaves_the_workdir_free(run, data, tmp_path, capsys):
    folder = tmp_path / "data"
    shutil.copytree(data / "SST-2", folder / "SST-2")
    dev = folder / "SST-2" / "dev.tsv"
    content = dev.read_text()
    dev.write_text(content.replace("\t1", "\t7", 1))
    workdir = tmp_path / "run"
    flags = ("--epochs=1", f"--data_dir={folder}")
    assert run(workdir, "sst2", *flags) == 1
    assert "dev.tsv" in capsys.readouterr().err
    assert not (workdir / "recipe.json").exists()
    dev.write_text(content)
    assert run(workdir, "sst2", *flags) == 0


def test_longer_than_the_position_table(run, tmp_path, capsys):
    assert run(tmp_path / "run", "sst2", "--max_length=99") == 1
    assert "ends at 32: give --max_length=32" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"batch_size": -1}, "--batch_size is -1, expected 0 or more"),
        ({"doc_stride": 0}, "--doc_stride is 0, expected 1 or more"),
        ({"epochs": -1}, "--epochs is -1"),
        ({"learning_rate": 0.0}, "--learning_rate is 0.0, expected above 0"),
        ({"dropout": 1.0}, "--dropout is 1.0"),
        ({"warmup": 1.5}, "--warmup is 1.5, expected 0 to 1"),
        ({"seed": -1}, "--seed is -1"),
    ],
)
def test_numbers_out_of_range(given, message):
    spec = finetune.FineTuning("m", "sst2", **given)
    with pytest.raises(UserError, match=message):
        spec.resolved(get_task("sst2"))


def test_each_task_has_its_own_numbers():
    def own(name):
        spec = finetune.FineTuning("m", name).resolved(get_task(name))
        return spec.epochs, spec.batch_size, spec.max_length

    assert own("sst2") == (3, 64, 128)
    assert own("rte") == (10, 32, 128)
    assert own("squad") == (3, 32, 384)
    given = finetune.FineTuning("m", "rte", epochs=1, batch_size=8)
    assert given.resolved(get_task("rte")).epochs == 1
    assert given.resolved(get_task("rte")).batch_size == 8


def test_summary():
    runs = {
        1: {"validation": {"f1": 0.5}, "test": {}},
        2: {"validation": {"f1": 0.7}, "test": {}},
    }
    found = score.summary(runs)
    assert found["validation"]["f1"]["mean"] == pytest.approx(0.6)
    assert found["validation"]["f1"]["spread"] == pytest.approx(0.02**0.5)
    assert found["validation"]["f1"]["seeds"] == [0.5, 0.7]
    assert found["test"] == {}


def test_mixed_precision(run, tmp_path):
    workdir = tmp_path / "run"
    flags = ("--precision=mixed_bfloat16", "--epochs=1")
    assert run(workdir, "sst2", *flags) == 0
    model = heads.load_head(workdir / "student")
    assert keras.tree.flatten(model.weights)[0].dtype == "float32"
    assert model.backbone.dtype_policy.name == "float32"


def test_tokens_of_a_step_are_its_own():
    shown = finetune.TaskLoop.tokens
    from tfminilm.tasks.batches import Batches
    from tfminilm.tasks.encode import Encoded

    encoded = Encoded(
        np.zeros(9, np.int32),
        np.zeros(9, np.int8),
        np.array([0, 2, 5, 9]),
        {},
        0,
    )

    class Shown:
        data = Batches(encoded, 2)

    assert [shown(Shown, batch) for batch in range(2)] == [5, 4]


def test_text_of_ones_own(model, tmp_path, capsys):
    chance = random.Random(0)
    lines = ["text,mood"]
    for index in range(120):
        mood, words = ("glad", GOOD) if index % 2 else ("sad", BAD)
        lines.append(f'"{sentence(chance, words)}",{mood}')
    write_lines(tmp_path / "mine.csv", lines)
    task = [
        f"--task=csv:{tmp_path / 'mine.csv'}",
        "--text_columns=text",
        "--label_column=mood",
    ]
    workdir = f"{tmp_path}/run"
    given = [f"--model={model}", f"--workdir={workdir}", *task, *FAST]
    assert main(["finetune", *given]) == 0
    metrics = results(tmp_path / "run")["metrics"]
    assert metrics["validation"]["accuracy"]["mean"] > 0.7
    capsys.readouterr()
    assert main(["evaluate", f"--model={workdir}", *task]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"] == metrics
    # The classes are those of the training file, not of what is scored.
    glad = [line for line in lines if not line.endswith("sad")]
    write_lines(tmp_path / "mine.csv", glad)
    assert main(["evaluate", f"--model={workdir}", *task]) == 0


def test_scores_of_any_size(model, tmp_path):
    """A score may be far from 0 and from 1, and the saved model gives it."""
    chance = random.Random(0)
    lines = ["text\tprice"]
    for index in range(100):
        words, price = (GOOD, 2500) if index % 2 else (BAD, 1500)
        lines.append(f"{sentence(chance, words)}\t{price + chance.random()}")
    write_lines(tmp_path / "mine.tsv", lines)
    columns = ("--text_columns=text", "--label_column=price")
    given = [
        f"--model={model}",
        f"--task=csv:{tmp_path / 'mine.tsv'}",
        f"--workdir={tmp_path}/run",
        *("--kind=regression", *columns, *FAST),
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
