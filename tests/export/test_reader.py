"""Opening bundles: all as it was written, or refused by name."""

import hashlib
import json
import math
import pathlib
import shutil

import numpy as np
import pytest

from tfminilm.errors import UserError
from tfminilm.export.bundle import reader, rules, schema, writer
from tfminilm.export.bundle.reader import is_bundle, open_bundle
from tfminilm.export.litert.runner import LiteRTEncoder
from tfminilm.export.target import Target
from tfminilm.typed_json import to_json


@pytest.fixture(scope="module")
def written(float_file, backbone, tokenizer, sentences, tmp_path_factory):
    folder = tmp_path_factory.mktemp("written") / "bundle"
    content = float_file.read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "convert", lambda *_, **__: content)
        target = Target(name="phone", lengths=(8, 32))
        writer.export_bundle(backbone, tokenizer, target, folder, sentences)
    return folder


@pytest.fixture
def copy(written, tmp_path):
    return shutil.copytree(written, tmp_path / "copy")


@pytest.fixture
def change(copy):
    """Changes the manifest of a copy."""

    def edit(**values):
        path = copy / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))
        return copy

    return edit


def read_all(folder):
    found = open_bundle(folder)
    _ = found.encoder
    return found.settings, found.tokenizer


def test_whole(copy, tokenizer):
    found = open_bundle(copy)
    assert found.encoder.lengths == (8, 32)
    assert found.settings is None
    words = "the running dog, unknowable"
    assert found.tokenizer(words).tolist() == tokenizer(words).tolist()
    assert found.tokenizer.cls_token_id == tokenizer.cls_token_id


def settings_of(base, **values):
    path = pathlib.Path(__file__).with_name("manifest_cases.json")
    known = json.loads(path.read_text("utf-8"))["bases"][base]
    return reader.Bundle(path.parent, rules.read(known | values)).settings


def test_settings_of_questions():
    settings = settings_of("question_answering")
    assert (settings.task, settings.kind) == ("squad_v2", "qa")
    assert (settings.labels, settings.num_texts) == ((), 2)
    assert (settings.doc_stride, settings.max_length) == (8, 32)
    assert settings.null_threshold == -0.5


def test_settings_of_classes():
    settings = settings_of("classification")
    assert settings.kind == "classification"
    assert settings.labels == ("bad", "good")
    assert (settings.num_texts, settings.null_threshold) == (1, None)


def test_the_schema_takes_it(written, manifest_faults):
    assert not manifest_faults(to_json(open_bundle(written).manifest))


def test_the_schema_is_that_of_the_manifest():
    """Else run `python -m tfminilm.export.bundle.schema`."""
    assert schema.PATH.read_text("utf-8") == schema.text()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("task", "poetry"),
        ("task", "question_answering"),
        ("labels", ["a", "b"]),
        ("task_name", "sst2"),
        ("format_version", 1),
        ("runtimes", {"tensorflow-lite": "2.16.1"}),
        ("runtimes", {"tensorflow-lite": "new", "ai-edge-litert": None}),
        ("probe", {"tolerance": 0, "rows": []}),
        ("tokenizer", {"kind": "wordpiece"}),
        ("files", {"../model.tflite": {"bytes": 1, "sha256": "0" * 64}}),
    ],
)
def test_the_schema_refuses(written, manifest_faults, name, value):
    manifest = to_json(open_bundle(written).manifest)
    assert manifest_faults(manifest | {name: value})


@pytest.mark.parametrize("name", ["model.tflite", "vocab.txt"])
def test_truncated(copy, name):
    path = copy / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=rf"{name} is damaged: it has [\d,]+"):
        open_bundle(copy)


def test_tampered(copy):
    path = copy / "vocab.txt"
    path.write_text(path.read_text().replace("cat", "dog"))
    with pytest.raises(UserError, match=r"vocab\.txt .* content was changed"):
        open_bundle(copy)


def test_missing(copy):
    (copy / "model.tflite").unlink()
    with pytest.raises(UserError, match=r"model\.tflite is damaged: .* miss"):
        open_bundle(copy)


