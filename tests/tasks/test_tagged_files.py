"""A user's own tagged texts: CoNLL's columns, and lines of JSON."""

import json

import pytest

from tfminilm.errors import UserError
from tfminilm.tasks import read
from tfminilm.tasks.entities import Entity, entities
from tfminilm.tasks.readers.tagged import tagged_task

NEWS = """-DOCSTART- -X- -X- O

EU NNP B-NP I-ORG
rejects VBZ B-VP O
# NN B-NP O

Peter NNP B-NP B-PER\r
Blackburn NNP I-NP I-PER
"""


@pytest.fixture
def write(tmp_path):
    def _write(content, name="mine.txt"):
        path = tmp_path / name
        path.write_bytes(content.encode())
        return path

    return _write


def row(text, *spans, **more):
    keys = ("start", "end", "label")
    spans = [dict(zip(keys, span, strict=True)) for span in spans]
    return json.dumps({"text": text, "spans": spans} | more) + "\n"


def tags_of(prefix, path, *columns, **options):
    task = tagged_task(f"{prefix}:{path}", *columns, **options)
    return task, [(e.text, e.tags) for e in read(task, "all")]


def test_conlls_columns(write):
    task, texts = tags_of("conll", write(NEWS))
    assert task.labels == ("O", "B-ORG", "I-ORG", "B-PER", "I-PER")
    assert task.metrics == ("f1", "precision", "recall")
    assert texts == [
        ("EU rejects #", ("I-ORG", "O", "O")),
        ("Peter Blackburn", ("B-PER", "I-PER")),
    ]
    (first, second) = read(task, "all")
    assert [first.text[a:b] for a, b in first.words] == ["EU", "rejects", "#"]
    assert (first.id, second.id) == ("0", "1")


def test_columns_by_number_tabs_and_comments(write):
    path = write(
        "\ufeff# text = New York\n1\tNew York\tB-LOC\t_\n2\tis\tO\t_\n\n\n"
        "# text = O\n1\t#\tO\t_\n"
    )
    _, texts = tags_of("conll", path, ("2", "3"))
    assert texts == [("New York is", ("B-LOC", "O")), ("#", ("O",))]


def test_a_hash_with_a_tag_is_a_word(write):
    _, texts = tags_of("conll", write("# id 7\n#\tO\na\tU-X\n"))
    assert texts == [("# a", ("O", "U-X"))]


def test_words_alone_have_no_tags(write):
    path = write("a\nb\n\nc")
    task = tagged_task(f"conll:{path}", labels=("O", "B-X"))
    assert [(e.text, e.tags) for e in read(task, "all")] == [
        ("a b", None),
        ("c", None),
    ]


def test_spans_of_characters(write, caplog):
    text = "Zoë 👩 lives in New York."
    path = write(
        row(text, (15, 23, "LOC"), (0, 3, "PER"), id=7)
        + "\n"
        + row("Berlin-Mitte", (0, 6, "LOC"))
        + row("no one")
    )
    task, texts = tags_of("spans", path)
    assert task.labels == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert texts == [
        (text, ("B-PER", "O", "O", "O", "B-LOC", "I-LOC", "O")),
        ("Berlin-Mitte", ("B-LOC", "O", "O")),
        ("no one", ("O", "O")),
    ]
    first, *_ = read(task, "all")
    assert entities(first.tags, first.words) == (
        Entity(0, 3, "PER"),
        Entity(15, 23, "LOC"),
    )
    assert not caplog.records


def test_part_of_a_word_is_taken_whole_and_logged(write, caplog):
    path = write(row("a", (0, 1, "X")) + row("Berliner go", (0, 6, "LOC")))
    _, texts = tags_of("spans", path)
    assert texts[1] == ("Berliner go", ("B-LOC", "O"))
    assert "whole word: 1, the first in" in caplog.text
    assert "mine.txt, line 2" in caplog.text


