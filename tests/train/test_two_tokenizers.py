"""Runs whose teacher cuts texts by a tokenizer of its own."""

import os
import signal

import keras
import numpy as np
import pytest
from scipy.special import log_softmax

from tfminilm import teachers
from tfminilm.commands import main
from tfminilm.errors import UserError
from tfminilm.methods import MLMKD, SentenceEmbedding
from tfminilm.report import held_out, quality
from tfminilm.report.evaluate import evaluate_run
from tfminilm.tasks import heads
from tfminilm.tasks.encode import encode_texts
from tfminilm.tasks.example import Example
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import get_task
from tfminilm.train import vocabularies
from tfminilm.train.distillation import select_job
from tfminilm.train.models import Cut
from tfminilm.train.progress import StepBar
from tfminilm.train.recipe import DataSpec, Recipe, StudentSpec
from tfminilm.train.sources.encoder import Encoder

RECIPE = """
from tfminilm import methods
from tfminilm.train import recipe

def get_config(kind):
    on_task = kind in ("task", "minilm")
    return recipe.Recipe(
        name="two", teacher={head!r} if on_task else {teacher!r},
        student=recipe.StudentSpec(
            num_layers=1, hidden_dim=16, num_heads=2, intermediate_dim=32,
            max_sequence_length=32, init="bottom" if on_task else "random",
            tokenizer={words!r},
        ),
        method=dict(
            task=methods.SoftTargets(), minilm=methods.MiniLM(),
            text=methods.SentenceEmbedding(),
        )[kind],
        data=recipe.DataSpec(
            source="task:sst2" if on_task else {text!r},
            folder={task!r} if on_task else "", sentences=kind == "text",
            sequence_length=16, held_out_fraction=0.2,
        ),
        train=recipe.TrainSpec(
            steps=12, batch_size=8, learning_rate=1e-2, warmup_steps=2,
            precision="float32", log_every=4, evaluate_every=6,
            checkpoint_every=5, held_out_sequences=16,
        ),
    ).config()
"""
# A third of the teacher's words, and others; letters spell the rest.
WORDS = ["there", "an", "house", "was", *"abcdefghijklmnopqrstuvwxyz."]
WORDS += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]


