"""A `tokenizer.json` that stands alone, as `transformers` 5 writes it."""

import json

import pytest

from tfminilm import UserError
from tfminilm.families.tiny import sentence_pieces
from tfminilm.teachers import load_tokenizer
from tfminilm.tokenizer import engines, rules_of

ALONE = ("albert", "roberta")


def leave_alone(folder, engine, added=()):
    """Write its rules, and take all other files of a vocabulary away."""
    for word in added:
        engine.add_tokens([word])
    for file in folder.iterdir():
        if file.suffix in (".txt", ".model") or file.name == "vocab.json":
            file.unlink()
    (folder / "tokenizer.json").write_text(engine.to_str())
    return folder


@pytest.mark.parametrize("name", ALONE)
def test_it_has_all_that_is_needed(name, folder_of, ids_of, lines):
    folder = folder_of(name)
    whole = load_tokenizer(folder)
    wanted = ids_of(whole, lines)
    alone = load_tokenizer(leave_alone(folder, whole.engine))
    assert type(alone) is type(whole)
    assert rules_of(alone) == rules_of(whole)
    assert alone.vocabulary_size() == whole.vocabulary_size()
    assert alone.get_vocabulary() == whole.get_vocabulary()
    assert ids_of(alone, lines) == wanted
    # KerasHub's own rules are of the same vocabulary.
    plain = load_tokenizer(folder, rules="keras_hub")
    assert ids_of(plain, ["a b", "b a"]) == ids_of(alone, ["a b", "b a"])


@pytest.mark.parametrize("is_alone", [False, True])
@pytest.mark.parametrize("name", ALONE)
def test_tokens_that_were_added(name, is_alone, folder_of, ids_of):
    """They are cut out of a text before all else, spaces in them too."""
    folder = folder_of(name)
    tokenizer = load_tokenizer(folder)
    size = tokenizer.vocabulary_size()
    (a,) = ids_of(tokenizer, ["a"])
    engine = tokenizer.engine
    if is_alone:
        leave_alone(folder, engine, ["hello", "wo rld"])
    else:
        engine.add_tokens(["hello", "wo rld"])
        (folder / "tokenizer.json").write_text(engine.to_str())
    more = load_tokenizer(folder)
    assert more.vocabulary_size() == size + 2
    (ids,) = ids_of(more, ["ahellowo rldb"])
    assert [i for i in ids if i >= size] == [size, size + 1]
    assert ids[: len(a)] == a
    assert more.id_to_token(size + 1) == "wo rld"


def test_xlm_roberta(tmp_path, ids_of, lines):
    """Its SentencePiece model is made anew."""
    whole = sentence_pieces()
    engine = engines.xlm_roberta(whole.proto)
    (tmp_path / "config.json").write_text('{"model_type": "xlm-roberta"}')
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "tokenizer.json").write_text(engine.to_str())
    alone = load_tokenizer(tmp_path)
    assert alone.get_vocabulary() == whole.get_vocabulary()
    texts = [line for line in lines if line.isascii()]
    assert ids_of(alone, texts) == ids_of(whole, texts)
    engine.add_tokens(["hello"])
    (tmp_path / "tokenizer.json").write_text(engine.to_str())
    with pytest.raises(UserError, match="'hello' is a token that was added"):
        load_tokenizer(tmp_path)
    content = json.loads(engine.to_str())
    content["model"]["vocab"][0][0] = "<pad>"
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"begins with <pad>, <pad>, </s>"):
        load_tokenizer(tmp_path)


def test_what_contradicts_it_is_refused(folder_of):
    folder = folder_of("roberta")
    engine = load_tokenizer(folder).engine
    (folder / "tokenizer.json").write_text(engine.to_str())
    words = json.loads((folder / "vocab.json").read_text())
    first, second, *_ = (w for w in words if len(w) == 1)
    words |= {first: words[second], second: words[first]}
    (folder / "vocab.json").write_text(json.dumps(words))
    with pytest.raises(UserError, match="have different words"):
        load_tokenizer(folder)
