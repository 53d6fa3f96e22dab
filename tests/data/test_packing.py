import itertools

import numpy as np
import pytest

from tfminilm.data import packing
from tfminilm.data.packing import EncodedDocument, encode, pack, special_ids
from tfminilm.errors import UserError

PAD, UNK, CLS, SEP, MASK = range(5)
FIRST = 5


class Bert:
    cls_token_id, sep_token_id = CLS, SEP


def ids(text):
    """Token ids of letters; a bar is [SEP]."""
    return [
        SEP if letter == "|" else FIRST + ord(letter) - ord("a")
        for letter in text
    ]


def document(*sentences):
    """Already encoded; a sentence is a run of letters, a token each."""
    return EncodedDocument(
        list(sentences),
        np.array(ids("".join(sentences)), np.int32),
        np.array([len(sentence) for sentence in sentences]),
    )


def packed_rows(documents, length):
    return pack(documents, Bert(), length).token_ids.tolist()


def rows(*texts):
    return [[CLS, *ids(text), SEP] for text in texts]


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        # Sentences fit exactly, and so does what follows the last.
        ([("abc", "def"), ("ghijk",)], ["abcdef", "ghijk|"]),
        # One that does not fit is cut, and starts the next sequence whole.
        ([("abcd", "efg"), ("hi", "jk")], ["abcdef", "efg|hi", "jk|abc"]),
        # Only what is longer than a sequence goes on from the cut.
        ([("ab", "cdefghijk", "lm")], ["abcdef", "ghijkl", "lm|abc"]),
        # Longer than two; the last sequence is filled from the first document.
        ([("abcdefghijklmn",)], ["abcdef", "ghijkl", "mn|abc"]),
        # A separator never starts a sequence: "abcdef" ended with its own.
        ([("abcdef",), ("ghi",), ("jkl",)], ["abcdef", "ghi|jk", "jkl|ab"]),
        # Documents and sentences without a token leave no trace.
        ([("",), ("abc", "", "def"), ("",), ("gh",)], ["abcdef", "gh|abc"]),
        # Filled up across several short documents.
        ([("ab",), ("c",), ("def",)], ["ab|c|d", "def|ab"]),
    ],
)
def test_rows_derived_by_hand(documents, expected):
    documents = [document(*sentences) for sentences in documents]
    assert packed_rows(documents, 8) == rows(*expected)


def random_documents(seed):
    """Documents in which every token has an id of its own, in order."""
    random = np.random.default_rng(seed)
    documents, next_id = [], FIRST
    for _ in range(random.integers(1, 12)):
        lengths = random.integers(0, 14, random.integers(1, 9))
        count = int(lengths.sum())
        token_ids = np.arange(next_id, next_id + count, dtype=np.int32)
        documents.append(EncodedDocument([], token_ids, lengths))
        next_id += count
    return documents, next_id


@pytest.mark.parametrize("seed", range(60))
def test_nothing_is_lost_and_every_boundary_is_kept(seed):
    documents, end = random_documents(seed)
    length = 3 + seed % 13
    room = length - 2
    if end - FIRST < room:
        with pytest.raises(UserError, match="tokens"):
            pack(documents, Bert(), length)
        return
    packed = pack(documents, Bert(), length)
    assert packed.num_tokens == end - FIRST
    assert packed.token_ids.dtype == np.int32
    assert packed.token_ids.shape == (len(packed), length)

    sentence_of, document_of, sizes = {}, {}, {}
    for number, one in enumerate(documents):
        offset = 0
        for size in one.lengths:
            own = one.token_ids[offset : offset + size].tolist()
            offset += size
            sentence_of.update(dict.fromkeys(own, own[:1]))
            document_of.update(dict.fromkeys(own, number))
            sizes.update(dict.fromkeys(own, size))
    previous_last = None
    for row in packed.token_ids.tolist():
        assert (row[0], row[-1]) == (CLS, SEP)
        text = row[1:-1]
        # It starts a sentence, or goes on with one too long for a sequence.
        if [text[0]] != sentence_of[text[0]]:
            assert sizes[text[0]] > room
            assert text[0] == previous_last + 1
        known = [token for token in text if token != SEP]
        previous_last = known[-1]
        # Tokens follow each other, from the last on to the first again, and
        # a separator stands between documents and nowhere else.
        for this, following in itertools.pairwise(text):
            if SEP in (this, following):
                continue
            assert following == this + 1
            assert document_of[this] == document_of[following]
        for place, token in enumerate(text):
            if token != SEP:
                continue
            before = text[place - 1]
            assert place > 0
            assert before != SEP
            after = FIRST if before + 1 == end else before + 1
            assert text[place + 1 : place + 2] in ([], [after])
            assert after == FIRST or document_of[before] != document_of[after]
    assert set(packed.token_ids.ravel()) == {CLS, SEP, *range(FIRST, end)}