@pytest.fixture(scope="module")
def recipe(tiny, save_bert, tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    paths = {name: folder / name for name in ("task", "head", "words")}
    tokenizer = teachers.load_tokenizer(tiny.teacher)
    words = [w for w in tokenizer.get_vocabulary() if w.isalpha()]
    paths["task"].mkdir()
    random = np.random.default_rng(0)
    for name, count in (("train", 96), ("dev", 24)):
        rows = ["sentence\tlabel"]
        for index in range(count):
            text = " ".join(random.choice(words[index % 2 :: 2], 5))
            rows.append(f"{text}\t{index % 2}")
        (paths["task"] / f"{name}.tsv").write_text("\n".join(rows) + "\n")
    task = get_task("sst2")
    keras.utils.set_random_seed(0)
    head = heads.build_head(task, teachers.load_backbone(tiny.teacher))
    head.save_to_preset(str(paths["head"]))
    tokenizer.save_to_preset(str(paths["head"]))
    Settings("sst2", task.kind, task.labels, 16).save(paths["head"])
    special = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    save_bert(
        paths["words"], [*special, *WORDS], {}, num_layers=1, num_heads=2,
        hidden_dim=16, intermediate_dim=16,
    )  # fmt: skip
    paths |= {"teacher": tiny.teacher, "text": tiny.text}
    path = folder / "two.py"
    path.write_text(RECIPE.format(**{k: str(v) for k, v in paths.items()}))
    return path


@pytest.fixture(scope="module")
def two(recipe):
    def run(kind, workdir, *flags):
        given = [f"--config={recipe}:{kind}", f"--workdir={workdir}"]
        return main(["distill", *given, *flags])

    return run


def logits(folder, texts):
    """What a model's head gives for texts, one by one, by its tokenizer."""
    head = heads.load_head(folder)
    tokenizer = teachers.load_tokenizer(folder)
    start, end = tokenizer.cls_token_id, tokenizer.sep_token_id
    rows = []
    for text in texts:
        ids = [start, *map(int, tokenizer(text)), end]
        ids = np.array([[*ids[:15], end] if len(ids) > 16 else ids], "int32")
        given = {"token_ids": ids, "segment_ids": 0 * ids}
        given["padding_mask"] = 1 + 0 * ids
        rows.append(np.asarray(head(given, training=False))[0])
    return np.array(rows, "float64")


def test_the_loss_is_of_each_ones_own_tokens(
    two, recipe, rows, tmp_path, capfd
):
    folder = tmp_path / "run"
    flags = ("learning_rate=0.0", "held_out_sequences=24")
    assert two("task", folder, *(f"--config.train.{x}" for x in flags)) == 0
    # The special tokens, "there", "an", "was", "a" and "." are the teacher's;
    # "##a" takes its "a", and nothing of it spells the others.
    said = capfd.readouterr().err
    assert "vocabulary of 62 pieces: 10 taken over, 1 as means" in said
    lines = (recipe.parent / "task" / "dev.tsv").read_text().splitlines()[1:]
    texts, labels = zip(*(line.split("\t") for line in lines), strict=True)
    models = (recipe.parent / "head", folder / "student")
    teacher, student = (logits(model, texts) for model in models)
    first, second = (log_softmax(x / 2, -1) for x in (teacher, student))
    soft = 4 * np.mean(np.sum(np.exp(first) * (first - second), -1))
    hard = -np.mean(log_softmax(student, -1)[range(24), np.array(labels, int)])
    *_, last = [row for row in rows(folder) if row["split"] == "held_out"]
    assert last["soft_targets"] == pytest.approx(soft, rel=1e-4)
    assert last["hard_labels"] == pytest.approx(hard, rel=1e-4)
    # What was taken over is there, and the student reads its own pieces.
    tokenizers = [teachers.load_tokenizer(model) for model in models]
    tables = [
        np.asarray(teachers.load_backbone(model).token_embedding.embeddings)
        for model in models
    ]
    for word in ("was", "[CLS]", "[PAD]"):
        old, new = (
            table[tokenizer.token_to_id(word)]
            for table, tokenizer in zip(tables, tokenizers, strict=True)
        )
        np.testing.assert_array_equal(old, new)
    assert tables[1].shape[0] == 62


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("text", marks=pytest.mark.slow),
        pytest.param("task", marks=pytest.mark.slow),
    ],
)
def test_stopped_it_ends_the_same(
    two, rows, state, tmp_path, monkeypatch, kind
):
    update = StepBar.update

    def updated(bar, done, loss):
        update(bar, done, loss)
        if done == 7:
            os.kill(os.getpid(), signal.SIGINT)

    assert two(kind, tmp_path / "whole") == 0
    with monkeypatch.context() as patch:
        patch.setattr(StepBar, "update", updated)
        assert two(kind, tmp_path / "run") == 75
    assert two(kind, tmp_path / "run") == 0
    assert rows(tmp_path / "run") == rows(tmp_path / "whole")
    assert state(tmp_path / "run") == state(tmp_path / "whole")
    first, *_, last = [
        row for row in rows(tmp_path / "run") if row["split"] == "held_out"
    ]
    # Of most of the task's words the student has letters alone.
    assert last["loss"] < first["loss"] or kind == "task"


@pytest.mark.parametrize("own_start", [True, False])
def test_students_start_from_either_model(recipe, tiny, save_bert, own_start):
    words = str(recipe.parent / "words")
    spec = StudentSpec(
        num_layers=1, hidden_dim=16, num_heads=2, intermediate_dim=16,
        max_sequence_length=32, init="uniform", init_from=words,
        tokenizer=words if own_start else str(tiny.teacher),
    )  # fmt: skip
    stage = Recipe(
        teacher=str(tiny.teacher),
        student=spec,
        method=SentenceEmbedding(),
        data=DataSpec(source="docs", sentences=True, sequence_length=16),
    )
    models = select_job(stage).load_models("float32", None)
    start = teachers.load_backbone(words)
    table = np.asarray(models.student.token_embedding.embeddings)
    kernel = np.asarray(models.student.transformer_layers[0].weights[0])
    np.testing.assert_array_equal(
        kernel, np.asarray(start.transformer_layers[0].weights[0])
    )
    if own_start:
        # Its own words: nothing is transferred, and the teacher reads others.
        np.testing.assert_array_equal(table, start.token_embedding.embeddings)
        assert models.notes == ()
        assert models.teacher_cut.max_length == 16
    else:
        # The teacher's words, with the vectors of another model's letters.
        assert table.shape[0] == models.tokenizer.vocabulary_size()
        assert models.teacher_cut is None
        [note] = models.notes
        assert note.startswith(f"vocabulary of {table.shape[0]} pieces: ")
        assert note.endswith(" 0 at random")