def test_a_newer_version(change):
    folder = change(format_version=3, tfminilm="9.9")
    with pytest.raises(UserError, match=r"version 3, written by tfminilm 9\.9"):
        open_bundle(folder)


def test_another_format(change):
    with pytest.raises(UserError, match="has format zip, expected"):
        open_bundle(change(format="zip"))


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/hostname", "a/../../b", "..", "", "a\\b", "C:x"]
)
def test_a_name_that_leaves_the_folder(change, copy, name):
    (copy.parent / "secret").write_text("secret")
    known = json.loads((copy / "manifest.json").read_text())["files"]
    folder = change(files=known | {name: {"bytes": 6, "sha256": "0"}})
    with pytest.raises(UserError, match="is no name of a file"):
        open_bundle(folder)


def test_a_link_that_leaves_the_folder(copy, tmp_path):
    path = copy / "vocab.txt"
    shutil.move(path, tmp_path / "elsewhere.txt")
    path.symlink_to(tmp_path / "elsewhere.txt")
    with pytest.raises(UserError, match=r"'vocab\.txt' is no name of a file"):
        open_bundle(copy)


@pytest.mark.parametrize("name", ["model.tflite", "vocab.txt"])
def test_a_file_without_a_checksum(change, copy, name):
    known = json.loads((copy / "manifest.json").read_text())["files"]
    known.pop(name)
    with pytest.raises(UserError, match=rf"json is damaged: .*{name}"):
        open_bundle(change(files=known))


@pytest.mark.parametrize(
    "values",
    [
        {"files": None},
        {"files": {"a": 1}},
        {"probe": {"rows": []}},
        {"probe": {"tolerance": 1, "rows": []}},
        {"probe": {"tolerance": 1, "rows": [{"token_ids": [5]}]}},
        {"tokenizer": []},
        {"tokenizer": {"vocabulary": "vocab.txt"}},
        {"tokenizer": {"kind": "wordpiece", "vocabulary": "model.tflite"}},
        {"task": "poetry"},
        {"task": ["classification"]},
        {"task": "classification", "labels": 2},
        {"task": "question_answering", "question_answering": None},
        {"labels": ["a"]},
    ],
)
def test_a_broken_manifest(change, values):
    with pytest.raises(UserError, match=r"manifest\.json is damaged") as found:
        read_all(change(**values))
    assert len(str(found.value)) < 500


def test_a_manifest_of_another_writer(copy):
    path = copy / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["labels"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=r"json is damaged: labels is missing"):
        open_bundle(copy)


@pytest.mark.parametrize("content", ["", "[]", '{"format": "tfminilm-bundle"}'])
def test_no_bundle(tmp_path, content):
    assert not is_bundle(tmp_path)
    with pytest.raises(UserError, match="is no bundle"):
        open_bundle(tmp_path)
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(UserError, match="is no bundle"):
        open_bundle(tmp_path)


def test_known_answers_differ_much(written, backbone, run):
    """From each other, and not from what Keras makes of the same rows."""
    known = to_json(open_bundle(written).manifest.probe)
    answers = []
    for row in known["rows"]:
        batch = {name: np.array([ids]) for name, ids in row.items() if ids}
        batch.pop("outputs")
        batch["padding_mask"] = np.ones_like(batch["token_ids"])
        states = run(backbone, batch)["sequence_output"]
        answers.append(np.array(row["outputs"]["sentence_embedding"]))
        np.testing.assert_allclose(answers[-1], states[0].mean(0), atol=1e-4)
    assert len(answers) == 3
    gaps = [np.abs(a - b).max() for a in answers for b in answers if a is not b]
    assert min(gaps) > 20 * known["tolerance"]


