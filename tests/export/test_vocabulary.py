"""Tokenizers that come out of a bundle as they went in."""

import io
import types

import keras_hub
import pytest
import sentencepiece

from tfminilm import students
from tfminilm.errors import UserError
from tfminilm.export.bundle import vocabulary, writer
from tfminilm.export.bundle.reader import open_bundle
from tfminilm.export.litert import profile
from tfminilm.export.manifest import TokenizerSettings
from tfminilm.export.target import Target
from tfminilm.teachers import load_backbone, load_tokenizer
from tfminilm.tokenizer.hugging_face import with_bert_rules
from tfminilm.tokenizer.pieces import require_layout
from tfminilm.typed_json import to_json

TEXTS = ["hello, world", "x é 日 y", "", "a  b\tc"]


@pytest.mark.parametrize("source", ["tiny:bert", "tiny:xlm_roberta"])
def test_the_same_ids(source, tmp_path):
    tokenizer = load_tokenizer(source)
    settings = vocabulary.write(tokenizer, load_backbone(source), tmp_path)
    rows = tokenizer.vocabulary_size()
    again = vocabulary.read(tmp_path / settings.vocabulary, settings, rows)
    for text in TEXTS:
        assert list(again(text)) == list(tokenizer(text))
    assert again.pad_token_id == settings.special_ids["pad"]


def test_words_with_a_line_separator(tmp_path):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a\u2028b", "c\x85"]
    tokenizer = keras_hub.models.BertTokenizer(words)
    model = types.SimpleNamespace(vocabulary_size=len(words))
    settings = vocabulary.write(tokenizer, model, tmp_path)
    again = vocabulary.read(tmp_path / settings.vocabulary, settings, 7)
    assert list(again.get_vocabulary()) == words


def test_a_tokenizer_of_another_kind(tmp_path):
    ids = {"<s>": 0, "<pad>": 1, "</s>": 2, "<mask>": 3, "a": 4, "ab": 5}
    other = keras_hub.models.RobertaTokenizer(ids | {"b": 6}, merges=["a b"])
    with pytest.raises(UserError, match="expected a WordPiece"):
        vocabulary.write(other, None, tmp_path)


def words(*more, **settings):
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return keras_hub.models.BertTokenizer(
        [*special, "a", "##b", "<unk>", "[E1]", *more], **settings
    )


@pytest.mark.parametrize("make", [lambda given: given, with_bert_rules])
def test_another_word_for_what_is_unknown(make, tmp_path):
    tokenizer = make(words(oov_token="<unk>"))
    model = types.SimpleNamespace(vocabulary_size=9)
    settings = vocabulary.write(tokenizer, model, tmp_path)
    assert settings.special_ids["unk"] == 7
    again = vocabulary.read(tmp_path / "vocab.txt", settings, 9)
    assert list(again("ab xyz")) == list(tokenizer("ab xyz")) == [5, 6, 7]


@pytest.mark.parametrize("make", [lambda given: given, with_bert_rules])
@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        (
            {"special_tokens_in_strings": True, "special_tokens": ["[E1]"]},
            "reads special tokens in texts",
        ),
        ({"split": False}, "does not split texts into words"),
        ({"split_on_cjk": False}, "does not split Chinese characters"),
    ],
)
def test_settings_that_no_bundle_has(make, settings, fault, tmp_path):
    model = types.SimpleNamespace(vocabulary_size=9)
    with pytest.raises(UserError, match=f"a tokenizer that {fault}: the app"):
        vocabulary.write(make(words(**settings)), model, tmp_path)


@pytest.mark.parametrize("word", ["a\nb", ""])
def test_words_that_no_file_holds(word, tmp_path):
    model = types.SimpleNamespace(vocabulary_size=20)
    with pytest.raises(
        UserError, match="cannot export a vocabulary: word 9 is"
    ):
        vocabulary.write(words(word), model, tmp_path)


def pieces(**ids):
    content = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b c d"]),
        model_writer=content,
        model_type="char",
        vocab_size=8,
        minloglevel=2,
        **ids,
    )
    return content.getvalue()


@pytest.mark.parametrize(
    "ids",
    [
        {"pad_id": 0, "unk_id": 1, "bos_id": 2, "eos_id": 3},
        {"unk_id": 2, "bos_id": 1, "eos_id": 0},
        {"unk_id": 0, "bos_id": -1, "eos_id": 1},
    ],
)
def test_pieces_that_do_not_lie_as_xlm_rs(ids, tmp_path):
    other = keras_hub.models.XLMRobertaTokenizer(proto=pieces(**ids))
    model = types.SimpleNamespace(vocabulary_size=20)
    with pytest.raises(UserError, match=r"begin with the unknown .* unk_id=0"):
        vocabulary.write(other, model, tmp_path)
    with pytest.raises(UserError, match="model of here cannot be read: its p"):
        require_layout(other, "here")


def test_what_is_unknown_to_pieces_that_lie_as_xlm_rs(tmp_path):
    tokenizer = keras_hub.models.XLMRobertaTokenizer(
        proto=pieces(unk_id=0, bos_id=1, eos_id=2)
    )
    require_layout(tokenizer, "here")
    assert tokenizer("z").tolist()[-1] == tokenizer.unk_token_id == 3


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "begin"),
        (b"text", "it is no Sent"),
        (b"\xff" * 99, "it is no Sent"),
    ],
)
def test_no_pieces(content, fault, tmp_path):
    path = tmp_path / "sentencepiece.model"
    path.write_bytes(content)
    settings = TokenizerSettings(
        kind="sentencepiece", vocabulary=path.name, special_ids={}
    )
    with pytest.raises(UserError, match=rf"model is damaged: .*{fault}"):
        vocabulary.read(path, settings, 9)


@pytest.fixture(scope="module")
def xlm_r(tmp_path_factory):
    """A bundle of a small XLM-R."""
    folder = tmp_path_factory.mktemp("xlm_r") / "bundle"
    tokenizer = load_tokenizer("tiny:xlm_roberta")
    model = students.xlm_roberta(
        1, 8, 2, vocabulary_size=tokenizer.vocabulary_size()
    )
    writer.export_bundle(model, tokenizer, Target(lengths=(16,)), folder)
    return open_bundle(folder)


def test_a_bundle_of_xlm_r(xlm_r):
    tokenizer = load_tokenizer("tiny:xlm_roberta")
    assert to_json(xlm_r.manifest.tokenizer) == {
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
    inputs = xlm_r.manifest.signatures["encode_16"].inputs
    assert set(inputs) == {"token_ids", "padding_mask"}
    assert list(xlm_r.tokenizer("a b")) == list(tokenizer("a b"))


def test_a_file_of_xlm_r_is_one_partition(xlm_r):
    """Its exact GELU is one operator, as BERT's is."""
    path = xlm_r.folder / "model.tflite"
    used = profile.operators(path)["encode_16"]
    assert used["GELU"] == 1
    assert profile.partitions(path) == {"encode_16": 1}


def test_the_schema_takes_xlm_r(xlm_r, manifest_faults):
    assert not manifest_faults(to_json(xlm_r.manifest))
