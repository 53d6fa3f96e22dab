"""Bad data is refused in a line: file, row, remedy; nothing is written."""

import json

import pytest

from tfminilm import tasks
from tfminilm.errors import UserError
from tfminilm.files import MOST_LINE
from tfminilm.pipeline import make as module
from tfminilm.pipeline.make import make
from tfminilm.tasks import read
from tfminilm.tasks.readers.csv_file import csv_task

GOOD = "".join(f"{x} {n},{x}\n" for x in ("ask", "buy") for n in range(4))
HEAD = "text,label\n"
CYRILLIC = "\N{CYRILLIC SMALL LETTER DE}" * 9
LONG = "x" * (MOST_LINE + 1)


def spans(*rows):
    lines = [
        {
            "text": "Ada saw Rome.",
            "spans": [{"start": a, "end": b, "label": x} for a, b, x in row],
        }
        for row in rows
    ]
    return "".join(json.dumps(line) + "\n" for line in lines)


# The file's name, its content, what `make` says; and whether `finetune`, which
# takes what it is given, says it too.
CASES = {
    "missing-column": (
        "d.csv",
        "words,label\nx,a\n",
        "line 1: no column 't",
        1,
    ),
    "twice": ("d.csv", "text,label,text\nx,a,y\n", "line 1: two columns 't", 1),
    "once": (
        "d.csv",
        HEAD + GOOD + "why,lost\n",
        r"'lost' has 1 text .*line 10",
        0,
    ),
    "one-class": ("d.csv", HEAD + "x,a\ny,a\nz,a\n", "label", 1),
    "no-text": ("d.csv", HEAD + " ,a\n,b\n", "all 2 texts .*column", 1),
    "case": (
        "d.csv",
        HEAD + GOOD + "x,Ask\n",
        "'ask' .*line 2.* and 'Ask' .*line 10.*write them alike",
        1,
    ),
    "blanks": (
        "d.csv",
        HEAD + GOOD + "x,as  k\ny,as k\n",
        "'as  k' .*spacing",
        1,
    ),
    "mixed-encodings": (
        "d.csv",
        (HEAD + "Grüße,a\n").encode() + "Grüße,b\n".encode("latin-1"),
        "not UTF-8 .byte 0xfc at offset 23, in line 3.; convert",
        1,
    ),
    "utf-16": (
        "d.csv",
        (HEAD + GOOD).encode("utf-16"),
        "is UTF-16; convert",
        1,
    ),
    "open-quote": ("d.csv", HEAD + GOOD + '"x,a\n', "line 10.*quote", 1),
    "long-line": (
        "d.csv",
        HEAD + GOOD + LONG + ",a\n",
        "line 10 is too long",
        1,
    ),
    "long-json": (
        "d.jsonl",
        f'{{"text": "{LONG}"}}\n',
        "line 1 is too long",
        1,
    ),
    "columns": ("d.csv", HEAD + GOOD + "x,y,z\n", "line 10: 3 columns", 1),
    "nan": ("d.csv", HEAD + "x,1.5\ny,2.5\nz,inf\n", "line 4: score 'inf'", 0),
    "outside": (
        "d.jsonl",
        spans([(0, 3, "PER")], [(8, 14, "LOC")]),
        "line 2: span 8 to 14 is outside of the text of 13",
        1,
    ),
    "overlap": (
        "d.jsonl",
        spans([(0, 3, "PER"), (2, 7, "LOC")]),
        "line 1: LOC at 2 to 7 overlaps PER .*remove one",
        1,
    ),
    "no-tag": (
        "d.conll",
        "Ada B-PER\nsaw x\n",
        "line 2: tag 'x' .*expected",
        1,
    ),
    "schemes": (
        "d.conll",
        "Ada U-PER\nX E-LOC\n",
        "E, U, expected .* scheme",
        1,
    ),
    "all-outside": ("d.conll", "Ada O\nsaw O\n", "every tag is O, expected", 1),
    "rare-name": (
        "d.jsonl",
        spans([(0, 3, "PER")]),
        r"label 'PER' has 1 text \(.*line 1\)",
        0,
    ),
}


def write(path, content):
    data = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("case", CASES)
def test_make_refuses(case, tmp_path):
    name, content, message, _ = CASES[case]
    path = write(tmp_path / name, content)
    with pytest.raises(UserError, match=message) as caught:
        make(path, output=tmp_path / "made")
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("case", [case for case in CASES if CASES[case][3]])
def test_finetune_refuses(case, tmp_path):
    name, content, message, _ = CASES[case]
    path = write(tmp_path / name, content)
    with pytest.raises(UserError, match=message) as caught:
        read(task_of(path, case), "all")
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def task_of(path, case):
    if path.suffix == ".conll":
        return tasks.tagged_task(f"conll:{path}")
    if path.suffix == ".jsonl" and case != "long-json":
        return tasks.tagged_task(f"spans:{path}")
    return csv_task(path, ["text"], "label")


def test_quotes_over_lines_and_a_byte_order_mark_are_read(tmp_path):
    content = "\ufeff" + HEAD + '"one\n""two"", three",a\n'
    task = csv_task(
        write(tmp_path / "d.csv", content), ["text"], "label", labels=["a", "b"]
    )
    assert read(task, "all")[0].texts == ('one\n"two", three',)


def test_entities_that_begin_inside_are_told(tmp_path, caplog):
    content = "Ada I-PER\nsaw O\n\nRome B-LOC\nX I-PER\n"
    path = write(tmp_path / "d.conll", content)
    task = tasks.tagged_task(f"conll:{path}")
    assert "begin there: 2, the first in" in caplog.text
    assert "line 1; write B-" in caplog.text
    # They are learned as they stand.
    assert read(task, "all")[0].tags == ("I-PER", "O")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"well\n{CYRILLIC}?\nno\n",
            r"Cyrillic \(such as line 2\).*Latin 100%",
        ),
        ("你好\n", "Han"),
        ("\n", "is empty"),
    ],
)
def test_unlabelled_text_of_another_script(text, message, tmp_path):
    path = write(tmp_path / "d.csv", HEAD + GOOD)
    more = write(tmp_path / "more.txt", text)
    with pytest.raises(UserError, match=message):
        make(path, output=tmp_path / "made", unlabeled=more)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"best_by": "spearman"}, "best_by is 'spearman', expected accuracy"),
        ({"class_weights": "sell:2"}, "'sell:2', expected .* ask, buy"),
        ({"focal_gamma": 11.0}, "focal_gamma is 11.0, expected 0 to 10"),
        ({"oversampling": 2.0}, "oversampling is 2.0, expected 0 to 1"),
    ],
)
def test_options_that_the_labels_do_not_go_with(options, message, tmp_path):
    path = write(tmp_path / "d.csv", HEAD + GOOD)
    with pytest.raises(UserError, match=message):
        make(path, output=tmp_path / "made", **options)
    assert not (tmp_path / "made").exists()


def test_unlabelled_text_of_the_same_script_is_taken(tmp_path, monkeypatch):
    path = write(tmp_path / "d.csv", HEAD + GOOD)
    more = write(tmp_path / "more.txt", f"Wie geht es? {CYRILLIC[:2]}\n123\n")
    monkeypatch.setattr(module, "_digest", stop)
    with pytest.raises(RuntimeError):
        make(path, output=tmp_path / "made", unlabeled=more)


def stop(*_):
    raise RuntimeError
