"""A user's own file of several labels, or of numbers for each class."""

import json

import numpy as np
import pytest

from tfminilm.errors import UserError
from tfminilm.tasks import csv_task, encode, read
from tfminilm.tasks.kinds import kind_of
from tfminilm.tasks.task import LabelColumns

LABELS = ("food", "place", "time")


@pytest.fixture
def write(tmp_path):
    def _write(content, name="mine.csv"):
        path = tmp_path / name
        path.write_text(content)
        return path

    return _write


def several(path, label="tags", **columns):
    columns = LabelColumns(**columns)
    return csv_task(path, ["text"], label, "multi_label", label_columns=columns)


def soft(path, label=None, columns=("no", "yes"), labels=None, **more):
    columns = LabelColumns(columns=columns, **more)
    return csv_task(path, ["text"], label, labels=labels, label_columns=columns)


def labels_of(task):
    return [example.label for example in read(task, "all")]


def test_names_in_one_column(write):
    path = write("text,tags\na,time; food\nb,\nc,place\n")
    task = several(path, separator=";")
    assert task.labels == LABELS
    assert task.metrics == ("micro_f1", "macro_f1")
    expected = [(1.0, 0.0, 1.0), (0.0, 0.0, 0.0), (0.0, 1.0, 0.0)]
    assert labels_of(task) == expected
    written = kind_of(task).written_label(task, (True, False, True))
    assert written == "food;time"


def test_lists_of_names(write):
    rows = [["time", "food"], [], ["place"]]
    lines = [json.dumps({"text": "a", "tags": row, "x": 1.5}) for row in rows]
    task = several(write("\n".join(lines) + "\n", "mine.jsonl"))
    assert task.labels == LABELS
    assert labels_of(task)[0] == (1.0, 0.0, 1.0)


def test_a_column_for_each_label(write):
    path = write("text,time,food,place\na,1,0,0\nb,0.25,1,0\n")
    task = several(path, None, columns=("food", "place", "time"))
    assert task.labels == LABELS
    assert labels_of(task) == [(0.0, 0.0, 1.0), (1.0, 0.0, 0.25)]


def test_probabilities_in_place_of_labels(write):
    path = write("text,yes,no\na,0.2,0.8\nb,0.67,0.33\nc,0.33,0.66\n")
    first, second, third = read(soft(path), "all")
    assert (first.label, first.soft) == (0, (0.8, 0.2))
    assert (second.label, second.soft) == (1, (0.33, 0.67))
    assert sum(third.soft) == pytest.approx(1)  # They were rounded.


def test_probabilities_beside_labels(write):
    path = write("text,y,no,yes\na,yes,0.8,0.2\nb,no,,\n")
    first, second = read(soft(path, "y"), "all")
    assert (first.label, first.soft) == (1, (0.8, 0.2))  # What is scored.
    assert (second.label, second.soft) == (0, None)
    arrays = encode._labels(soft(path, "y"), [first, second])
    expected = np.array([[0.8, 0.2], [1, 0]], "float32")
    np.testing.assert_array_equal(arrays["labels"], expected)


def test_rows_have_either_or_both(write):
    path = write("text,y,no,yes\na,yes,0.8,0.2\nb,no,,\nc,,0.4,0.6\n")
    task = soft(path, "y", labels=("no", "yes"))
    _, _, third = read(task, "all")
    assert (third.label, third.soft) == (1, (0.4, 0.6))
    path.write_text("text,y,no,yes\na,,,\n")
    with pytest.raises(UserError, match="line 2: label '' is not of"):
        read(task, "all")


def test_probabilities_beside_several_labels(write):
    path = write("text,y,a,b\nx,a,0.9,0.2\ny,,0.4,0.6\nz,b,,\n")
    task = several(path, "y", columns=("a", "b"))
    assert labels_of(task) == [(1, 0), (0, 0), (0, 1)]
    arrays = encode._labels(task, read(task, "all"))
    expected = np.float32([[0.9, 0.2], [0.4, 0.6], [0, 1]])
    np.testing.assert_array_equal(arrays["labels"], expected)


