"""Rules go with a tokenizer into presets, bundles and folders, and back."""

import dataclasses
import json
import shutil
import types

import keras_hub
import pytest

from tfminilm.compress.vocabulary import trim_vocabulary, used_ids
from tfminilm.errors import UserError
from tfminilm.export.bundle import vocabulary
from tfminilm.export.server import hugging_face
from tfminilm.students import bert
from tfminilm.teachers import load_tokenizer
from tfminilm.tokenizer import rules_of


def student(tokenizer):
    return bert(
        num_layers=1, hidden_dim=8, num_heads=2, intermediate_dim=8,
        vocabulary_size=tokenizer.vocabulary_size(), max_sequence_length=16,
    )  # fmt: skip


@pytest.fixture
def tokenizer(family, folder_of):
    return load_tokenizer(folder_of(family))


def save(tokenizer, folder):
    """A student's folder, as a run writes it."""
    student(tokenizer).save_to_preset(str(folder))
    tokenizer.save_to_preset(str(folder))
    return folder


def test_a_students_folder_keeps_the_rules(tokenizer, tmp_path, ids_of, lines):
    again = load_tokenizer(save(tokenizer, tmp_path / "student"))
    assert rules_of(again) == rules_of(tokenizer) != "keras_hub"
    assert ids_of(again, lines) == ids_of(tokenizer, lines)


def test_to_keras_hub_it_is_a_plain_preset(tokenizer, tmp_path):
    folder = save(tokenizer, tmp_path / "student")
    saved = json.loads((folder / "tokenizer.json").read_text())
    assert saved["registered_name"].startswith("keras_hub>")
    plain = tokenizer.__class__.from_config(saved["config"])
    plain.load_preset_assets(str(folder))
    assert type(plain) is tokenizer.__class__
    assert plain.get_vocabulary() == tokenizer.get_vocabulary()
    assert list(plain("a b")) == list(tokenizer("a b"))


def test_a_preset_without_a_mark_has_keras_hubs_rules(
    folder_of, tmp_path, ids_of, lines
):
    source = folder_of("bert")
    own = load_tokenizer(source, rules="keras_hub")
    again = load_tokenizer(save(own, tmp_path / "student"))
    assert rules_of(again) == "keras_hub"
    assert ids_of(again, lines) == ids_of(own, lines)
    assert ids_of(again, lines) != ids_of(load_tokenizer(source), lines)


def test_a_damaged_mark_is_refused(folder_of, tmp_path):
    folder = save(load_tokenizer(folder_of("bert")), tmp_path / "student")
    (path,) = folder.rglob("hugging_face.json")
    path.write_text("{")
    with pytest.raises(UserError, match=r"hugging_face.json cannot be read"):
        load_tokenizer(folder)


@pytest.mark.parametrize("rules", [None, "keras_hub"])
@pytest.mark.parametrize("family", ["bert", "bert_cased", "bert_accents"])
def test_a_bundle_keeps_the_rules(
    family, rules, folder_of, tmp_path, ids_of, lines
):
    tokenizer = load_tokenizer(folder_of(family), rules)
    model = types.SimpleNamespace(vocabulary_size=tokenizer.vocabulary_size())
    settings = vocabulary.write(tokenizer, model, tmp_path)
    assert settings.rules == (rules or "bert")
    path = tmp_path / settings.vocabulary
    rows = tokenizer.vocabulary_size()
    again = vocabulary.read(path, settings, rows)
    assert ids_of(again, lines) == ids_of(tokenizer, lines)
    # The first bundles had KerasHub's.
    settings = dataclasses.replace(settings, rules=None)
    assert rules_of(vocabulary.read(path, settings, rows)) == "keras_hub"


@pytest.mark.parametrize("family", ["bert", "bert_cased", "bert_accents"])
def test_a_hugging_face_folder_keeps_the_rules(
    family, folder_of, tmp_path, ids_of, lines
):
    tokenizer = load_tokenizer(folder_of(family))
    whole = tmp_path / "whole"
    whole.mkdir()
    hugging_face.write(student(tokenizer), tokenizer, whole)
    for missing in ("nothing", "tokenizer.json", "vocab.txt"):
        ignored = shutil.ignore_patterns(missing)
        folder = shutil.copytree(whole, tmp_path / missing, ignore=ignored)
        again = load_tokenizer(folder)
        assert ids_of(again, lines) == ids_of(tokenizer, lines)


def test_keras_hubs_rules_go_into_no_hugging_face_folder(folder_of, tmp_path):
    tokenizer = load_tokenizer(folder_of("bert"), rules="keras_hub")
    with pytest.raises(UserError, match="'keras_hub', which transformers'"):
        hugging_face.write(student(tokenizer), tokenizer, tmp_path)


