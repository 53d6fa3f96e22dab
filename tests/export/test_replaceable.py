"""Only what an export wrote, and nobody changed, is replaced."""

import json

import pytest

from tfminilm import files
from tfminilm.errors import UserError
from tfminilm.export.bundle.contents import checksums
from tfminilm.export.bundle.replaceable import require_replaceable
from tfminilm.typed_json import to_json


def write_export(folder, kind="bundle", names=("model.tflite", "vocab.txt")):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "manifest.json").unlink(missing_ok=True)
    content = {
        "format": f"tfminilm-{kind}",
        "files": to_json(checksums(folder)),
    }
    (folder / "manifest.json").write_text(json.dumps(content))


SAVED_MODEL = (
    "saved_model/saved_model.pb",
    "saved_model/fingerprint.pb",
    "saved_model/variables/variables.index",
    "saved_model/variables/variables.data-00000-of-00001",
    "vocab.txt",
)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("bundle", ("model.tflite", "sentencepiece.model")),
        ("onnx", ("model.onnx", "vocab.txt")),
        ("saved_model", SAVED_MODEL),
        ("saved_model", [x.replace("l/", "l/1/") for x in SAVED_MODEL]),
        ("hugging_face", ("config.json", "model.safetensors", "vocab.txt")),
    ],
)
def test_an_export_is_replaced(tmp_path, kind, names):
    write_export(tmp_path, kind, names)
    if kind == "saved_model":
        (tmp_path / names[0]).with_name("assets").mkdir()
    require_replaceable(tmp_path)
    with files.new_directory(tmp_path, 0, require_replaceable) as beside:
        (beside / "new").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_new_and_empty_folders(tmp_path):
    require_replaceable(tmp_path)
    require_replaceable(tmp_path / "nowhere")


def claim(folder):
    """A file that the manifest claims with its true checksum."""
    write_export(folder, names=("model.tflite", "thesis.docx"))
    return "holds thesis.docx"


def of_another_format(folder):
    write_export(folder, names=("model.tflite", "model.onnx"))
    return "holds model.onnx"


def change(folder):
    (folder / "vocab.txt").write_text("VOCAB.TXT")
    return "holds vocab.txt, not as it was written"


def add(folder):
    (folder / "thesis.docx").touch()
    return "holds thesis.docx"


def add_folders(folder):
    (folder / ".git" / "refs" / "heads").mkdir(parents=True)
    return "holds the empty folder .git/refs/heads"


def link(folder):
    (folder / "vocab.txt").rename(folder.parent / "words")
    (folder / "vocab.txt").symlink_to(folder.parent / "words")
    return "holds the link vocab.txt"


def link_folder(folder):
    (folder / "saved_model").symlink_to(folder.parent)
    return "holds the link saved_model"


def no_export(folder):
    write_export(folder, kind="of-others")
    return "holds manifest.json"


def no_manifest(folder):
    (folder / "manifest.json").write_text("[" * 100_000)
    return "holds manifest.json"


@pytest.mark.parametrize(
    "damage",
    [
        claim,
        of_another_format,
        change,
        add,
        add_folders,
        link,
        link_folder,
        no_export,
        no_manifest,
    ],
)
def test_anything_else_stays(tmp_path, damage):
    folder = tmp_path / "bundle"
    write_export(folder)
    fault = damage(folder)
    before = sorted(tmp_path.rglob("*"))
    with (
        pytest.raises(UserError, match=f"bundle exists and {fault}, so it"),
        files.new_directory(folder, 0, require_replaceable),
    ):
        pass
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("target", ["bundle", "nowhere"])
def test_a_link_stays(tmp_path, target):
    write_export(tmp_path / "bundle")
    (tmp_path / "link").symlink_to(tmp_path / target)
    with pytest.raises(UserError, match=r"link exists and is (a link|no fold)"):
        require_replaceable(tmp_path / "link")
