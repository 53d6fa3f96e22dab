"""A KerasHub tokenizer whose texts `tokenizers` cuts."""

import itertools

import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from tfminilm.data import cache
from tfminilm.errors import UserError
from tfminilm.teachers import load_tokenizer
from tfminilm.tokenizer import exact, rules_of, with_engine
from tfminilm.tokenizer.engines import bert
from tfminilm.tokenizer.hugging_face import with_bert_rules

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ASCII = [chr(code) for code in range(128)]
LATIN = [chr(code) for code in (*range(0xC0, 0x180), *range(0x2010, 0x2022))]
WORDS = [
    *SPECIAL,
    *(c for c in [*ASCII, *LATIN] if c.isprintable() and c != " "),
    *(f"##{c}" for c in [*ASCII, *LATIN] if c.isalnum()),
    "ab",
    "##ab",
]


@pytest.fixture(
    scope="module", params=[(True, True), (True, False), (False, False)]
)
def tokenizer(request):
    lowercase, strips = request.param
    words = keras_hub.models.BertTokenizer(
        WORDS, lowercase=lowercase, strip_accents=strips
    )
    return with_bert_rules(words)


def test_it_is_of_keras_hubs_class(tokenizer):
    assert isinstance(tokenizer, keras_hub.models.BertTokenizer)
    assert type(tokenizer).__name__ == "BertTokenizer"
    assert rules_of(tokenizer) == "bert"
    assert tokenizer.cls_token_id == 2


def test_both_ways_cut_alike(tokenizer, ids_of):
    """The fast way through TensorFlow, and `tokenizers`."""
    plain = [c for c in (*ASCII, *LATIN) if exact._is_plain(c)]
    assert 95 + 3 + 100 < len(plain) < 350
    texts = [f"{x}b {x}" for x in plain]
    # Every pair takes minutes; they were tried once.
    some = [*"aZ1 \t\n\r!'-[~", *plain[100::3]]
    texts += [f"a{x}{y}" for x, y in itertools.product(some, repeat=2)]
    texts += [
        letter * size + " " + "!" * size
        for letter in "aé\u2019ł"
        for size in (*range(49, 53), *range(99, 103))
    ]
    texts += [" [MASK]", "##ab", "a##b", "[[UNK]]", "", " "]
    tokenizer.engine.encode_special_tokens = True
    found = tokenizer.engine.encode_batch(texts, add_special_tokens=False)
    assert ids_of(tokenizer, texts) == [each.ids for each in found]


def test_control_characters_are_dropped(tokenizer, ids_of):
    wanted = ids_of(tokenizer, ["ab"])
    for code in (*range(9), 0xB, 0xC, *range(0xE, 0x20), 0x7F, 0x85, 0xFFFD):
        assert ids_of(tokenizer, [f"a{chr(code)}b"]) == wanted, hex(code)


def test_texts_of_both_ways_keep_their_order(tokenizer, ids_of):
    # A few are cut in one way only.
    texts = ["a", "ä b", "", "b c", "ü", "", "d"] * exact.FEW
    one_by_one = [ids_of(tokenizer, [text])[0] for text in texts]
    assert ids_of(tokenizer, texts) == one_by_one
    few = exact.FEW
    assert ids_of(tokenizer, texts[:few]) == one_by_one[:few]


def test_many_texts_are_traced_once(monkeypatch):
    """A graph a call would cost tens of milliseconds, and a warning."""
    words = with_bert_rules(keras_hub.models.BertTokenizer(WORDS))
    traced = []

    def counted(*arguments):
        traced.append(arguments)
        return in_graph(*arguments)

    in_graph = exact.in_graph
    monkeypatch.setattr(exact, "in_graph", counted)
    texts = ["ab a b"] * (exact.FEW + 1)
    for each in (texts, texts[::-1], [*texts, "b"]):
        ids, _ = words.encode(each)
        np.testing.assert_array_equal(
            ids, np.concatenate([words.tokenize(text) for text in each])
        )
    assert len(traced) == 1


