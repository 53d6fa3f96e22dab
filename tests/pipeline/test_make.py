"""`tfminilm make` from a file to a bundle, stopped and gone on with."""

import csv
import json
import random
import signal
import subprocess
import sys
import time

import pytest

import tfminilm
from tfminilm.errors import UserError
from tfminilm.export.bundle import writer
from tfminilm.pipeline import sources, survey
from tfminilm.pipeline.make import _chosen, make
from tfminilm.pipeline.options import Options
from tfminilm.pipeline.steps import STUDENT, Steps
from tfminilm.web import packages

MAIN = "import sys; from tfminilm.commands import main; sys.exit(main())"
WORDS = {"where": "delivery", "money": "refund", "broken": "fault"}
FILLERS = ("my", "the", "new", "old", "small", "parcel", "was", "und", "Grüße")
SMALL = {
    "teacher": "tiny:bert",
    "epochs": 2,
    "max_length": 16,
    "seed": 3,
    "precision": "float32",  # "auto" is chosen by time.
}


def write(path):
    draw = random.Random(0)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["message", "intent", "id"])
        for number in range(240):
            word = draw.choice(list(WORDS))
            text = [*draw.choices(FILLERS, k=3), word, *draw.choices(FILLERS)]
            rows.writerow([" ".join(text), WORDS[word], number])
        rows.writerow(["", "fault", 240])
        rows.writerow(["no label <b>", "", 241])


def run(path, **options):
    return make(
        path, "message", "intent", path.parent / "made", **SMALL | options
    )


def unpack(package, folder):
    """Stand-ins for what npm fetches."""
    for name in package.members:
        (folder / name).write_text('import "@litertjs/wasm-utils"')


@pytest.mark.slow
def test_from_a_file_to_a_bundle(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(packages, "fetch", lambda package: None)
    monkeypatch.setattr(packages, "unpack", unpack)
    write(tmp_path / "support.csv")
    model = run(tmp_path / "support.csv", max_drop=100.0, site=True)
    assert list(model.labels) == sorted(WORDS.values())
    assert model.predict("my new parcel money").label in WORDS.values()
    made = tmp_path / "made"
    student = tfminilm.load(made)
    assert student.labels == model.labels
    said = capfd.readouterr().err
    assert "without text, left out" in said
    assert "3 classes" in said
    facts = json.loads((made / "evidence.json").read_text())
    assert set(facts["models"]) == {
        "teacher",
        "student",
        "labels alone",
        "bundle",
    }
    counts = facts["models"]["bundle"]["confusion"]
    assert sum(map(sum, counts)) == facts["examples"]
    page = (made / "report.html").read_text()
    assert "support.csv" in page
    assert 'href="site/index.html"' in page
    assert (made / "site" / "bundle" / "model.tflite").is_file()
    # All is done: nothing is made again.
    times = {p: p.stat().st_mtime_ns for p in made.glob("*/**/*.h5")}
    assert times
    run(tmp_path / "support.csv", max_drop=100.0)
    assert times == {p: p.stat().st_mtime_ns for p in made.glob("*/**/*.h5")}
    with pytest.raises(UserError, match=r"another recipe .*options\.epochs"):
        run(tmp_path / "support.csv", epochs=3)


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_model(tmp_path):
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "support.csv")
    run(tmp_path / "whole" / "support.csv", max_drop=100.0)
    command = [
        *(sys.executable, "-c", MAIN, "make"),
        f"--data={tmp_path / 'cut' / 'support.csv'}",
        *("--text=message", "--label=intent", "--max_drop=100"),
        f"--output={tmp_path / 'cut' / 'made'}",
        *(f"--{name}={value}" for name, value in SMALL.items()),
    ]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    events = tmp_path / "cut" / "made" / "distilled" / "task" / "metrics.jsonl"
    while process.poll() is None and not events.is_file():
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    run(tmp_path / "cut" / "support.csv", max_drop=100.0)
    models = [
        (tmp_path / name / "made" / "bundle" / "model.tflite").read_bytes()
        for name in ("whole", "cut")
    ]
    assert models[0] == models[1]


