"""Tokenizers that come out of a bundle as they went in."""

import types

import keras_hub
import pytest

from tfminilm import students
from tfminilm.errors import UserError
from tfminilm.export import bundle, profile, vocabulary
from tfminilm.export.opened import open_bundle
from tfminilm.export.target import Target
from tfminilm.teachers import load_backbone, load_tokenizer

TEXTS = ["hello, world", "x é 日 y", "", "a  b\tc"]


@pytest.mark.parametrize("source", ["tiny:bert", "tiny:xlm_roberta"])
def test_the_same_ids(source, tmp_path):
    tokenizer = load_tokenizer(source)
    settings = vocabulary.write(tokenizer, load_backbone(source), tmp_path)
    again = vocabulary.read(tmp_path / settings["vocabulary"], settings)
    for text in TEXTS:
        assert list(again(text)) == list(tokenizer(text))
    assert again.pad_token_id == settings["special_ids"]["pad"]


def test_words_with_a_line_separator(tmp_path):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a\u2028b", "c\x85"]
    tokenizer = keras_hub.models.BertTokenizer(words)
    model = types.SimpleNamespace(vocabulary_size=len(words))
    settings = vocabulary.write(tokenizer, model, tmp_path)
    again = vocabulary.read(tmp_path / settings["vocabulary"], settings)
    assert list(again.get_vocabulary()) == words


def test_a_tokenizer_of_another_kind(tmp_path):
    ids = {"<s>": 0, "<pad>": 1, "</s>": 2, "<mask>": 3, "a": 4, "ab": 5}
    other = keras_hub.models.RobertaTokenizer(ids | {"b": 6}, merges=["a b"])
    with pytest.raises(UserError, match="expected a WordPiece"):
        vocabulary.write(other, None, tmp_path)
    with pytest.raises(UserError, match="is a 'bytes', expected wordpiece"):
        vocabulary.read(tmp_path / "x", {"kind": "bytes"})


@pytest.fixture(scope="module")
def xlm_r(tmp_path_factory):
    """A bundle of a small XLM-R."""
    folder = tmp_path_factory.mktemp("xlm_r") / "bundle"
    tokenizer = load_tokenizer("tiny:xlm_roberta")
    model = students.xlm_roberta(
        1, 8, 2, vocabulary_size=tokenizer.vocabulary_size()
    )
    bundle.export_bundle(model, tokenizer, Target(lengths=(16,)), folder)
    return open_bundle(folder)


def test_a_bundle_of_xlm_r(xlm_r):
    tokenizer = load_tokenizer("tiny:xlm_roberta")
    assert xlm_r.manifest["tokenizer"] == {
        "kind": "sentencepiece",
        "vocabulary": "sentencepiece.model",
        "id_offset": 1,
        "separators_between_texts": 2,
        "special_ids": {
            "cls": 0,
            "sep": 2,
            "pad": 1,
            "mask": tokenizer.mask_token_id,
            "unk": 3,
        },
    }
    inputs = xlm_r.manifest["signatures"]["encode_16"]["inputs"]
    assert set(inputs) == {"token_ids", "padding_mask"}
    assert list(xlm_r.tokenizer("a b")) == list(tokenizer("a b"))


def test_a_file_of_xlm_r_is_one_partition(xlm_r):
    """Its exact GELU is one operator, as BERT's is."""
    path = xlm_r.folder / "model.tflite"
    used = profile.operators(path)["encode_16"]
    assert used["GELU"] == 1
    assert profile.partitions(path) == {"encode_16": 1}


def test_the_schema_takes_xlm_r(xlm_r, manifest_faults):
    assert not manifest_faults(xlm_r.manifest)
