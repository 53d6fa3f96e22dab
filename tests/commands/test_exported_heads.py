"""A fine-tuned model as a Hugging Face folder, and what is made of that."""

import json

import keras
import make_hugging_face as made
import numpy as np
import pytest

from tfminilm.commands import main
from tfminilm.tasks import heads
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import get_task
from tfminilm.teachers import load_tokenizer

pytestmark = pytest.mark.filterwarnings(
    "ignore:the load_module:DeprecationWarning"
)

TEXTS = ("the cat sat", "a mat sat on", "the cats and a mat", "the mating cat")
QUESTION = {
    "id": "1",
    "question": "a cat?",
    "answers": [{"text": "the cat", "answer_start": 0}],
}


TASKS = {
    "bert_classifier": "sst2",
    "mobilebert_classifier": "sst2",
    "bert_score": "stsb",
    "bert_span": "squad",
}
FAST = "bert_classifier"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """SST-2's, STS-B's and SQuAD's files, of a few rows each."""
    folder = tmp_path_factory.mktemp("data")
    words = [f"{text}\t{i % 2}" for i, text in enumerate(TEXTS)]
    (folder / "SST-2").mkdir()
    (folder / "SST-2" / "dev.tsv").write_text(
        "\n".join(["sentence\tlabel", *words]) + "\n"
    )
    pairs = [f"{text}\tthe mat\t{i}.5" for i, text in enumerate(TEXTS)]
    (folder / "STS-B").mkdir()
    (folder / "STS-B" / "dev.tsv").write_text(
        "\n".join(["sentence1\tsentence2\tscore", *pairs]) + "\n"
    )
    paragraph = {"context": "the cat sat on a mat", "qas": [QUESTION]}
    content = {"data": [{"title": "t", "paragraphs": [paragraph]}]}
    (folder / "dev-v1.1.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """`exported(name)`: a preset, and its Hugging Face folder."""
    root = tmp_path_factory.mktemp("exported")
    known = {}

    def export(name):
        if name not in known:
            preset, folder = root / name / "preset", root / name / "hf"
            task = get_task(TASKS[name])
            model, length = made.student(name), 14
            if task.kind == "qa":  # A question takes up to 64 tokens.
                length = 100
                model = heads.rebuilt(model, max_sequence_length=length)
            model.save_to_preset(str(preset))
            made.tokenizer().save_to_preset(str(preset))
            Settings(
                task.name, task.kind, task.labels, length, 6,
                num_texts=len(task.texts),
            ).save(preset)  # fmt: skip
            target = "hugging_face:smoke"
            given = [f"--model={preset}", f"--output={folder}"]
            if task.kind == "qa":
                target = "hugging_face"
                given += ["--config.lengths=100"]
            assert main(["export", f"--config={target}", *given]) == 0
            known[name] = preset, folder
        return known[name]

    return export


def scores(model, task, data, output, capsys):
    capsys.readouterr()
    given = [f"--task={task}", f"--data_dir={data}", f"--output={output}"]
    assert main(["evaluate", f"--model={model}", *given]) == 0
    return json.loads(capsys.readouterr().out)["metrics"]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name != FAST else [])
        for name in TASKS
    ],
)
def test_it_scores_as_its_model_does(name, exported, data, tmp_path, capsys):
    preset, folder = exported(name)
    before = sorted(folder.iterdir())
    found = [
        scores(model, TASKS[name], data, tmp_path, capsys)
        for model in (preset, folder)
    ]
    assert found[0] == found[1]
    assert found[0]["validation"]
    assert Settings.load(folder) == Settings.load(preset)
    assert sorted(folder.iterdir()) == before
    ours, theirs = heads.load_head(preset), heads.load_head(folder)
    inputs = {key: made.batch()[key] for key in ours.input}
    for one, other in zip(
        *(keras.tree.flatten(model(inputs)) for model in (ours, theirs)),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert theirs.dropout == ours.dropout


@pytest.mark.slow
def test_a_bundle_of_it(exported, tmp_path):
    """It has the labels, and the answers of the model it was made of."""
    preset, folder = exported("bert_classifier")
    found = []
    for model in (preset, folder):
        output = tmp_path / f"bundle-{model.name}"
        given = ["--config=android_fp32:smoke", f"--output={output}"]
        assert main(["export", f"--model={model}", *given]) == 0
        found.append(json.loads((output / "manifest.json").read_text()))
    for key in ("task", "task_name", "labels", "num_texts", "probe"):
        assert found[0][key] == found[1][key]
    assert found[0]["labels"] == ["negative", "positive"]


def test_it_is_replaced_by_another_export(exported, tmp_path):
    preset, _ = exported("bert_classifier")
    given = ["--config=hugging_face:smoke", f"--output={tmp_path / 'hf'}"]
    for _ in range(2):
        assert main(["export", f"--model={preset}", *given]) == 0
    assert (tmp_path / "hf" / "tfminilm.json").is_file()


@pytest.mark.slow
def test_an_older_export(exported, tmp_path):
    """Its settings are those of its manifest."""
    _, folder = exported("bert_score")
    for path in folder.iterdir():
        if path.name != "tfminilm.json":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    found = Settings.load(tmp_path)
    assert (found.task, found.kind, found.num_texts) == (
        "stsb",
        "regression",
        2,
    )


def test_the_place_of_a_users_file_stays_with_the_user(exported, tmp_path):
    _, folder = exported("bert_classifier")
    settings = Settings("csv:/home/me/own.csv", "classification", ("a", "b"), 8)
    from tfminilm.export.server.folder import export_folder
    from tfminilm.export.target import Target

    target = Target(format="hugging_face", lengths=(8,))
    arguments = heads.load_head(folder), load_tokenizer(folder), target
    export_folder(*arguments, tmp_path / "hf", TEXTS, settings)
    found = Settings.load(tmp_path / "hf")
    assert (found.task, found.labels) == ("csv:own", ("a", "b"))


def test_a_head_that_is_not_read(exported, data, tmp_path, error):
    _, folder = exported("bert_classifier")
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    path = tmp_path / "config.json"
    settings = json.loads(path.read_text())
    settings["architectures"] = ["BertForMultipleChoice"]
    path.write_text(json.dumps(settings))
    given = ["--task=sst2", f"--data_dir={data}"]
    assert main(["evaluate", f"--model={tmp_path}", *given]) == 1
    text = "BertForMultipleChoice, whose head is not read here"
    assert text in error()
    given = ["--config=hugging_face:smoke", f"--output={tmp_path / 'x'}"]
    assert main(["export", f"--model={tmp_path}", *given]) == 1
    assert text in error()
