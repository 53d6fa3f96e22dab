"""Stages on tasks, on masked text and on sentences; several make one run."""

import json
import os
import shutil
import signal

import keras
import numpy as np
import pytest

from tfminilm.commands import main
from tfminilm.teachers import load_backbone, load_tokenizer
from tfminilm.teachers.masked_lm import build_masked_lm, load_masked_lm
from tfminilm.train.progress import StepBar

RECIPE = """
import dataclasses

from tfminilm import methods
from tfminilm.train import recipe

TRAIN = recipe.TrainSpec(
    steps=12, batch_size=8, learning_rate=1e-2, warmup_steps=2,
    precision="float32", log_every=4, evaluate_every=6, checkpoint_every=5,
    held_out_sequences=16,
)

def stage(teacher, method, data, **student):
    return recipe.Stage(
        teacher=teacher,
        student=recipe.StudentSpec(
            num_layers=1, hidden_dim=16, num_heads=2, intermediate_dim=32,
            max_sequence_length=32, **student,
        ),
        method=method,
        data=data,
        train=TRAIN,
    )

text = dict(source={text!r}, sequence_length=16, held_out_fraction=0.2)
task = recipe.DataSpec(source="task:sst2", folder={task!r}, sequence_length=16)
KINDS = dict(
    task=stage({head!r}, methods.SoftTargets(), task, init="bottom"),
    masked=stage({masked!r}, methods.MLMKD(), recipe.DataSpec(**text)),
    sentences=stage(
        {teacher!r},
        methods.SentenceEmbedding(),
        recipe.DataSpec(sentences=True, **text),
    ),
    unmasked=stage("sentences", methods.MLMKD(), recipe.DataSpec(**text)),
    exported=stage(
        {exported!r}, methods.SoftTargets(), task, init="bottom"
    ),
    untaught=stage("masked", methods.SoftTargets(), task),
    bilstm=recipe.Stage(
        teacher={head!r},
        student=recipe.StudentSpec(
            kind="bilstm", embedding_dim=8, lstm_units=6, hidden_dim=10
        ),
        method=methods.BiLSTMSoft(),
        data=dataclasses.replace(task, augment_copies=2, replace_words=False),
        train=TRAIN,
    ),
    texts=stage({head!r}, methods.MiniLM(), task),
    pretrained=stage(
        {head!r}, methods.SoftTargets(), task, init="uniform",
        init_from="masked",
    ),
)

def get_config(names):
    stages = {{name: KINDS[name] for name in names.split(",")}}
    return recipe.Recipe(name="kinds", stages=stages).config()
"""


def write_sst2(folder, words):
    """Half of the words are good, the others bad."""
    random = np.random.default_rng(0)
    for name, count in (("train", 96), ("dev", 24)):
        rows = ["sentence\tlabel"]
        for index in range(count):
            own = words[index % 2 :: 2]
            text = " ".join(random.choice(own, random.integers(3, 9)))
            rows.append(f"{text}\t{index % 2}")
        (folder / f"{name}.tsv").write_text("\n".join(rows) + "\n")


@pytest.fixture(scope="module")
def recipe(tiny, tmp_path_factory):
    from tfminilm.export.server import hugging_face
    from tfminilm.tasks import heads
    from tfminilm.tasks.settings import Settings
    from tfminilm.tasks.task import get_task
    from tfminilm.tokenizer.hugging_face import with_bert_rules

    folder = tmp_path_factory.mktemp("kinds")
    paths = {name: folder / name for name in ("task", "head", "masked")}
    paths["task"].mkdir()
    tokenizer = load_tokenizer(tiny.teacher)
    words = [w for w in tokenizer.get_vocabulary() if w.isalpha()]
    write_sst2(paths["task"], words[:4])
    task = get_task("sst2")
    keras.utils.set_random_seed(0)
    head = heads.build_head(task, load_backbone(tiny.teacher))
    for name, model in (
        ("head", head),
        ("masked", build_masked_lm(load_backbone(tiny.teacher))),
    ):
        model.save_to_preset(str(paths[name]))
        tokenizer.save_to_preset(str(paths[name]))
    Settings("sst2", task.kind, task.labels, 16).save(paths["head"])
    # The same, as `tfminilm export` writes it for `transformers`.
    paths["exported"] = folder / "exported"
    paths["exported"].mkdir()
    exact = with_bert_rules(load_tokenizer(tiny.teacher))
    hugging_face.write(head, exact, paths["exported"], task.labels)
    paths |= {"teacher": tiny.teacher, "text": tiny.text}
    path = folder / "kinds.py"
    path.write_text(RECIPE.format(**{k: str(v) for k, v in paths.items()}))
    return path


