"""Folders whose files contradict each other: refused, or right all the same."""

import json
import pathlib
import re

import keras
import make_imports as made
import numpy as np
import pytest
import safetensors.numpy
import tokenizers

from tfminilm import UserError
from tfminilm.export.server import hugging_face
from tfminilm.tasks import heads
from tfminilm.teachers import load_backbone, load_masked_lm, load_tokenizer
from tfminilm.teachers.heads import find_head

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
# Of the golden's 40 rows; a table may be longer, and no shorter.
WORDS = [*SPECIAL, *map(chr, range(97, 123)), "hello"]
WEIGHTS = "model.safetensors"
INDEX = f"{WEIGHTS}.index.json"


def write_json(path, content):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))


def write_rules(folder, words, added=()):
    """A `tokenizer.json` of word pieces, with tokens that were added."""
    ids = {word: index for index, word in enumerate(words)}
    engine = tokenizers.Tokenizer(
        tokenizers.models.WordPiece(ids, unk_token="[UNK]")
    )
    engine.normalizer = tokenizers.normalizers.BertNormalizer()
    engine.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    engine.add_special_tokens(SPECIAL)
    engine.add_tokens([*added])
    engine.save(str(folder / "tokenizer.json"))


@pytest.fixture
def folder(tmp_path):
    """`folder(words, case, **settings)`: one that is right but for these."""

    def write(words=WORDS, case="bert", **settings):
        made.write(np.load(made.GOLDEN), case, tmp_path)
        (tmp_path / "vocab.txt").write_text("\n".join(words) + "\n")
        path = tmp_path / "config.json"
        write_json(path, json.loads(path.read_text()) | settings)
        return tmp_path

    return write


def refusal(load, source):
    with pytest.raises(UserError) as error:
        load(source)
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 1000
    assert str(source) in text
    return text


# What an index says of the tensors, and the words of the refusal.
INDICES = {
    "absent": (dict.fromkeys("ab", "b.safetensors"), "b.safetensors is not"),
    "escape": ({"a": "../a.safetensors"}, "'../a.safetensors' is no file"),
    "absolute": ({"a": "/etc/hostname"}, "'/etc/hostname' is no file"),
    "parent": ({"a": ".."}, "'..' is no file"),
    "nothing": ({"a": ""}, "'' is no file"),
    "none": ({}, "missing embeddings.LayerNorm.bias"),
    "more": ({"more": WEIGHTS[1:]}, f"{WEIGHTS[1:]} has no more"),
}


@pytest.mark.parametrize("name", INDICES)
def test_an_index_of_other_files(name, folder):
    where, words = INDICES[name]
    path = folder()
    (path / WEIGHTS).rename(path / WEIGHTS[1:])
    write_json(path / INDEX, {"weight_map": where})
    assert words in refusal(load_backbone, path)


def test_a_tensor_in_several_parts_is_that_of_the_index(folder):
    path = folder()
    wanted = load_backbone(path).get_weights()
    tensors = safetensors.numpy.load_file(path / WEIGHTS)
    (path / WEIGHTS).unlink()
    twice, first, last = "pooler.dense.bias", *sorted(tensors)[:2]
    wrong = {twice: tensors[twice] + 1}
    where = dict.fromkeys(tensors, "b")
    for part, name in (("a", first), ("c", last)):  # Before it, and behind.
        where[name] = part
        safetensors.numpy.save_file(
            wrong | {name: tensors[name]}, path / f"{part}.safetensors"
        )
    held = {name: x for name, x in tensors.items() if where[name] == "b"}
    safetensors.numpy.save_file(held, path / "b.safetensors")
    files = {name: f"{part}.safetensors" for name, part in where.items()}
    write_json(path / INDEX, {"weight_map": files})
    for one, value in zip(load_backbone(path).weights, wanted, strict=True):
        np.testing.assert_array_equal(one, value)