def test_text_of_exactly_one_sequence_and_one_token_less():
    assert packed_rows([document("abc", "def")], 8) == rows("abcdef")
    with pytest.raises(
        UserError, match=r"the text has 5 tokens.*length 8 needs 6"
    ):
        packed_rows([document("abc", "de")], 8)
    with pytest.raises(UserError, match=r"Novel has 0 tokens"):
        pack([], Bert(), 8, "Novel")
    with pytest.raises(UserError, match="length is 2, expected 3 or more"):
        packed_rows([document("abc")], 2)


def test_special_ids_by_either_name():
    class Roberta:
        start_token_id, end_token_id = 0, 2

    assert special_ids(Roberta()) == (0, 2)
    assert special_ids(Bert()) == (CLS, SEP)

    class Gpt:
        start_token_id, end_token_id = 7, None

    with pytest.raises(UserError, match="Gpt has no sep or end token"):
        special_ids(Gpt())


def test_encode_gives_each_sentence_its_own_ids(letters, monkeypatch):
    documents = [
        ["A b.", "c"],
        ["\u200b", "z é [SEP]"],
        [],
        ["d"] * 5,
    ] * 3
    # Batches end inside, and at the end, of what is given.
    for size in (1, 4, 100):
        monkeypatch.setattr(packing, "_BATCH_SENTENCES", size)
        found = list(encode(documents, letters))
        assert [one.sentences for one in found] == documents
        assert [one.token_ids.tolist() for one in found] == [
            [*ids("ab"), 31, *ids("c")],
            [*ids("z"), UNK, UNK, UNK, UNK],
            [],
            ids("ddddd"),
        ] * 3
        assert [one.lengths.tolist() for one in found] == [
            [3, 1],
            [0, 5],
            [],
            [1] * 5,
        ] * 3


def test_encode_equals_the_tokenizer_called_on_each(make_tokenizer):
    tokenizer = make_tokenizer(["un", "##able", "##s", "able", "the", ",", "é"])
    sentences = ["The UNABLE, ables", "é the,unables", "x"]
    (found,) = encode([sentences], tokenizer)
    each = [list(tokenizer(sentence)) for sentence in sentences]
    assert found.token_ids.tolist() == list(itertools.chain(*each))
    assert found.lengths.tolist() == [len(one) for one in each]


def test_encode_stops_reading_when_its_reader_stops(letters, monkeypatch):
    monkeypatch.setattr(packing, "_BATCH_SENTENCES", 10)
    read = []

    def endless():
        while True:
            read.append(1)
            yield ["a"]

    encoded = encode(endless(), letters)
    assert next(encoded).token_ids.tolist() == ids("a")
    encoded.close()
    assert len(read) < 10_000


def test_encode_refuses_a_tokenizer_that_pads():
    import keras_hub

    tokenizer = keras_hub.models.BertTokenizer(
        vocabulary=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
        sequence_length=4,
    )
    with pytest.raises(UserError, match=r"^BertTokenizer pads its output"):
        list(encode([["a"]], tokenizer))