@pytest.fixture(scope="module")
def staged(recipe):
    """`staged(names, workdir, *flags)`: the exit code of the command."""

    def run(names, workdir, *flags):
        given = [f"--config={recipe}:{names}", f"--workdir={workdir}"]
        return main(["distill", *given, *flags])

    return run


@pytest.fixture(scope="module")
def whole(staged, tmp_path_factory):
    """One run of all kinds. Shared: tests leave it as it is."""
    workdir = tmp_path_factory.mktemp("runs") / "whole"
    assert staged("task,sentences,masked,pretrained,bilstm", workdir) == 0
    return workdir


def held_out(rows, folder):
    return [row for row in rows(folder) if row["split"] == "held_out"]


@pytest.mark.parametrize(
    ("kind", "terms"),
    [
        ("task", {"soft_targets", "hard_labels"}),
        ("masked", {"soft_targets", "masked_lm"}),
        ("sentences", {"embedding_mse"}),
    ],
)
def test_what_is_held_out_is_learnt_too(whole, rows, kind, terms):
    first, *_, last = held_out(rows, whole / kind)
    assert terms <= set(last)
    # A dozen steps; tests/conformance/test_learning.py makes hundreds.
    assert last["loss"] < first["loss"]
    assert json.loads((whole / kind / "held_out.json").read_text())["sentences"]


@pytest.mark.slow
def test_a_task_is_learnt_from_texts_without_labels(
    staged, rows, tmp_path, capfd
):
    (tmp_path / "more").mkdir()
    lines = [f"there is number {number}\n\n" for number in range(40)]
    (tmp_path / "more" / "a.txt").write_text("".join(lines[:30]))
    (tmp_path / "more" / "b.txt").write_text("".join(lines[30:]))
    folder = f"--config.stages.task.data.unlabeled={tmp_path / 'more'}"
    alone = "--config.stages.task.method.alpha=1.0"
    assert staged("task", tmp_path / "run", folder, alone) == 0
    # 96 of the task's own.
    assert "sst2: 136 sequences" in capfd.readouterr().err
    assert "soft_targets" in held_out(rows, tmp_path / "run" / "task")[-1]
    assert staged("task", tmp_path / "labels", folder) == 1
    assert "data.unlabeled add has none" in capfd.readouterr().err


@pytest.mark.slow
def test_classes_that_weigh_nothing_teach_nothing(staged, rows, tmp_path):
    flag = "--config.stages.task.data.class_weights=negative:0,positive:0"
    fast_head = "--config.stages.task.train.layer_rates=head:10"
    assert staged("task", tmp_path / "run", flag, fast_head) == 0
    losses = {"train": [], "held_out": []}
    for row in rows(tmp_path / "run" / "task"):
        losses[row["split"]].append(row["loss"])
    assert losses["train"] == [0.0] * 3
    assert all(loss > 0 for loss in losses["held_out"])


def test_all_stages_hold_out_the_same_text(whole):
    masked, sentences = (
        json.loads((whole / kind / "held_out.json").read_text())["sentences"]
        for kind in ("masked", "sentences")
    )
    assert masked
    assert set(masked) <= set(sentences)


def test_a_tasks_student_scores_what_was_logged(whole, rows, recipe, capsys):
    flags = ["--task=sst2", f"--data_dir={recipe.parent / 'task'}"]
    for folder, kind in (
        (whole / "pretrained", "pretrained"),
        (whole, "bilstm"),
    ):
        assert main(["evaluate", f"--model={folder}", *flags]) == 0
        found = json.loads(capsys.readouterr().out)["metrics"]
        logged = held_out(rows, whole / kind)[-1]["accuracy"]
        assert found["validation"]["accuracy"]["mean"] == logged