def test_a_pickle_is_refused_with_what_converts_it(folder):
    path = folder()
    for name in ("pytorch_model.bin", "pytorch_model-00001-of-00002.bin"):
        (path / WEIGHTS).rename(path / name)
        text = refusal(load_backbone, path)
        (code,) = re.findall(r'python -c "(.*)"$', text)
        compile(code, "the conversion", "exec")
        assert f"cd {path} && python" in text
        (path / name).rename(path / WEIGHTS)
    load_backbone(path)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"vocab_size": 41}, "word_embeddings.weight (40, 12) for (41, 12)"),
        ({"hidden_size": 8}, "embeddings.LayerNorm.bias (12,) for (8,)"),
        ({"intermediate_size": 24}, "intermediate.dense.bias (20,) for (24,)"),
        ({"model_type": "distillbert"}, "the nearest is 'distilbert'"),
        ({"model_type": "xlm_roberta"}, "the nearest is 'xlm-roberta'"),
    ],
)
def test_settings_of_another_model(settings, words, folder):
    assert words in refusal(load_backbone, folder(**settings))


@pytest.mark.parametrize("kind", [None, "", 7, ["bert"], "left out"])
def test_what_is_no_name_of_a_model(kind, folder):
    path = folder(model_type=kind)
    shown = repr(kind)
    if kind == "left out":
        settings = json.loads((path / "config.json").read_text())
        del settings["model_type"]
        write_json(path / "config.json", settings)
        shown = "not there"
    text = refusal(load_backbone, path)
    assert f"model_type is {shown}, expected one of albert, bert, " in text
    assert "nearest" not in text


def test_code_of_a_folder_is_never_run(folder):
    path = folder(auto_map={"AutoModel": "modeling.Model"})
    (path / "modeling.py").write_text("raise AssertionError('it ran')")
    text = refusal(load_backbone, path)
    assert "auto_map is {'AutoModel': 'modeling.Model'}, expected none" in text
    path = folder(model_type="nomic", auto_map={"AutoModel": "modeling.Model"})
    text = refusal(load_backbone, path)
    assert "the model's own code, auto_map, is never run" in text
    settings = {"auto_map": {"AutoTokenizer": ["modeling.Words", None]}}
    write_json(folder() / "tokenizer_config.json", settings)
    assert "own code, which is never run" in refusal(load_tokenizer, path)
    write_rules(path, WORDS)  # Which holds all rules.
    assert load_tokenizer(path).vocabulary_size() == len(WORDS)
    kinds = ("modeling.Transformer", "sentence_transformers.models.Pooling")
    modules = [{"path": "", "type": kind} for kind in kinds]
    write_json(path / "modules.json", modules)
    text = refusal(load_backbone, path)
    assert "the type of a module is 'modeling.Transformer'" in text


# A head of two classes.
LABELS = [
    ({"0": "a", "2": "b"}, None, "id2label has 0, 2, expected a name for each"),
    ({"0": "a", "1": "a"}, None, "id2label names a class twice"),
    ({"0": "a", "1": "b"}, {"a": 1, "b": 0}, "'a' is 0 in id2label and 1 in"),
    ({"0": "a", "1": "b"}, {"c": 0, "d": 1}, "'a' is 0 in id2label and None"),
    ({"0": "a", "1": "b"}, {"a": 0, "b": 1, "c": 2}, "'c' is None in id2label"),
    ({"0": "a", "1": "b", "2": "c"}, None, "3 classes, and the head has 2"),
    ({"0": "a"}, None, "1 classes, and the head has 2 outputs"),
    ({"0": "a", "1": "b"}, {"a": 0, "b": 1}, ""),
    ({"0": "a", "1": "b"}, {"a": "0", "b": "1"}, ""),
    ({"0": "a", "1": "b"}, {"LABEL_0": 0, "LABEL_1": 1}, ""),
    ({"0": "LABEL_0", "1": "LABEL_1"}, {"a": 0, "b": 1}, ""),
    ({"0": "a", "1": "b"}, {}, ""),
]


