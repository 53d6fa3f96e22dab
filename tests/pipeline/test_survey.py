"""The survey counts what is there, and refuses what cannot be learnt."""

import pytest

from tfminilm.errors import UserError
from tfminilm.pipeline.survey import look, scripts
from tfminilm.pipeline.table import Row, read


def rows(*pairs):
    return [
        Row(f"d.csv, line {n}", (text,), label)
        for n, (text, label) in enumerate(pairs, start=2)
    ]


GOOD = [(f"{label} {n}", label) for label in "ab" for n in range(3)]


def test_counts():
    report = look(
        rows(
            *GOOD,
            ("A  0", "a"),  # A duplicate but for case and spacing.
            ("both", "a"),
            ("Both", "b"),
            ("", "a"),
            ("new", ""),
            ("New ", ""),
            ("a 1", ""),  # Labelled elsewhere.
        ),
        "d.csv",
    )
    assert report.rows == 13
    assert report.labels == {"a": 3, "b": 3}
    assert report.duplicates == 1
    assert report.conflicts == ("d.csv, line 9", "d.csv, line 10")
    assert report.without_text == ("d.csv, line 11",)
    assert report.unlabelled == (("new",),)
    assert [row.texts[0] for row in report.examples] == [t for t, _ in GOOD]
    text = "\n".join(report.lines())
    for words in ("13 rows, 6 used", "line 9; d.csv, line 10", "line 11"):
        assert words in text
    assert "imbalanced" not in text


def test_imbalance_is_told():
    more = [(f"more {n}", "a") for n in range(9)]
    assert "4 times" in "\n".join(look(rows(*GOOD, *more), "d").lines())


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("", "a"), ("", "b")], "all 2 texts are empty"),
        ([("x", ""), ("y", "")], "no label; expected two classes"),
        ([("x", "a"), ("y", "a")], "the label 'a' alone"),
        ([*GOOD, ("x", "c")], r"'c' has 1 text \(d.csv, line 8\)"),
        ([*GOOD, ("x", "A")], "'a' .*line 2.* and 'A' .*line 8.*write them"),
        ([*GOOD, ("x", "a "), ("y", "b  ")], "differ in case or spacing"),
        ([(f"{n}", f"{n / 8}") for n in range(9)], "are numbers such as"),
        ([(f"{n}", f"text {n}") for n in range(30)], "30 different labels"),
    ],
)
def test_bad_data(pairs, message):
    with pytest.raises(UserError, match=message):
        look(rows(*pairs), "d.csv")


def test_scripts():
    assert scripts(["ab", "да", "漢字漢字"]) == {
        "Han": 0.5,
        "Latin": 0.25,
        "Cyrillic": 0.25,
    }


def test_words_for_no_label_are_told():
    data = [
        {"text": f"t{n}", "label": ["for", "against", "none"][n % 3]}
        for n in range(9)
    ]
    report = look(read(data, ["text"], "label"), "d")
    assert report.missing == ("none",)
    assert "taken for no label: 'none'" in "\n".join(report.lines())