def test_calls_give_what_keras_hubs_give(tokenizer):
    plain = keras_hub.models.BertTokenizer(WORDS, lowercase=tokenizer.lowercase)
    for text in ("ab c", ["ab c", "d", ""], ["ab"]):
        ours, theirs = tokenizer(text), plain(text)
        assert type(ours) is type(theirs)
        assert list(ours) == list(theirs)
    given = tf.constant(["ab c", "d"])
    assert tokenizer(given) == plain(given)
    assert tokenizer("ä b").dtype == plain("ab").dtype


def test_it_runs_in_a_pipeline_of_tensorflows(tokenizer):
    texts = tf.data.Dataset.from_tensor_slices(["ab c", "ä", "d e f"])
    alone = [x.numpy().tolist() for x in texts.map(tokenizer)]
    assert alone == tokenizer(["ab c", "ä", "d e f"])
    (batch,) = texts.batch(3).map(tokenizer)
    assert batch.to_list() == alone


def test_it_serves_a_preprocessor_of_keras_hubs(tokenizer):
    make = keras_hub.models.BertTextClassifierPreprocessor
    given = make(tokenizer, sequence_length=6)(["ab ä", "c"])
    ids = tokenizer("c")[0]
    assert np.asarray(given["token_ids"])[1].tolist() == [2, ids, 3, 0, 0, 0]


def test_special_tokens_are_text_unless_wanted(tokenizer, ids_of):
    text = "[MASK] ab"
    assert 4 not in ids_of(tokenizer, [text])[0]
    tokenizer.special_tokens_in_strings = True
    try:
        assert ids_of(tokenizer, [text])[0][0] == 4
    finally:
        tokenizer.special_tokens_in_strings = False
    assert 4 not in ids_of(tokenizer, [text])[0]


def test_half_a_pair_of_surrogates_is_no_character(tokenizer, ids_of):
    texts = ["a\ud800b", "\udc00", "ä", "a"]
    whole = ["a\ufffdb", "\ufffd", "ä", "a"]
    for count in (1, exact.FEW):  # A text, a few, and many.
        given, wanted = texts * count, whole * count
        assert ids_of(tokenizer, given) == ids_of(tokenizer, wanted)
    one = [ids_of(tokenizer, [text])[0] for text in texts]
    assert one == ids_of(tokenizer, whole)


def test_texts_in_a_matrix_are_refused(tokenizer):
    with pytest.raises(UserError, match="expected one text or a list"):
        tokenizer.tokenize([["a", "b"], ["c", "d"]])


def test_what_does_not_fit_is_refused():
    padding = keras_hub.models.BertTokenizer(WORDS, sequence_length=8)
    with pytest.raises(UserError, match="make it without sequence_length"):
        with_bert_rules(padding)
    other = bert([*SPECIAL, "ab", *WORDS[5:-2], "##ab"], SPECIAL, True)
    with pytest.raises(UserError, match="files of one model"):
        with_engine(keras_hub.models.BertTokenizer(WORDS), other)


def test_the_cache_tells_rules_and_case_apart(tokenizer):
    plain = keras_hub.models.BertTokenizer(WORDS, lowercase=tokenizer.lowercase)
    other = keras_hub.models.BertTokenizer(WORDS, lowercase=True)
    made = [cache.tokenizer_identity(x) for x in (tokenizer, plain)]
    made.append(cache.tokenizer_identity(with_bert_rules(other)))
    assert made[0] != made[1]
    assert made[0]["vocabulary"] == made[1]["vocabulary"]
    assert set(made[1]) == {"class", "settings", "vocabulary"}
    if not tokenizer.lowercase:
        assert made[0]["engine"] != made[2]["engine"]


def test_the_small_teacher_has_berts_rules():
    assert rules_of(load_tokenizer("tiny:bert")) == "bert"
    assert rules_of(load_tokenizer("tiny:xlm_roberta")) == "keras_hub"


@pytest.mark.parametrize("rules", [None, "keras_hub"])
@pytest.mark.parametrize("source", ["tiny:bert", "tiny:xlm_roberta"])
def test_a_zero_in_a_text_reads_the_same_in_every_way(source, rules, ids_of):
    tokenizer = load_tokenizer(source, rules)
    texts = ["a\0b", "\0", "\0a", "a \0 b", "\0\0b", "a"]
    wanted = [[int(i) for i in tokenizer(text)] for text in texts]
    assert ids_of(tokenizer, texts) == wanted
    assert len(wanted[0]) > len(wanted[-1])