def write_kind(folder, kind):
    """Write data of a kind; return the file and what `make` is told of it."""
    draw, lines = random.Random(0), []
    for number in range(60):
        words = [word for word in WORDS if draw.random() < 0.5]
        text = " ".join([*draw.choices(FILLERS, k=2), *words, str(number)])
        lines.append((text, words))
    if kind == "token_classification":
        rows = [
            f"{name} B-PER\nsees O\nNew B-LOC\nYork I-LOC\n{number} O\n"
            for number in range(40)
            for name in [draw.choice(("Ada", "Grace", "Mary"))]
        ]
        (folder / "d.conll").write_text("\n".join(rows))
        return folder / "d.conll", {}
    if kind == "soft":
        rows = [
            [0.8 if word in words else 0.1 for word in WORDS]
            for _, words in lines
        ]
        rows = [[x / sum(row) for x in row] for row in rows]
        head, cells = list(WORDS), [",".join(map(str, row)) for row in rows]
    elif kind == "regression":
        head, cells = ["label"], [f"{len(words) + 0.5}" for _, words in lines]
    else:
        head, cells = ["label"], [";".join(words) for _, words in lines]
    rows = [
        f"{text},{cell}\n" for (text, _), cell in zip(lines, cells, strict=True)
    ]
    content = f"text,{','.join(head)}\n{''.join(rows)}"
    (folder / "d.csv").write_text(content, "utf-8")
    return folder / "d.csv", {"label": head}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "field", "metric"),
    [
        ("multi_label", "scores", "micro_f1"),
        ("token_classification", "entities", "f1"),
        ("regression", "score", "spearman"),
        ("soft", "label", "accuracy"),
    ],
)
def test_every_kind_of_label(kind, field, metric, tmp_path, monkeypatch):
    write_bundle = writer.export_bundle

    def refuse_the_first(model, tokenizer, target, *more):
        if target.precision.startswith("dynamic"):
            raise UserError("LiteRT and Keras disagree")
        return write_bundle(model, tokenizer, target, *more)

    if kind == "multi_label":
        monkeypatch.setattr(writer, "export_bundle", refuse_the_first)
    path, more = write_kind(tmp_path, kind)
    told = {"text": "text", **more, **SMALL, "epochs": 1, "max_drop": 100.0}
    model = make(path, output=tmp_path / "made", **told)
    assert hasattr(model.predict("where is my money"), field)
    first = "weight_only" if kind == "multi_label" else "dynamic"
    assert model.precision.startswith(first)
    facts = json.loads((tmp_path / "made" / "evidence.json").read_text())
    assert metric in str(facts["models"]["bundle"])
    page = (tmp_path / "made" / "report.html").read_text()
    assert path.name in page
    assert metric.split("_")[0] in page.casefold()


def test_refusals_write_nothing(tmp_path):
    write(tmp_path / "support.csv")
    with pytest.raises(UserError, match="no column 'label'"):
        make(tmp_path / "support.csv", "message", output=tmp_path / "made")
    with pytest.raises(UserError, match="--budget_mb is 0"):
        run(tmp_path / "support.csv", budget_mb=0)
    with pytest.raises(UserError, match=r"--unlabeled=.*does not exist"):
        run(tmp_path / "support.csv", unlabeled=tmp_path / "no.txt")
    assert not (tmp_path / "made").exists()


def test_a_page_for_which_npm_is_missing_is_refused_first(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    write(tmp_path / "support.csv")
    with pytest.raises(UserError, match="npm is not installed"):
        run(tmp_path / "support.csv", site=True)
    assert not (tmp_path / "made").exists()


def test_older_runs_go_on():
    """Options that a run of 0.1.0 does not note stand for nothing."""
    older = {
        *("teacher", "num_layers", "max_length", "epochs", "batch_size"),
        *("learning_rate", "budget_mb", "max_drop", "minutes", "precision"),
        "seed",
    }
    values = _chosen(Options())
    assert {name for name, value in values.items() if value} <= older
    assert _chosen(Options(soft_labels="logits"))["soft_labels"] == "logits"


def test_other_rows_without_a_label_are_refused(tmp_path):
    data = [{"text": f"t{n}", "label": "ab"[n % 2]} for n in range(10)]
    data += [{"text": f"u{n}", "label": ""} for n in range(3)]
    read, goal = sources.read(data, ["text"], None, None, Options())
    report = survey.look(read, "d", goal)
    (tmp_path / STUDENT).mkdir()
    (tmp_path / "data").mkdir()
    texts = tmp_path / "data" / "unlabelled.txt"
    texts.write_text("u0\nu1\n")
    with pytest.raises(UserError, match="other rows without a label"):
        Steps(tmp_path, Options(), report, 1, "").run("d")
    assert texts.read_text() == "u0\nu1\n"


@pytest.mark.slow
def test_with_repeated_texts_all_learn_as_many_steps(tmp_path):
    data = [{"text": f"t {n}", "label": "ab"[n % 9 == 0]} for n in range(270)]
    make(
        data,
        output=tmp_path / "made",
        **SMALL | {"epochs": 1, "oversampling": 1.0, "max_drop": 100.0},
    )

    def steps(name):
        lines = (tmp_path / "made" / name / "metrics.jsonl").read_text()
        return json.loads(lines.splitlines()[-1])["step"]

    assert steps("alone") == steps("distilled/task") == 2 * steps("teacher")
