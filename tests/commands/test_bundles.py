"""Fine-tuned models as bundles: exported, and scored as they are."""

import dataclasses
import json

import keras_hub
import numpy as np
import pytest

from tfminilm.commands import export, main
from tfminilm.errors import UserError
from tfminilm.export.bundle.evaluate import TaskExamples
from tfminilm.export.bundle.reader import open_bundle
from tfminilm.export.check import calibration, parity
from tfminilm.export.litert import profile
from tfminilm.tasks import heads
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import get_task
from tfminilm.train.score import Data
from tfminilm.typed_json import to_json

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [*SPECIAL, "good", "bad", "a", "film", "is", "the", "##s", "very"]
FILMS = ["a good film", "bad", "the films", "is a very very bad film", "good a"]

pytestmark = pytest.mark.filterwarnings(
    "ignore:the load_module:DeprecationWarning"
)


def make_backbone(length):
    return keras_hub.models.BertBackbone(
        vocabulary_size=len(WORDS),
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=length,
    )


def save_preset(model, folder):
    folder.mkdir(parents=True)
    model.save_to_preset(str(folder))
    tokenizer = keras_hub.models.BertTokenizer(WORDS, lowercase=True)
    tokenizer.save_to_preset(str(folder))


def save(folder, name, randomise, length=16, **settings):
    """A tiny model, as finetune leaves it."""
    task = get_task(name)
    student = folder / "student"
    head = heads.build_head(task, make_backbone(length))
    save_preset(randomise(head), student)
    known = Settings(name, task.kind, task.labels, length, **settings)
    known.save(student)
    recipe = {"task": name, "model": "hub/all-mini", "seed": 1}
    (folder / "recipe.json").write_text(json.dumps(recipe))
    return folder


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    for name in ("train", "dev"):
        rows = [f"{text}\t{i % 2}" for i, text in enumerate(FILMS)]
        (folder / f"{name}.tsv").write_text(
            "\n".join(["sentence\tlabel", *rows]) + "\n"
        )
    return folder


@pytest.fixture(scope="module")
def exported(films, randomise, tmp_path_factory):
    """A workdir, and the bundle of its classifier."""
    folder = tmp_path_factory.mktemp("exported")
    model = save(folder / "run", "sst2", randomise)
    given = ["--task=sst2", f"--data_dir={films}", "--config=android_fp32"]
    options = ["--config.lengths=6,16", f"--output={folder}/bundle"]
    assert main(["export", f"--model={model}", *given, *options]) == 0
    return model, folder / "bundle"


def evaluate(model, folder, *given):
    return main(["evaluate", f"--model={model}", f"--output={folder}", *given])


def test_the_manifest_of_a_classifier(exported):
    manifest = json.loads((exported[1] / "manifest.json").read_text())
    assert manifest["task"] == "classification"
    assert manifest["task_name"] == "sst2"
    assert manifest["labels"] == ["negative", "positive"]
    assert manifest["question_answering"] is None
    outputs = {"logits": {"dtype": "float32", "shape": [1, 2]}}
    for signature in manifest["signatures"].values():
        assert signature["outputs"] == outputs
    assert manifest["parity"]["sentences"] == len(FILMS)
    assert manifest["parity"]["outputs"]["logits"]["agreement"] == 1.0
    assert manifest["description"] == (
        "1 layers of width 8, 0.0 million parameters; fine-tuned on sst2; "
        "starting from all-mini"
    )


def test_a_bundle_scores_as_its_model_does(exported, films, tmp_path, capsys):
    model, bundle = exported
    given = ["--task=sst2", f"--data_dir={films}"]
    found = []
    for name in (model, bundle):
        assert evaluate(name, tmp_path, *given) == 0
        found.append(json.loads(capsys.readouterr().out)["metrics"])
    assert found[0] == found[1]
    recorded = open_bundle(bundle).manifest.evaluation
    accuracy = found[1]["validation"]["accuracy"]["mean"]
    assert recorded.metrics["validation"]["accuracy"] == accuracy
    assert recorded.task == "sst2"
    written = json.loads((tmp_path / "evaluation-sst2.json").read_text())
    assert written["model"] == str(bundle)