def test_masked_words_are_each_ones_mask_token(tiny):
    student = teachers.load_tokenizer(tiny.teacher)
    teacher = teachers.load_tokenizer(tiny.teacher)
    teacher.mask_token = "the"  # Stands for another mask token.
    seen = []

    def encoded(examples, cut):
        seen.append([example.texts for example in examples])
        texts = [example.texts for example in examples]
        return encode_texts(texts, cut.tokenizer, cut.max_length)

    encoder = Encoder(encoded, Cut(student, 16), Cut(teacher, 16))
    rows = encoder.masked([Example("0", ("an [MASK] was", "[MASK]"), None)])
    assert seen == [[("an [MASK] was", "[MASK]")], [("an the was", "the")]]
    assert rows.token_ids.tolist().count(student.mask_token_id) == 2
    assert not student.special_tokens_in_strings
    assert not teacher.special_tokens_in_strings
    teacher.mask_token = None
    with pytest.raises(UserError, match="no mask token"):
        encoder.masked([Example("0", ("an",), None)])


def test_masked_text_is_refused():
    stage = Recipe(method=MLMKD())
    with pytest.raises(UserError, match="MLMKD compares token by token"):
        vocabularies.check(stage)


@pytest.mark.parametrize(
    ("kind", "flags", "said"),
    [
        ("minilm", [], "MiniLM compares token by token, but teacher and stu"),
        ("text", ["data.sentences=False"], "set data.sentences=True, or data"),
        (
            "task",
            ["student.init=pruned"],
            "student.init is pruned, which keeps",
        ),
        ("task", ["student.tokenizer=nowhere"], "no model 'nowhere'"),
        ("task", ["data.teacher_length=64"], "the teacher's position table en"),
        ("task", ["data.teacher_length=-1"], "is -1, expected 0 or more"),
        (
            "task",
            ["student.tokenizer=", "data.teacher_length=8"],
            "the teacher reads the student's tokens: expected 0",
        ),
    ],
)
def test_refused(two, tmp_path, capfd, kind, flags, said):
    capfd.readouterr()
    given = [f"--config.{flag}" for flag in flags]
    assert two(kind, tmp_path / "run", *given) in (1, 2)
    *_, line = capfd.readouterr().err.splitlines()
    assert said in line
    assert not (tmp_path / "run").exists()


def test_reports_give_each_model_its_own_tokens(recipe, tiny):
    folders = tiny.teacher, recipe.parent / "words"
    teacher, student = map(teachers.load_tokenizer, folders)
    texts = ["an was there", "was", "there house an"]
    [batch] = held_out.sentence_batches(
        texts, student, 16, teacher_tokenizer=teacher
    )
    # Sorted by the student's length.
    for row, text in enumerate([texts[1], texts[0], texts[2]]):
        for prefix, tokenizer in (("", student), ("teacher_", teacher)):
            ids = batch[prefix + "token_ids"][row]
            mask = batch[prefix + "padding_mask"][row]
            expected = list(map(int, tokenizer(text)))
            assert ids[mask > 0].tolist()[1:-1] == expected

    def reader(name):
        # The one token of "was" tells whose ids they are.
        def read(given):
            read_ids.setdefault(name, given["token_ids"][0, 1])
            states = given["token_ids"][..., None] ** [0.0, 1.0]
            return quality.Reading(None, None, None, states)

        return read

    read_ids = {}
    quality.compare(reader("teacher"), [reader("student")], [], [batch])
    assert read_ids == {
        "teacher": int(teacher("was")[0]),
        "student": int(student("was")[0]),
    }


@pytest.mark.slow  # Converts and times three files.
def test_a_report_leaves_out_what_compares_tokens(two, tmp_path):
    assert two("text", tmp_path / "run") == 0
    content = evaluate_run(tmp_path / "run")
    assert content["attention_example"] is None
    _, student, *_ = content["rows"]
    assert student["attention_kl"] is None
    assert -1 <= student["rank_correlation"] <= 1