def test_tokens_and_their_tags(write):
    line = json.dumps({"tokens": ["New York", "is"], "tags": ["B-X", "O"]})
    _, texts = tags_of("spans", write(line))
    assert texts == [("New York is", ("B-X", "O"))]
    bare = write('{"tokens": ["a"]}\n{"text": "b", "spans": null}', "bare")
    _, texts = tags_of("spans", bare, labels=("O", "B-X"))
    assert texts == [("a", None), ("b", None)]


def test_splits(write):
    path = write("".join(f"w{n} B-X\n\n" for n in range(30)))
    task = tagged_task(f"conll:{path}")
    train, held_out = (read(task, split) for split in ("train", "validation"))
    assert (len(train), len(held_out)) == (27, 3)
    assert not {e.id for e in train} & {e.id for e in held_out}
    other = tagged_task(f"conll:{path}", eval_path=write("z O\n", "dev"))
    assert [e.text for e in read(other, "validation")] == ["z"]
    assert len(read(other, "train")) == 30


@pytest.mark.parametrize(
    ("content", "columns", "words"),
    [
        ("a B-X\nb\n", (), "line 2: 1 columns, expected 2"),
        ("a B-X\nb x O\n", (), "line 2: 3 columns, expected 2"),
        ("a X\n", (), "line 1: tag 'X' of the word 'a' is none; expected O"),
        ("a 1 B-X\n", ("1", "2"), "tag '1' of the word 'a' is none"),
        ("a B-X\n", ("1", "3"), "line 1: 2 columns, expected 3"),
        ("a B-X\n", ("5", "2"), "line 1: 2 columns, expected 5"),
        ("a B-X\n", ("word", ""), "column 'word', expected a number from 1"),
        ("a B-X\n", ("0", ""), "column '0', expected a number from 1"),
        ("a O\n", (), "every tag is O"),
        ("-DOCSTART- O\n", (), "has no words"),
        ("a B-X\nb L-X\nc S-X\n", (), "begin with B, L, S"),
        ("", (), "is empty"),
    ],
)
def test_bad_columns(content, columns, words, write):
    path = write(content)
    with pytest.raises(UserError, match=words) as found:
        tags_of("conll", path, *([columns] if columns else []))
    assert "mine.txt" in str(found.value)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (row("ab", (0, 3, "X")), "line 1: span 0 to 3 is outside of the text"),
        (row("ab", (-1, 1, "X")), "span -1 to 1 is outside"),
        (row("ab", (1, 1, "X")), "span 1 to 1 is outside"),
        (row("a b", (0, 3, "X"), (2, 3, "Y")), "Y at 2 to 3 overlaps X at 0"),
        (row("ab", (0, 1, "X"), (1, 2, "Y")), "or shares a word"),
        (row("a b", (0, 2, "X"), (1, 3, "Y")), "Y at 1 to 3 overlaps X"),
        (row("a  b", (1, 3, "X")), "span 1 to 3 holds no word"),
        (row("ab", (0, 1, " ")), "has the label ' ', expected a name"),
        (row("ab", (0, 1, 3)), "label"),
        (row("ab", (0, True, "X")), "end"),
        (row(" "), "the text is blank"),
        ("{}", "no text and no tokens"),
        ("[1]", "line 1"),
        ("{", "line 1"),
        ('{"text": "a", "spans": []}\n{"text": "b"}', "line 2 has none, and"),
        ('{"tokens": ["a"], "tags": []}', "0 tags of 1 tokens"),
        ('{"tokens": ["a"], "tags": ["X"]}', "tag 'X' of token 0 is none"),
        ('{"tokens": ["a", " "], "tags": ["O", "O"]}', "token 1 is blank"),
        ('{"tokens": [], "tags": []}', "no tokens"),
    ],
)
def test_bad_lines(content, words, write):
    with pytest.raises(UserError, match=words) as found:
        tags_of("spans", write(content))
    assert "mine.txt" in str(found.value)
    assert "\n" not in str(found.value)


def test_a_tag_that_the_model_does_not_know(write):
    path = write("a B-X\n\nb B-Y\n")
    with pytest.raises(UserError, match="line 3: tag 'B-Y' is not of conll"):
        tags_of("conll", path, labels=("O", "B-X"))