def test_logits(write):
    path = write("text,no,yes\na,1000,1000\nb,-1,1\n")
    first, second = read(soft(path, are_logits=True), "all")
    assert first.soft == (0.5, 0.5)
    assert second.soft[1] == pytest.approx(1 / (1 + np.exp(-2)))
    columns = ("no", "yes")
    task = several(path, None, columns=columns, are_logits=True)
    assert labels_of(task)[1][1] == pytest.approx(1 / (1 + np.exp(-1)))


def test_a_models_order_of_the_classes(write):
    path = write("text,no,yes\na,0.2,0.8\n")
    task = soft(path, labels=("yes", "no"))
    assert task.labels == ("yes", "no")
    assert labels_of(task) == [0]
    with pytest.raises(UserError, match="expected one for each of yes, maybe"):
        soft(path, labels=("yes", "maybe"))


HEADER = "text,no,yes\nfine,0,1\n"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("x,0.5,0.6", r"probabilities 0\.5, 0\.6 sum to 1\.1, expected 1"),
        ("x,-0.1,1.1", "expected 0 to 1; if they are logits"),
        ("x,nan,1", "'nan' in column 'no' is no finite number"),
        ("x,inf,1", "'inf' in column 'no' is no finite number"),
        ("x,many,1", "'many' in column 'no' is no finite number"),
        ("x,,1", "'' in column 'no' is no finite number"),
        ("x,,", "no numbers in no, yes; give the row some, or remove it"),
    ],
)
def test_numbers_that_are_none(row, told, write):
    path = write(HEADER + row + "\n")
    with pytest.raises(UserError, match=rf"mine\.csv, line 3: .*{told}"):
        read(soft(path), "all")


@pytest.mark.parametrize(
    ("content", "name", "told"),
    [
        ("text,tags\na,food\nb,place|food\nc,food|food\n", "mine.csv",
         "line 4: the labels are food, food, expected each once"),
        ('{"text": "a", "tags": ["food", "place"]}\n{"text": ["b"], '
         '"tags": []}\n', "mine.jsonl", "line 2: a text is a list"),
        ('{"text": "a", "tags": ["a", "b"]}\n{"text": "b"}\n', "mine.jsonl",
         "line 2: no key 'tags'; expected an object such as"),
        ('{"text": "a", "tags": {"x": 1}}\n', "mine.jsonl", "line 1"),
        ('{"text": "a", "tags": ["a"]', "mine.jsonl", "line 1"),
    ],
)  # fmt: skip
def test_broken_labels(content, name, told, write):
    with pytest.raises(UserError, match=told):
        read(several(write(content, name), separator="|"), "all")


LISTS = '{"text": "a", "y": "yes", "no": 1, "yes": 0}\n{"text": "b", '


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ('"y": ["yes"], "no": 1, "yes": 0}', r"a list in column 'y', expected"),
        (
            '"y": "yes", "no": ["1"], "yes": 0}',
            "a list in column 'no', expected",
        ),
        ('"y": "yes", "no": NaN, "yes": 0}', "a number is NaN"),
        (
            '"y": "yes", "no": true, "yes": 0}',
            "'True' in column 'no' is no fin",
        ),
    ],
)
def test_broken_values(row, told, write):
    path = write(LISTS + row + "\n", "mine.jsonl")
    with pytest.raises(UserError, match=rf"mine\.jsonl, line 2.*{told}"):
        read(soft(path, "y", labels=("no", "yes")), "all")


def test_a_score_is_no_list(write):
    path = write('{"text": "a", "y": [1]}\n', "mine.jsonl")
    with pytest.raises(UserError, match=r"mine\.jsonl, line 1"):
        read(csv_task(path, ["text"], "y", "regression"), "all")
    path = write('{"text": "a", "y": ["1"]}\n', "mine.jsonl")
    with pytest.raises(UserError, match="a list in column 'y'"):
        read(csv_task(path, ["text"], "y", "regression"), "all")


def test_labels_of_another_model(write):
    path = write("text,tags\na,food\n")
    columns = LabelColumns()
    task = csv_task(
        path, ["text"], "tags", "multi_label", ("a", "b"), None, columns
    )
    with pytest.raises(UserError, match=r"line 2: label 'food' is not of"):
        read(task, "all")


def test_a_score_has_no_columns(write):
    columns = LabelColumns(columns=("no", "yes"))
    with pytest.raises(UserError, match="--kind=regression has no classes"):
        csv_task("x", ["text"], None, "regression", None, None, columns)
