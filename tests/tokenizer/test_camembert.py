"""CamemBERT's pieces: ids of their own, in every layout of a folder."""

import json

import keras_hub
import make_camembert as made
import numpy as np
import pytest

from tfminilm import UserError, students, teachers
from tfminilm.compress.vocabulary import trim_vocabulary, used_ids
from tfminilm.export.bundle import vocabulary
from tfminilm.export.server.folder import export_folder
from tfminilm.export.target import Target
from tfminilm.tasks import encode
from tfminilm.tokenizer import rules_of

WANTED = json.loads((made.HERE / "ids.json").read_text())
LAYOUTS = ("both", "tokenizer.json", made.PIECES)


@pytest.fixture
def folder(tmp_path):
    return made.copy(tmp_path / "camembert")


@pytest.fixture
def words(folder):
    return teachers.load_tokenizer(folder)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_ids_are_those_of_transformers(layout, folder, ids_of, lines, tmp_path):
    for name in LAYOUTS[1:]:
        if layout not in ("both", name):
            (folder / name).unlink()
    words = teachers.load_tokenizer(folder)
    assert rules_of(words) == "hugging_face"
    assert ids_of(words, lines) == WANTED["ids"]
    pair = encode.encode_texts([made.PAIR], words, 64)
    assert pair.token_ids.tolist() == WANTED["pair"]
    last = words.vocabulary_size() - 1
    ids = [*encode.special_ids(words), words.pad_token_id, words.mask_token_id]
    assert ids == [5, 6, 2, 1, last]
    for index, word in enumerate(words.get_vocabulary()):
        assert words.token_to_id(word) == index
        assert words.id_to_token(index) == word
    assert words.token_to_id("日日日") == 3
    # A student that reads its tokens, saved and loaded.
    size = words.vocabulary_size()
    students.xlm_roberta(1, 8, 2, vocabulary_size=size).save_to_preset(
        str(tmp_path / "preset")
    )
    words.save_to_preset(str(tmp_path / "preset"))
    again = teachers.load_tokenizer(tmp_path / "preset")
    assert type(again) is type(words)
    assert ids_of(again, lines) == WANTED["ids"]


def test_kerashubs_rules_have_the_same_ids(folder, ids_of):
    plain = teachers.load_tokenizer(folder, rules="keras_hub")
    assert rules_of(plain) == "keras_hub"
    texts = ["a b", "", "9,000 snake_case", "a 日 b"]
    assert ids_of(plain, texts) == ids_of(
        teachers.load_tokenizer(folder), texts
    )
    assert list(plain("a b")) == list(plain(["a b"])[0])


def test_fewer_pieces(words, ids_of):
    size = words.vocabulary_size()
    model = students.xlm_roberta(1, 8, 2, vocabulary_size=size)
    texts = list(made.PAIR)
    smaller, fewer = trim_vocabulary(model, words, used_ids(words, texts))
    assert fewer.vocabulary_size() == smaller.vocabulary_size < size
    for one, other in zip(
        ids_of(words, texts), ids_of(fewer, texts), strict=True
    ):
        assert [*map(words.id_to_token, one)] == [
            *map(fewer.id_to_token, other)
        ]
        table, rows = (
            np.array(m.token_embedding.embeddings) for m in (model, smaller)
        )
        np.testing.assert_array_equal(table[one], rows[other])
    assert encode.special_ids(fewer) == encode.special_ids(words)
    assert fewer.mask_token_id == fewer.vocabulary_size() - 1


def test_transformers_reads_what_is_written(tmp_path, ids_of, lines):
    made.write(tmp_path / "written")
    golden = np.load(made.HERE / "written.npz")
    # Otherwise it was another folder that `transformers` has read: make the
    # golden file again.
    assert made.digest(tmp_path / "written") == str(golden["digest"])
    assert json.loads(str(golden["ids"])) == WANTED["ids"]
    assert golden["pair"].tolist() == WANTED["pair"]
    model = teachers.load_backbone(tmp_path / "written")
    assert isinstance(model, keras_hub.models.XLMRobertaBackbone)
    ids, mask = made.batch()
    given = {"token_ids": ids, "padding_mask": mask}
    states = np.array(model({k: x.astype("int32") for k, x in given.items()}))
    real = mask > 0
    np.testing.assert_allclose(states[real], golden["states"][real], atol=1e-5)
    again = teachers.load_tokenizer(tmp_path / "written")
    assert ids_of(again, lines) == WANTED["ids"]


def test_a_whole_export(tmp_path):
    target = Target(format="hugging_face", lengths=(8,))
    manifest = export_folder(
        *made.student(), target, tmp_path / "hf", list(made.PAIR)
    )
    assert manifest.tokenizer.kind == "unigram"
    parity = manifest.parity.outputs["sequence_output"]
    assert parity.max_difference < 1e-6


def test_a_phone_has_no_such_tokenizer(words, tmp_path):
    size = words.vocabulary_size()
    model = students.xlm_roberta(1, 8, 2, vocabulary_size=size)
    with pytest.raises(UserError, match="cannot export a CamembertTokenizer"):
        vocabulary.write(words, model, tmp_path)


def test_what_is_damaged_is_refused(folder):
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    (folder / made.PIECES).unlink()
    content["model"]["vocab"][5][0] = "<b>"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"<unk>NOTUSED, <b>, </s> and ends"):
        teachers.load_tokenizer(folder)
    path.unlink()
    with pytest.raises(UserError, match=r"no sentencepiece\.bpe\.model: exp"):
        teachers.load_tokenizer(folder)
    (folder / made.PIECES).write_bytes(b"\xff" * 99)
    with pytest.raises(UserError, match="it is no SentencePiece model; copy"):
        teachers.load_tokenizer(folder)


def test_files_of_two_models_are_refused(folder):
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    content["model"]["vocab"][20][0] = "another"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="expected the files of one model"):
        teachers.load_tokenizer(folder)
