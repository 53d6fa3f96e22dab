"""Vectors of words: read from files or a model, and their nearest."""

import numpy as np
import pytest

import tfminilm
from tfminilm.data.augment import word_vectors
from tfminilm.data.augment.tinybert import spell
from tfminilm.data.augment.word_vectors import WordVectors, read_glove


@pytest.fixture
def write(tmp_path):
    def to_file(content):
        path = tmp_path / "glove.txt"
        path.write_bytes(content)
        return path

    return to_file


def test_the_nearest_have_the_largest_cosine():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(700, 5)).astype("float32")
    names = [f"w{i}" for i in range(700)]
    found = WordVectors(names, vectors).nearest([*names, "none", "W3"], 6)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -2)  # A word is not like itself.
    for row, words in zip(cosines, found, strict=False):
        assert words == [f"w{i}" for i in np.argsort(-row)[:6]]
    assert found[700] == []
    assert found[701] == found[3]


def test_fewer_words_than_wanted():
    two = WordVectors(["a", "b"], np.eye(2))
    assert two.nearest(["a"], 15) == [["b"]]


def test_reads_a_file(write):
    path = write(b"the 1 0\ncaf\xc3\xa9 0 2\nfilm -1.5e-1 0\n")
    found = read_glove(path)
    assert found.words.tolist() == ["the", "café", "film"]
    np.testing.assert_allclose(found.vectors, [[1, 0], [0, 1], [-1, 0]])
    assert found.skipped == 0


def test_skips_and_counts_broken_lines(write):
    path = write(
        b"3 2\n"  # word2vec's first line.
        b"the 1 0\n"
        b"\n"
        b"alone\n"
        b". . . 1 0\n"
        b"\xff\xfe 1 0\n"
        b"zero 0 0\n"
        b"nan nan 1\n"
        b"film 0 1\n"
        b"cut 1"
    )
    found = read_glove(path)
    assert found.words.tolist() == ["the", "film"]
    assert found.skipped == 7


def test_reads_the_first_words_only(write, monkeypatch):
    monkeypatch.setattr(word_vectors, "_MOST_WORDS", 2)
    found = read_glove(write(b"a 1 0\na 0 1\nb 0 1\nc 1 1\n"))
    assert found.words.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"the 1 0\nfilm 1 0 3\n", "line 2 has 3 numbers, the lines before it"),
        (b"", "holds no word vectors"),
        (b"{}\n[1, 2]\n", r"holds no word vectors \(2 lines\)"),
    ],
)
def test_refuses_other_files(write, content, said):
    with pytest.raises(tfminilm.UserError, match=said) as error:
        read_glove(write(content))
    assert "glove.txt" in str(error.value)
    assert "\n" not in str(error.value)


def test_refuses_no_file(tmp_path):
    with pytest.raises(tfminilm.UserError, match=r"no word vectors at .*nowhe"):
        read_glove(tmp_path / "nowhere.txt")


def test_a_models_own_vectors(tokenizer):
    random = np.random.default_rng(0)
    table = random.normal(size=(30, 4)).astype("float32")
    pieces = spell(["unlikely film 映 the"], tokenizer)
    found = word_vectors.vectors_of_pieces(table, tokenizer, pieces)
    assert "the" not in found.words
    assert {"film", "un"} <= set(found.words)
    ids = [tokenizer.token_to_id(p) for p in ("un", "##like", "##ly")]
    mean = table[ids].mean(axis=0)
    places = [tokenizer.token_to_id(word) for word in found.words]
    norms = np.linalg.norm(table[places], axis=1) * np.linalg.norm(mean)
    order = np.argsort(-(table[places] @ mean) / norms)
    unlikely, unknown = found.nearest(["unlikely", "映"], 3)
    assert unlikely == [found.words[i] for i in order[:3]]
    assert unknown == []
