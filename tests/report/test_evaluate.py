"""A small real run, measured from end to end."""

import dataclasses
import json
import os

import keras
import keras_hub
import numpy as np
import pytest

from tfminilm.errors import UserError
from tfminilm.report import evaluate, held_out, quality, run_files
from tfminilm.train.recipe import DataSpec, Recipe, StudentSpec

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [f"{a}{b}" for a in "bdfklmnprst" for b in ("a", "ei", "o", "u")]


def tokenizer():
    return keras_hub.models.BertTokenizer(vocabulary=[*SPECIAL, *WORDS])


def bert(num_layers, hidden_dim, seed):
    model = keras_hub.models.BertBackbone(
        vocabulary_size=len(SPECIAL) + len(WORDS),
        num_layers=num_layers,
        num_heads=2,
        hidden_dim=hidden_dim,
        intermediate_dim=2 * hidden_dim,
        max_sequence_length=64,
    )
    random = np.random.default_rng(seed)
    for weight in model.trainable_variables:
        mean = 1 if weight.name == "gamma" else 0
        weight.assign(random.normal(mean, 0.3, weight.shape))
    return model


def sentences(count=24):
    random = np.random.default_rng(5)
    return [
        " ".join(random.choice(WORDS, random.integers(4, 20)))
        for _ in range(count)
    ]


def recipe(folder):
    return Recipe(
        name="small",
        teacher=str(folder / "teacher"),
        student=StudentSpec(
            num_layers=2,
            hidden_dim=16,
            num_heads=2,
            intermediate_dim=32,
            max_sequence_length=64,
        ),
        data=DataSpec(sequence_length=32),
    )