@pytest.mark.parametrize("family", ["bert", "bert_cased", "albert"])
def test_fewer_words_keep_the_rules(family, folder_of, ids_of, lines):
    tokenizer = load_tokenizer(folder_of(family))
    kept = [*lines[:6], "CAFÉ!"]
    _, fewer = trim_vocabulary(
        student(tokenizer), tokenizer, used_ids(tokenizer, kept)
    )
    assert rules_of(fewer) == rules_of(tokenizer)

    def pieces(tokenizer):
        return [
            [tokenizer.id_to_token(i) for i in ids]
            for ids in ids_of(tokenizer, kept)
        ]

    assert pieces(fewer) == pieces(tokenizer)


def test_tokenizer_json_decides_and_the_settings_before_it(folder_of, ids_of):
    folder = folder_of("bert")
    engine = load_tokenizer(folder).engine
    normal = engine.normalizer
    normal.lowercase = normal.strip_accents = False
    engine.normalizer = normal
    engine.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text("{}")
    cased = load_tokenizer(folder)
    assert (cased.lowercase, cased.strip_accents) == (False, False)
    assert ids_of(cased, ["CAFÉ"]) == [[cased.token_to_id("CAFÉ")]]
    settings = {"do_lower_case": True, "strip_accents": None}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    folded = load_tokenizer(folder)
    assert (folded.lowercase, folded.strip_accents) == (True, True)
    assert ids_of(folded, ["CAFÉ"]) == [[cased.token_to_id("cafe")]]


def test_other_rules_hold_but_cannot_be_exported(folder_of, tmp_path, ids_of):
    import tokenizers

    folder = folder_of("bert")
    engine = load_tokenizer(folder).engine
    engine.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    engine.save(str(folder / "tokenizer.json"))
    tokenizer = load_tokenizer(folder)
    assert rules_of(tokenizer) == "hugging_face"
    assert ids_of(tokenizer, ["cafe!!"]) != ids_of(tokenizer, ["cafe ! !"])
    model = types.SimpleNamespace(vocabulary_size=tokenizer.vocabulary_size())
    with pytest.raises(UserError, match="rules of its own"):
        vocabulary.write(tokenizer, model, tmp_path)


def test_a_length_without_limit(folder_of, ids_of):
    """`transformers` writes it where it does not know a length."""
    folder = folder_of("bert")
    wanted = ids_of(load_tokenizer(folder), ["cafe!!"])
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text()) if path.is_file() else {}
    settings["model_max_length"] = 1000000000000000019884624838656
    path.write_text(json.dumps(settings))
    assert ids_of(load_tokenizer(folder), ["cafe!!"]) == wanted


def test_files_of_two_models_are_refused(folder_of):
    folder = folder_of("bert")
    load_tokenizer(folder).engine.save(str(folder / "tokenizer.json"))
    words = (folder / "vocab.txt").read_text("utf-8").split("\n")
    words[9], words[8] = words[8], words[9]
    (folder / "vocab.txt").write_text("\n".join(words), "utf-8")
    with pytest.raises(UserError, match="expected the files of one model"):
        load_tokenizer(folder)
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(UserError, match=r"tokenizer.json cannot be read"):
        load_tokenizer(folder)
    (folder / "tokenizer.json").write_text('{"model": {"type": "BPE"}}')
    with pytest.raises(UserError, match="no tokenizer of Hugging Face's"):
        load_tokenizer(folder)


def test_words_that_were_added_later(folder_of, ids_of):
    folder = folder_of("bert")
    engine = load_tokenizer(folder).engine
    engine.add_tokens(["cafe!!"])
    engine.save(str(folder / "tokenizer.json"))
    tokenizer = load_tokenizer(folder)
    last = tokenizer.vocabulary_size() - 1
    assert tokenizer.id_to_token(last) == "cafe!!"
    assert ids_of(tokenizer, ["cafe!!"]) == [[last]]
    content = json.loads((folder / "tokenizer.json").read_text())
    content["added_tokens"][-1]["id"] += 1
    (folder / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="expected each id once"):
        load_tokenizer(folder)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("distilbert", "DistilBertTokenizer"),
        ("electra", "ElectraTokenizer"),
        ("bert", "BertTokenizer"),
    ],
)
def test_words_may_be_in_tokenizer_json_alone(kind, name, folder_of):
    folder = folder_of("bert_cased")
    load_tokenizer(folder).engine.save(str(folder / "tokenizer.json"))
    (folder / "vocab.txt").unlink()
    (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    tokenizer = load_tokenizer(folder)
    assert tokenizer.__class__ is getattr(keras_hub.models, name)
    assert not tokenizer.lowercase
