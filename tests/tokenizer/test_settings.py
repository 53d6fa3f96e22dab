"""KerasHub's presets leave a setting out; ours hold it."""

import json

import keras_hub
import pytest

from tfminilm.data.cache import tokenizer_identity
from tfminilm.students import bert
from tfminilm.teachers import load_tokenizer
from tfminilm.teachers.presets import save_preset
from tfminilm.tokenizer.settings import save_tokenizer

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] a \u4e2d \u6587 ##\u6587".split()
TEXT = "a\u4e2d\u6587 \u4e2d\u6587"


def make(split):
    return keras_hub.models.BertTokenizer(WORDS, split_on_cjk=split)


def ids(tokenizer):
    return [int(index) for index in tokenizer(TEXT)]


@pytest.mark.parametrize("split", [True, False])
def test_chinese_characters_stay_as_they_are_split(split, tmp_path):
    tokenizer = make(split)
    student = bert(
        num_layers=1, hidden_dim=8, num_heads=2, intermediate_dim=8,
        vocabulary_size=len(WORDS), max_sequence_length=16,
    )  # fmt: skip
    save_preset(student, tokenizer, tmp_path)
    again = load_tokenizer(tmp_path)
    # KerasHub's cut: words of the text, or characters.
    assert ids(make(True)) == [5, 6, 7, 6, 7]
    assert ids(make(False)) == [1, 6, 8]
    assert ids(again) == ids(tokenizer)
    # KerasHub itself reads it as well.
    saved = json.loads((tmp_path / "tokenizer.json").read_text())
    assert saved["config"].get("split_on_cjk", True) is split
    plain = keras_hub.models.BertTokenizer.from_preset(str(tmp_path))
    assert ids(plain) == ids(tokenizer)


def test_a_saved_one_is_saved_again(tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    bert(
        num_layers=1, hidden_dim=8, num_heads=2, intermediate_dim=8,
        vocabulary_size=len(WORDS), max_sequence_length=16,
    ).save_to_preset(str(tmp_path / "first"))  # fmt: skip
    save_tokenizer(make(False), tmp_path / "first")
    loaded = load_tokenizer(tmp_path / "first")
    save_tokenizer(loaded, tmp_path / "second")
    files = [tmp_path / name / "tokenizer.json" for name in ("first", "second")]
    one, other = (json.loads(path.read_text()) for path in files)
    assert one["config"]["split_on_cjk"] is False
    assert other["config"]["split_on_cjk"] is False


def test_their_token_ids_are_not_taken_for_each_others():
    one, other = map(tokenizer_identity, map(make, (True, False)))
    assert one != other
    # As older caches have it.
    assert "split_on_cjk" not in one["settings"]