@pytest.mark.parametrize(("id2label", "label2id", "words"), LABELS)
def test_labels(id2label, label2id, words, folder):
    path = folder(case="bert_classifier", id2label=id2label, label2id=label2id)
    if words:
        assert words in refusal(find_head, path)
        assert words in refusal(heads.load_head, path)
    else:
        assert find_head(path).labels == tuple(id2label.values())


@pytest.mark.parametrize("rules", [False, True])
def test_more_tokens_than_rows(rules, folder, tmp_path):
    words = [*WORDS, *map(str, range(9))]
    path = folder(words)
    if rules:
        write_rules(path, WORDS, words[len(WORDS) :])
        (path / "vocab.txt").unlink()
    text = refusal(load_tokenizer, path)
    assert "has 41 tokens, and the model's table 40 rows" in text
    (path / "tokenizer.json").unlink(missing_ok=True)
    saved = folder()  # As a student is.
    load_backbone(saved).save_to_preset(tmp_path / "preset")
    load_tokenizer(saved).save_to_preset(tmp_path / "preset")
    assert load_tokenizer(tmp_path / "preset").vocabulary_size() == len(WORDS)
    list_of_words = tmp_path / "preset/assets/tokenizer/vocabulary.txt"
    list_of_words.write_text("\n".join(words))
    (tmp_path / "preset/assets/tokenizer/hugging_face.json").unlink()
    text = refusal(load_tokenizer, tmp_path / "preset")
    assert "has 41 tokens, and the model's table 40 rows" in text


def test_a_padded_table(folder, tmp_path):
    """Its last rows are never read, and it is written as it came."""
    path = folder(case="bert_masked_lm")
    tokenizer, model = load_tokenizer(path), load_backbone(path)
    lines = ["hello", "z Z z", "hello日本 \U000fffff", "é", ""]
    ids = [int(i) for line in lines for i in tokenizer(line)]
    assert {WORDS.index("hello"), WORDS.index("[UNK]")} <= {*ids}
    assert max(ids) < len(WORDS) < model.vocabulary_size == 40
    out = tmp_path / "out"
    out.mkdir()
    hugging_face.write(model, tokenizer, out)
    again = load_backbone(out)
    assert again.vocabulary_size == 40
    assert load_tokenizer(out).vocabulary_size() == len(WORDS)
    for one, other in zip(again.weights, model.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    # The head has a logit for each row, as the one of `transformers`.
    assert load_masked_lm(path).output.shape[-1] == 40


def test_tokens_that_were_added(folder):
    """`transformers` 5.24 gives these ids."""
    path = folder()
    write_rules(path, WORDS[:-1], ["hello", "wo rld"])
    (path / "vocab.txt").unlink()
    ids = load_tokenizer(path)("a hello wo rld b").tolist()
    assert [WORDS[i] if i < 32 else i for i in ids] == ["a", "hello", 32, "b"]
    (path / "tokenizer.json").unlink()
    # Where there is no file of rules, their places in a text are not known.
    (path / "vocab.txt").write_text("\n".join(WORDS[:-1]))
    write_json(path / "added_tokens.json", {"[CLS]": 2})
    assert load_tokenizer(path).vocabulary_size() == len(WORDS) - 1
    write_json(path / "added_tokens.json", {"[CLS]": 2, "hello": 31})
    text = refusal(load_tokenizer, path)
    assert "'hello' is a token that was added to the vocabulary" in text
    (path / "added_tokens.json").unlink()
    decoder = {"31": {"content": "hello", "special": False}}
    settings = {"added_tokens_decoder": decoder}
    write_json(path / "tokenizer_config.json", settings)
    text = refusal(load_tokenizer, path)
    assert "tokenizer_config.json: 'hello' is a token that was added" in text


def test_the_reference_is_as_it_was(folder):
    """The folder that the other tests spoil is right."""
    model = load_backbone(folder())
    assert isinstance(model, keras.Model)
    assert load_tokenizer(folder())("hello").tolist() == [31]
