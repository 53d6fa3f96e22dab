"""Runs that began before this keep to KerasHub's rules, new ones do not."""

import dataclasses
import json

import pytest

from tfminilm.data.shards import read
from tfminilm.errors import UserError
from tfminilm.teachers import load_tokenizer
from tfminilm.train.workdir import Workdir


def test_a_new_run_takes_the_sources_rules(tmp_path):
    folder = Workdir(tmp_path, {"a": 1})
    assert folder.tokenizer_rules() is None
    with folder.lock():
        pass
    assert Workdir(tmp_path, {"a": 1}).tokenizer_rules() is None


def test_an_old_run_keeps_keras_hubs(tmp_path):
    (tmp_path / "recipe.json").write_text('{"a": 1}')
    (tmp_path / "decisions.json").write_text('{"precision": "float32"}')
    folder = Workdir(tmp_path, {"a": 1})
    assert folder.tokenizer_rules() == "keras_hub"
    with folder.lock():
        pass
    known = json.loads((tmp_path / "decisions.json").read_text())
    assert known["precision"] == "float32"
    assert known["tokenizer"] == "keras_hub"
    assert Workdir(tmp_path, {"a": 1}).tokenizer_rules() == "keras_hub"


def test_stages_share_what_the_run_has(tmp_path):
    (tmp_path / "recipe.json").write_text('{"a": 1}')
    whole = Workdir(tmp_path, {"a": 1})
    stage = Workdir(tmp_path / "second", {"b": 2}, inside=whole)
    assert stage.tokenizer_rules() == "keras_hub"
    new = Workdir(tmp_path / "new", {"a": 1})
    stage = Workdir(tmp_path / "new" / "first", {"b": 2}, inside=new)
    assert stage.tokenizer_rules() is None
    with stage.lock():
        pass
    later = Workdir(tmp_path / "new", {"a": 1})
    stage = Workdir(tmp_path / "new" / "second", {"c": 3}, inside=later)
    assert stage.tokenizer_rules() is None


@dataclasses.dataclass
class Made:
    """What a folder of shards says of its tokenizer."""

    tokenizer: dict


@pytest.mark.parametrize("ours", [None, "keras_hub"])
@pytest.mark.parametrize("theirs", ["bert", None])
def test_shards_cut_by_other_rules_are_refused(ours, theirs, tmp_path):
    tokenizer = load_tokenizer("tiny:bert", ours)
    known = read.cache.tokenizer_identity(tokenizer)
    made = Made({"vocabulary": known["vocabulary"]})
    if theirs:
        made.tokenizer["rules"] = theirs
    if (ours is None) == (theirs is not None):
        read._require_tokenizer(tmp_path, made, tokenizer)
        return
    with pytest.raises(UserError, match="prepare them again"):
        read._require_tokenizer(tmp_path, made, tokenizer)