def write_recipe(workdir, content):
    (workdir / "recipe.json").write_text(
        json.dumps(dataclasses.asdict(content))
    )


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A workdir, its models, and what evaluating it gave."""
    folder = tmp_path_factory.mktemp("evaluate")
    workdir = folder / "run"
    models = {"teacher": bert(3, 32, 1), "student": bert(2, 16, 2)}
    for name, target in (("teacher", folder), ("student", workdir)):
        models[name].save_to_preset(str(target / name))
        tokenizer().save_to_preset(str(target / name))
    write_recipe(workdir, recipe(folder))
    (workdir / "held_out.json").write_text(
        json.dumps({"sentences": sentences()})
    )
    (workdir / "metrics.jsonl").write_text(
        '{"step": 0, "split": "held_out", "attention_transfer": 0.7, '
        '"value_relation": 0.3}\n'
    )
    steps = []
    result = evaluate.evaluate_run(workdir, steps.append)
    assert len(steps) == evaluate.STEPS
    return workdir, models, result


def test_rows_are_counted_and_timed(measured):
    workdir, models, result = measured
    assert run_files.read_run(workdir).evaluation == result
    names = [(row["model"], row["precision"]) for row in result["rows"]]
    assert names == [
        ("teacher", "float32"),
        ("student", "float32"),
        ("student", "int8"),
    ]
    for row in result["rows"]:
        assert row["parameters"] == models[row["model"]].count_params()
        # The models have 64 positions, so the table's 128 is left out.
        assert list(row["flops"]) == list(row["latency_ms"]) == ["32"]
        taken = row["latency_ms"]["32"]
        assert 0 < taken["median"] <= taken["p95"]
    teacher, student, int8 = (row["file_bytes"] for row in result["rows"])
    assert teacher > student > int8 > 0
    assert result["start"] == {"attention_kl": 0.7, "value_kl": 0.3}
    assert {"cpu", "cores", "memory_gib", "tensorflow", "keras", "litert"} <= (
        set(result["machine"])
    )


def test_qualities(measured):
    _, models, result = measured
    teacher, student, int8 = result["rows"]
    assert teacher["attention_kl"] is teacher["value_kl"] is None
    assert teacher["rank_correlation"] == 1
    (kept,) = quality.compare(
        quality.keras_reader(models["teacher"]),
        [quality.keras_reader(models["student"])],
        held_out.text_batches(sentences(), tokenizer(), 32),
        held_out.sentence_batches(sentences(), tokenizer(), 32),
    )
    for name, value in dataclasses.asdict(kept).items():
        assert student[name] == pytest.approx(value, rel=1e-4)
        # Eight bits change little, but something.
        assert int8[name] == pytest.approx(value, rel=0.2)
        assert int8[name] != student[name]
    assert student["attention_kl"] > 0.01


def test_example_shows_both_models_attention(measured):
    _, models, result = measured
    example = result["attention_example"]
    assert example["tokens"][0] == "[CLS]"
    assert example["tokens"][-1] == "[SEP]"
    assert " ".join(example["tokens"][1:-1]) == example["sentence"]
    ids = np.array([[2, *tokenizer()(example["sentence"]), 3]])
    inputs = {
        "token_ids": ids,
        "segment_ids": np.zeros_like(ids),
        "padding_mask": np.ones_like(ids),
    }
    for name, model in models.items():
        below = keras.Model(model.input, model.transformer_layers[-2].output)(
            inputs
        )
        _, expected = model.transformer_layers[-1](
            below, return_attention_scores=True
        )
        np.testing.assert_allclose(example[name], expected[0], atol=1e-4)


def test_packed_text_is_full_and_holds_every_sentence():
    batches = held_out.text_batches(sentences(), tokenizer(), 32, 4)
    assert all((b["padding_mask"] == 1).all() for b in batches)
    assert {b["token_ids"].shape[1] for b in batches} == {32}
    assert sum(len(b["token_ids"]) for b in batches) >= 7
    few = held_out.text_batches(sentences(3), tokenizer(), 256)
    assert len(few) == 1
    assert few[0]["token_ids"].shape[0] == 3


def test_sentences_are_framed_cut_and_padded():
    (only,) = held_out.sentence_batches(["ba bei", "ba " * 50], tokenizer(), 8)
    start, end = 2, 3
    ba, bei = 5, 6
    assert only["token_ids"].tolist() == [
        [start, ba, bei, end, 0, 0, 0, 0],
        [start, *[ba] * 6, end],
    ]
    assert only["padding_mask"].tolist() == [[1] * 4 + [0] * 4, [1] * 8]


def test_the_example_is_short_and_of_whole_words():
    words = keras_hub.models.BertTokenizer(
        vocabulary=[*SPECIAL, "ba", "bei", "##bei"]
    )
    long = " ".join(["ba"] * 60)
    pieces = " ".join(["beibei"] * 5)
    whole = " ".join(["bei"] * 9)
    sentence, tokens, _ = held_out.example([long, pieces, whole, "ba"], words)
    assert sentence == whole
    assert tokens == ["[CLS]", *["bei"] * 9, "[SEP]"]
    assert held_out.example(["ba", pieces, long], words)[0] == pieces
    assert held_out.example(["ba", long], words)[0] in ("ba", long)


def test_only_the_last_layer_is_measured_in_int8(measured, tmp_path):
    rows = [{}, {}, {}]
    _, models, _ = measured
    pair = evaluate._Models(
        models["teacher"], models["student"], tokenizer(), None, -1, 0
    )
    readers = [
        quality.keras_reader(models["teacher"]),
        quality.keras_reader(models["student"], 0),
        quality.keras_reader(models["student"]),
    ]
    evaluate._add_quality(rows, readers, pair, sentences(6), 32)
    assert rows[1]["attention_kl"] > 0
    assert rows[2]["attention_kl"] is None
    assert rows[2]["rank_correlation"] == rows[1]["rank_correlation"]


def test_is_current(measured):
    workdir, _, _ = measured
    assert evaluate.is_current(workdir)
    weights = workdir / "student" / "model.weights.h5"
    before = weights.stat().st_mtime
    os.utime(weights, (before + 1e6, before + 1e6))
    assert not evaluate.is_current(workdir)
    os.utime(weights, (before, before))
    assert not evaluate.is_current(workdir.parent)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        ("{}", "cannot be read"),
        ('{"sentences": ["a", "b"]}', "has 2 sentences, expected 3 or more"),
    ],
)
def test_held_out_text_that_cannot_serve(tmp_path, content, message):
    write_recipe(tmp_path, recipe(tmp_path))
    if content is not None:
        (tmp_path / "held_out.json").write_text(content)
    with pytest.raises(UserError, match=message):
        evaluate.evaluate_run(tmp_path)
    assert not (tmp_path / "evaluation.json").exists()


def test_an_unfinished_run_is_refused(tmp_path):
    write_recipe(tmp_path, recipe(tmp_path))
    (tmp_path / "held_out.json").write_text(
        json.dumps({"sentences": sentences()})
    )
    with pytest.raises(UserError, match="unfinished"):
        evaluate.evaluate_run(tmp_path)


def test_a_teacher_that_cannot_be_exported_has_no_file(tmp_path):
    model = keras_hub.models.AlbertBackbone(
        vocabulary_size=20,
        num_layers=1,
        num_heads=2,
        embedding_dim=8,
        hidden_dim=8,
        intermediate_dim=8,
        max_sequence_length=16,
    )
    path = tmp_path / "file"
    assert evaluate._convert(model, "float32", (16,), path) is None
    assert evaluate._latencies([None], (16,)) == [None]