def test_a_runtime_that_ignores_its_input(copy, monkeypatch):
    def ignore(self, token_ids, segment_ids=None):
        return right(self, [5] * len(token_ids), segment_ids)

    right = LiteRTEncoder.__call__
    monkeypatch.setattr(reader, "_proven", set())
    monkeypatch.setattr(LiteRTEncoder, "__call__", ignore)
    with pytest.raises(UserError, match="a known answer differs") as found:
        _ = open_bundle(copy).encoder
    message = str(found.value)
    assert message.startswith("ai-edge-litert 2.")
    assert message.endswith(
        "float32 needs tensorflow-lite 2.14.0 or newer or ai-edge-litert "
        "1.0.1 or newer"
    )
    assert "\n" not in message


def test_another_answer_is_not_hidden_by_one_that_was_right(change, copy):
    _ = open_bundle(copy).encoder
    known = to_json(open_bundle(copy).manifest.probe)
    known["rows"][1]["outputs"]["sentence_embedding"][3] += 1
    with pytest.raises(
        UserError, match=r"differs by 1, expected at most 0\.01"
    ):
        _ = open_bundle(change(probe=known)).encoder
    known["rows"][1]["outputs"]["sentence_embedding"][3] = math.nan
    with pytest.raises(UserError, match="a number is NaN, expected a finite"):
        _ = open_bundle(change(probe=known)).encoder


def test_known_answers_run_once(copy, monkeypatch):
    calls = []
    monkeypatch.setattr(reader, "_proven", set())
    monkeypatch.setattr(
        reader.probe, "difference", lambda *given: calls.append(given) or 0.0
    )
    for _ in range(2):
        assert open_bundle(copy).encoder.lengths == (8, 32)
    assert len(calls) == 1


def test_a_runtime_that_refuses_the_file(copy, monkeypatch):
    def refuse(path):
        raise UserError(f"{path} is no LiteRT file")

    monkeypatch.setattr(reader, "LiteRTEncoder", refuse)
    with pytest.raises(UserError, match="rightly: it does not open; float32"):
        _ = open_bundle(copy).encoder


def test_a_bundle_of_the_first_format(change, copy):
    path = copy / "manifest.json"
    manifest = json.loads(path.read_text())
    for name in ("probe", "runtimes"):
        manifest.pop(name)
    path.write_text(json.dumps(manifest))
    with pytest.raises(UserError, match="damaged: runtimes is missing"):
        open_bundle(copy)
    assert open_bundle(change(format_version=1)).encoder.lengths == (8, 32)


def reseal(folder, name, content):
    """Writes a file of a writer, and its checksum."""
    (folder / name).write_bytes(content)
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"][name] = {
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda words: [*words, *map(str, range(99))], "words for 100 rows"),
        (lambda words: [*words, words[7]], "is there twice"),
        (lambda words: [*words, "", "end"], "word 49 is ''"),
        (lambda words: [*words, "a\0b"], r"word 49 is 'a.*x00b'"),
        (lambda words: [*words, "\u00e9" * 129], "word 49 is '\u00e9"),
        (lambda words: ["[X]", *words[1:]], r"it has no \[PAD\]"),
        (lambda words: ["[CLS]"], "it has no word 1, for what is unknown"),
        (lambda words: [words[1], words[0], *words[2:]], "pad is 1 there"),
    ],
)
def test_words_that_are_sealed_and_wrong(copy, edit, words):
    known = (copy / "vocab.txt").read_text().removesuffix("\n").split("\n")
    text = "\n".join(edit(known)) + "\n"
    reseal(copy, "vocab.txt", text.encode())
    with pytest.raises(UserError, match=rf"vocab\.txt is damaged: .*{words}"):
        _ = open_bundle(copy).tokenizer


def test_words_in_another_code(copy):
    reseal(copy, "vocab.txt", b"[PAD]\n\xff\n")
    with pytest.raises(
        UserError, match=r"vocab\.txt is damaged: it is not UTF"
    ):
        _ = open_bundle(copy).tokenizer


def test_signatures_of_another_file(copy, half_file):
    reseal(copy, "model.tflite", half_file.read_bytes())
    with pytest.raises(UserError, match=r"tflite has other signatures than it"):
        _ = open_bundle(copy).encoder
