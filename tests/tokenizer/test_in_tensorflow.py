"""TensorFlow's operations cut texts as the tokenizer itself does."""

import json
import pathlib

import keras_hub
import make_many_ids as made
import numpy as np
import pytest
import tensorflow as tf

from tfminilm.errors import UserError
from tfminilm.teachers import load_tokenizer
from tfminilm.tokenizer.hugging_face import with_bert_rules
from tfminilm.tokenizer.in_tensorflow import WordPieces

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"

WORDS = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##a", "b", "##b",
    "ab", "##ab", "cat", "##s", ",", "!", "[", "]", "cl", "e", "##e", "猫",
    "σ", "##σ", "ο", "##ο", "i", "##i", "ss", "é", "#", "A", "É", "ß",  # noqa: RUF001
]  # fmt: skip
HARD = [
    "",
    " \t\n ",
    "cats, a cat!",
    "abab babab zcat",
    "[CLS] a[SEP]",
    "a猫b",
    "é E\u0301 É e\u0301\u0301",
    "ΟΣΟΣ ΟΣ, İi",
    "a\u0000b\ufffdb\u200db\ue000b\u0378b",
    "a\u00a0b\u3000a\u2028b\x85a",
    "a" * 100 + " " + "a" * 101,
    "##a #a",
    "ß ẞ SS",
    "🙂a",
]


def cut(pieces, texts):
    return pieces(tf.constant([text.encode() for text in texts])).to_list()


@pytest.mark.parametrize(
    "lowercase", [True, pytest.param(False, marks=pytest.mark.slow)]
)
def test_ids_are_the_tokenizers(lowercase):
    tokenizer = with_bert_rules(
        keras_hub.models.BertTokenizer(
            WORDS, lowercase=lowercase, strip_accents=lowercase
        )
    )
    random = np.random.default_rng(0)
    ranges = (32, 0x250), (0x300, 0x600), (0x2000, 0x3100), (0xAC00, 0xAC80)
    ranges += (0xF900, 0x10000), (0x1D400, 0x1D480), (0x4E00, 0x4E20)
    signs = [chr(code) for pair in ranges for code in range(*pair)] + WORDS[5:]
    texts = HARD + ["".join(random.choice(signs, 20)) for _ in range(300)]
    wanted = tokenizer(texts)
    assert len({*map(len, wanted)}) > 5
    pieces = WordPieces(tokenizer)
    assert cut(pieces, texts) == wanted
    # All words stand there, and none does.
    assert cut(pieces, ["cat a"]) == [[11, 5]]
    assert cut(pieces, ["cats"]) == [[11, 12]]


@pytest.mark.slow
def test_ids_of_many_lines(tmp_path):
    folder = made.copy("bert", tmp_path / "bert")
    (folder / "model.safetensors").touch()  # Nothing here reads it.
    rows = cut(WordPieces(load_tokenizer(folder)), made.lines())
    wanted = json.loads(made.GOLDEN.read_text())["bert"]
    assert [*made.digests(rows)] == [*wanted]


def test_other_rules_are_refused():
    with pytest.raises(UserError, match="expected a tokenizer with BERT's"):
        WordPieces(keras_hub.models.BertTokenizer(WORDS))
