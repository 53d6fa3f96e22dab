"""ModernBERT's tokenizer: read, saved, written, and refused by name."""

import json
import shutil

import make_modernbert as made
import pytest

from tfminilm import UserError, students
from tfminilm.data.packing import special_ids
from tfminilm.export.server import hugging_face
from tfminilm.families.modernbert.tokenizer import ModernBertTokenizer
from tfminilm.teachers import load_tokenizer
from tfminilm.tokenizer import rules_of

WANTED = json.loads((made.TOKENIZER / "ids.json").read_text())


@pytest.fixture
def folder(tmp_path):
    """A Hugging Face folder that a test may damage."""
    path = tmp_path / "hf"
    shutil.copytree(made.TOKENIZER, path)
    for file in path.iterdir():
        file.chmod(0o644)
    (path / "config.json").write_text('{"model_type": "modernbert"}')
    (path / "model.safetensors").touch()  # Nothing here reads it.
    return path


def test_ids_are_those_of_transformers(folder, ids_of, tmp_path):
    tokenizer = load_tokenizer(folder)
    assert isinstance(tokenizer, ModernBertTokenizer)
    assert rules_of(tokenizer) == "hugging_face"
    assert ids_of(tokenizer, made.lines()) == WANTED
    words = ("[CLS]", "[SEP]", "[PAD]", "[MASK]")
    wanted = [tokenizer.token_to_id(word) for word in words]
    assert [*special_ids(tokenizer)] == wanted[:2]
    assert [tokenizer.pad_token_id, tokenizer.mask_token_id] == wanted[2:]
    # As a preset and as a folder for `transformers` it stays what it is.
    model = students.modernbert(
        1,
        8,
        num_heads=2,
        vocabulary_size=tokenizer.vocabulary_size(),
        max_sequence_length=32,
    )
    tokenizer.save_to_preset(tmp_path / "preset")
    model.save_to_preset(tmp_path / "preset")
    hugging_face.write(model, tokenizer, tmp_path)
    for again in (tmp_path / "preset", tmp_path):
        assert ids_of(load_tokenizer(again), made.lines()) == WANTED
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["pad_token_id"] == wanted[2]
    tokens = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert [tokens[f"{name}_token"] for name in ("cls", "sep")] == [*words[:2]]


def test_keras_hubs_rules_cannot_be_written(folder, tmp_path):
    plain = load_tokenizer(folder, rules="keras_hub")
    assert rules_of(plain) == "keras_hub"
    size = plain.vocabulary_size()
    model = students.modernbert(1, 8, num_heads=2, vocabulary_size=size)
    with pytest.raises(UserError, match="expected ModernBERT's, as teachers"):
        hugging_face.write(model, plain, tmp_path)


def edited(folder, edit):
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def without_mask(content):
    content["added_tokens"] = [
        each for each in content["added_tokens"] if each["content"] != "[MASK]"
    ]


DAMAGES = [
    (without_mask, r"\[MASK\] is missing, expected the special tokens"),
    (lambda x: x["model"].update(type="Unigram"), "is 'Unigram', expected 'B"),
    (lambda x: x.pop("model"), "tokenizer.json"),
    (lambda x: x["added_tokens"][-1].update(id=900), "expected each id from 0"),
    (lambda x: x["model"]["merges"].append("abc"), "a merge is 'abc'"),
    (lambda x: x["model"]["merges"].append(["zq", "qz"]), "'zq'"),
    (lambda x: x["model"]["vocab"].update(a="b"), "tokenizer.json"),
]


@pytest.mark.parametrize(("edit", "sentence"), DAMAGES)
def test_damaged_files_are_refused(edit, sentence, folder):
    edited(folder, edit)
    with pytest.raises(UserError, match=sentence) as error:
        load_tokenizer(folder)
    assert "\n" not in str(error.value)


def test_a_folder_without_the_file(folder):
    (folder / "tokenizer.json").unlink()
    with pytest.raises(UserError, match=r"hf has no tokenizer\.json"):
        load_tokenizer(folder)


def test_merges_as_older_files_have_them(folder, ids_of):
    def join(content):
        merges = content["model"]["merges"]
        content["model"]["merges"] = [" ".join(pair) for pair in merges]

    edited(folder, join)
    assert ids_of(load_tokenizer(folder), made.lines()) == WANTED