def test_parity_of_other_answers(exported):
    """Of the same states a negated head gives the other class."""
    model, bundle = exported
    head = heads.load_head(model / "student")
    for weight in head.output_dense.weights:
        weight.assign(-weight)
    texts = calibration.of_sentences(FILMS)
    opened = open_bundle(bundle)
    differences = parity.differences(
        opened.encoder, head, opened.tokenizer, texts
    )
    row = parity.summary(differences)["logits"]
    assert row.agreement == 0.0
    assert row.min_cosine == pytest.approx(-1.0, abs=1e-5)


def test_scores_are_of_the_task_that_was_asked_for(exported, films):
    task = dataclasses.replace(get_task("sst2"), name="csv:mine/own.csv")
    examples = TaskExamples(task, Data(str(films), max_examples=2))
    found = examples.evaluate(open_bundle(exported[1]))
    assert (found.task, found.max_examples) == ("own", 2)


def test_scoring_leaves_the_bundle_as_it_was(exported, films, monkeypatch):
    bundle = exported[1]
    monkeypatch.chdir(films)
    before = sorted(bundle.iterdir())
    given = ["--task=sst2", f"--data_dir={films}", "--max_examples=1"]
    assert main(["evaluate", f"--model={bundle}", *given]) == 0
    assert sorted(bundle.iterdir()) == before
    assert (films / "evaluation-sst2.json").is_file()


def test_a_bundle_of_another_task(exported, films, tmp_path, error):
    given = ["--task=mrpc", f"--data_dir={films}"]
    assert evaluate(exported[1], tmp_path, *given) == 1
    assert "was fine-tuned on sst2 (negative, positive)" in error()


def test_a_tampered_bundle(exported, films, tmp_path, error):
    bundle = exported[1]
    words = (bundle / "vocab.txt").read_text()
    (bundle / "vocab.txt").write_text(words.replace("good", "dog!"))
    try:
        given = ["--task=sst2", f"--data_dir={films}"]
        assert evaluate(bundle, tmp_path, *given) == 1
        assert "vocab.txt is damaged: its content" in error()
    finally:
        (bundle / "vocab.txt").write_text(words)


def test_calibration_of_another_task(exported, films, tmp_path, error):
    given = ["--task=mrpc", f"--data_dir={films}", "--config=android_fp32"]
    output = f"--output={tmp_path}/bundle"
    assert main(["export", f"--model={exported[0]}", *given, output]) == 1
    assert "was fine-tuned on sst2" in error()
    assert not list(tmp_path.iterdir())


def test_calibration_of_another_task_with_the_same_labels(
    randomise, tmp_path, error
):
    model = save(tmp_path / "run", "qnli", randomise)
    given = ["--task=rte", "--data_dir=none", "--config=android_fp32"]
    output = f"--output={tmp_path}/bundle"
    assert main(["export", f"--model={model}", *given, output]) == 1
    assert "fine-tuned on qnli, not for rte: expected --task=qnli" in error()


def test_tasks_that_are_trained_on_the_same_examples():
    for name in ("mnli", "xnli", "csv:mine.csv"):
        for own in ("mnli", "xnli"):
            export._require_task(name, own, "model")
    with pytest.raises(UserError, match="was fine-tuned on csv:a, not for mn"):
        export._require_task("mnli", "csv:a", "model")


def test_a_task_needs_a_head(tmp_path, error):
    given = ["--model=tiny:bert", "--task=sst2", "--config=android_fp32"]
    assert main(["export", *given, f"--output={tmp_path}/bundle"]) == 2
    assert "tiny:bert is exported as an encoder" in error()


