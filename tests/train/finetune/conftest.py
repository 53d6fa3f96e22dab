"""Tiny tasks that a tiny model learns in seconds, and runs of the command."""

import json
import random

import pytest

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


@pytest.fixture(scope="session")
def fast():
    """The flags of a run of seconds."""
    return FAST


@pytest.fixture(scope="session")
def labelled():
    """`labelled(count, good, bad)`: texts of two kinds in turns, and labels."""

    def make(count, good, bad):
        chance = random.Random(0)
        return [
            (sentence(chance, words), label)
            for _ in range(count // 2)
            for words, label in ((BAD, bad), (GOOD, good))
        ]

    return make


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_sst2(folder)
    write_stsb(folder)
    write_squad(folder)
    write_squad(folder, "2.0")
    return folder


@pytest.fixture(scope="session")
def model(save_bert, tmp_path_factory):
    """One layer of random weights from which these tasks can be learned."""
    folder = tmp_path_factory.mktemp("model")
    save_bert(
        folder,
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *FILLER, *GOOD, *BAD],
        {"kernel": 0.2, "embeddings": 1.0},
        num_layers=1,
        num_heads=2,
        hidden_dim=32,
        intermediate_dim=64,
    )
    return folder


@pytest.fixture(scope="session")
def run(model, data, command):
    """`run(workdir, task, *flags)`: the exit code of the command."""
    finetune = command(
        "finetune", f"--model={model}", f"--data_dir={data}", *FAST
    )
    return lambda workdir, task="sst2", *flags: finetune(
        workdir, f"--task={task}", *flags
    )


@pytest.fixture(scope="session")
def done(run, tmp_path_factory):
    """The workdir of an uninterrupted run. Shared: tests copy it."""
    workdir = tmp_path_factory.mktemp("runs") / "done"
    assert run(workdir) == 0
    return workdir


@pytest.fixture(scope="session")
def results():
    """`results(workdir)`: what finetune wrote there."""

    def read(workdir):
        return json.loads((workdir / "results.json").read_text())

    return read