def test_reports_show_each_methods_own_terms(whole, tmp_path, capsys):
    run = shutil.copytree(whole / "masked", tmp_path / "run")
    assert main(["report", f"--workdir={run}", "--noevaluate"]) == 0
    page = (run / "report.html").read_text()
    for title in ("Soft targets", "Masked lm"):
        assert f"<h3>{title}</h3>" in page


def test_a_masked_student_keeps_its_head(whole):
    student = load_masked_lm(whole / "masked")
    assert student.masked_lm_head is not None
    assert load_backbone(whole / "masked").num_layers == 1


@pytest.mark.slow
def test_an_exported_teacher_teaches_the_same(
    staged, whole, rows, state, tmp_path
):
    assert staged("exported", tmp_path / "run") == 0
    assert rows(tmp_path / "run" / "exported") == rows(whole / "task")
    ours, theirs = (
        load_backbone(folder) for folder in (tmp_path / "run", whole / "task")
    )
    for one, other in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["task", "masked", "sentences"])
def test_stopped_it_ends_the_same(
    staged, whole, rows, state, tmp_path, monkeypatch, kind
):
    update = StepBar.update

    def updated(bar, done, loss):
        update(bar, done, loss)
        if done == 7:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(StepBar, "update", updated)
        assert staged(kind, tmp_path / "run") == 75
    assert staged(kind, tmp_path / "run") == 0
    assert rows(tmp_path / "run" / kind) == rows(whole / kind)
    assert state(tmp_path / "run" / kind) == state(whole / kind)


@pytest.mark.parametrize(
    ("kind", "flags", "said"),
    [
        ("task", ["teacher=BACKBONE"], "holds no head for a task"),
        ("task", ["data.source=docs"], "SoftTargets learns a task: data.sou"),
        ("task", ["data.source=task:sst3"], "no task is called 'sst3'"),
        ("task", ["data.source=task:csv:x.csv"], "expected the columns of its"),
        ("task", ["data.label_kind=class"], "expected classification or regr"),
        ("task", ["data.source=task:mnli"], "3 (entailment, neutral, contra"),
        ("texts", ["data.source=task:ax"], "no examples of its own to train"),
        ("task", ["data.folder=nowhere"], "nowhere"),
        ("masked", ["teacher=BACKBONE"], "has no masked-language-model head"),
        ("masked", ["data.sentences=True"], "MLMKD learns from masked text"),
        ("masked", ["data.source=task:sst2"], "MLMKD learns from masked te"),
        ("masked", ["data.mask_rate=0.0"], "mask_rate is 0.0, expected above"),
        ("masked", ["method.temperature=0.0"], "temperature is 0.0, expecte"),
        ("masked", ["method.temperature=-1.0"], "temperature is -1.0, expec"),
        ("task", ["method.alpha=1.5"], "alpha is 1.5, expected 0 to 1"),
        (
            "sentences,unmasked",
            [],
            "stages.unmasked: sentences has no masked-language-model head",
        ),
        ("masked,untaught", [], "stages.untaught: masked gives another head"),
        (
            "task",
            ["data.augment_copies=1", "data.replace_words=False"],
            "SoftTargets compares with labels, and what data.augment_copies",
        ),
        (
            "bilstm",
            ["data.source=task:squad", "data.augment_copies=0"],
            "a bilstm finds no answers",
        ),
        ("bilstm", ["student.init=uniform"], "student.kind is 'bilstm', exp"),
        ("sentences", ["student.hidden_dim=32"], "set project=True, or build"),
    ],
)
def test_refused(staged, tiny, tmp_path, capfd, kind, flags, said):
    given = [
        f"--config.stages.{kind.split(',')[0]}.{flag}".replace(
            "BACKBONE", str(tiny.teacher)
        )
        for flag in flags
    ]
    capfd.readouterr()
    assert staged(kind, tmp_path / "run", *given) in (1, 2)
    *before, line = capfd.readouterr().err.splitlines()
    assert said in line
    assert not any(text.startswith("tfminilm: ") for text in before)
    assert not (tmp_path / "run").exists()