@pytest.fixture(scope="module")
def answering(randomise, tmp_path_factory):
    """A workdir, the bundle of its span finder, and the flags of its data."""
    folder = tmp_path_factory.mktemp("answering")
    model = save(folder / "run", "squad", randomise, 96, doc_stride=10)
    random = np.random.default_rng(0)
    context = " ".join(random.choice(WORDS[5:11], 150))
    questions = [
        {
            "id": f"q{number}",
            "question": " ".join(random.choice(WORDS[5:11], 2 + 20 * number)),
            "answers": [{"text": context[:4], "answer_start": 0}],
        }
        for number in range(4)
    ]
    data = {"data": [{"paragraphs": [{"context": context, "qas": questions}]}]}
    for name in ("train", "dev"):
        (folder / f"{name}-v1.1.json").write_text(json.dumps(data))
    given = ["--task=squad", f"--data_dir={folder}"]
    options = ["--config=android_fp32", "--config.lengths=32,96"]
    output = f"--output={folder}/bundle"
    assert main(["export", f"--model={model}", *given, *options, output]) == 0
    return model, folder / "bundle", given


def test_the_manifest_of_questions(answering):
    manifest = to_json(open_bundle(answering[1]).manifest)
    assert manifest["task"] == "question_answering"
    assert manifest["question_answering"] == {
        "document_stride": 10,
        "max_question_tokens": 64,
        "max_answer_tokens": 30,
        "null_threshold": None,
    }


def test_answers_are_those_of_the_model(answering, tmp_path):
    """Of windows that overlap in every way."""
    *models, given = answering
    found = []
    for name in models:
        assert evaluate(name, tmp_path / name.name, *given) == 0
        path = tmp_path / name.name / "squad-validation-predictions.json"
        found.append(json.loads(path.read_text()))
    assert found[0] == found[1]
    assert len(set(found[0].values())) > 1


def test_logits_are_of_the_tokens_alone(answering):
    outputs = open_bundle(answering[1]).encoder([2, 5, 3, 6, 3])
    assert {name: value.shape for name, value in outputs.items()} == {
        "start_logits": (1, 5),
        "end_logits": (1, 5),
    }


def test_no_room_behind_a_question(answering, tmp_path, error):
    model, _, given = answering
    options = ["--config=android_fp32", "--config.lengths=32"]
    output = f"--output={tmp_path}/bundle"
    assert main(["export", f"--model={model}", *given, *options, output]) == 1
    assert "expected one of 70 or more for squad" in error()


def test_heads_break_no_partition(exported, answering):
    for bundle in (exported[1], answering[1]):
        found = profile.partitions(bundle / "model.tflite")
        assert set(found.values()) == {1}


def test_the_schema_takes_both(exported, answering, manifest_faults):
    for bundle in (exported[1], answering[1]):
        assert not manifest_faults(to_json(open_bundle(bundle).manifest))


def test_an_encoder_is_scored_by_its_embeddings(
    randomise, tmp_path, capsys, error
):
    rows = "a film,a film,5\na film,bad,1\nthe films,very good,3\n"
    for name in ("train", "dev"):
        (tmp_path / f"{name}.csv").write_text("a,b,score\n" + rows)
    model, output = tmp_path / "model", f"--output={tmp_path}/bundle"
    save_preset(randomise(make_backbone(16)), model)
    options = ["--config=android_fp32", "--config.lengths=8"]
    assert main(["export", f"--model={model}", *options, output]) == 0
    given = [
        f"--task=csv:{tmp_path}/train.csv",
        *("--text_columns=a,b", "--label_column=score", "--kind=regression"),
        f"--eval_file={tmp_path}/dev.csv",
    ]
    found = []
    for name, how in ((model, "mean"), (tmp_path / "bundle", "the bundle's")):
        capsys.readouterr()
        assert evaluate(name, tmp_path, *given) == 0
        shown = capsys.readouterr()
        assert f"cosine of {how} embeddings" in shown.err
        metrics = json.loads(shown.out)["metrics"]["validation"]
        found.append(metrics["pearson"]["mean"])
    assert found[0] == pytest.approx(found[1], abs=1e-4)
    assert evaluate(tmp_path / "bundle", tmp_path, *given, "--pooling=cls") == 2
    assert "sentence_embedding is pooled already" in error()
    sentiment = ["--task=sst2", f"--data_dir={tmp_path}"]
    assert evaluate(tmp_path / "bundle", tmp_path, *sentiment) == 1
    assert "an encoder without a head for a task" in error()
