"""Rows come alike from every kind of source; what cannot be read is refused."""

import json

import pytest

from tfminilm.errors import UserError
from tfminilm.pipeline import sources, table
from tfminilm.pipeline.options import Options

ROWS = [('Grüße, "du"\nda 😀', "a"), ("two", "b"), ("", "a"), ("four", "")]


def write_csv(path):
    lines = ["﻿text,label"]
    for text, label in ROWS:
        text = text.replace('"', '""')
        lines.append(f'"{text}",{label}')
    path.write_text("\n".join(lines) + "\n,\n", "utf-8")


def write_jsonl(path):
    rows = [{"text": t or None, "label": x or None} for t, x in ROWS]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(text, "utf-8")


@pytest.mark.parametrize(
    ("name", "write"), [("d.csv", write_csv), ("d.jsonl", write_jsonl)]
)
def test_files(name, write, tmp_path):
    write(tmp_path / name)
    rows = table.read(tmp_path / name, ["text"], "label")
    assert [(row.texts[0], row.label) for row in rows] == ROWS
    assert "line 2" in rows[0].where or "line 1" in rows[0].where


def test_parquet(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {
        "text": [t or None for t, _ in ROWS],
        "label": [x or None for _, x in ROWS],
    }
    parquet.write_table(arrow.table(columns), tmp_path / "d.parquet")
    rows = table.read(tmp_path / "d.parquet", ["text"], "label")
    assert [(row.texts[0], row.label) for row in rows] == ROWS


def test_a_hugging_face_data_set(tmp_path):
    """Runs where `datasets` is installed, which the library does not need."""
    datasets = pytest.importorskip("datasets")
    names = datasets.ClassLabel(names=["a", "b"])
    text = datasets.Value("string")
    data = datasets.Dataset.from_dict(
        {"text": [t or None for t, _ in ROWS], "label": [0, 1, 0, -1]},
        features=datasets.Features({"text": text, "label": names}),
    )
    data.to_parquet(tmp_path / "d.parquet")
    several = (data, data.to_iterable_dataset(), tmp_path / "d.parquet")
    for source in (*several, data.with_format("numpy")):
        rows = table.read(source, ["text"], "label")
        assert [(row.texts[0], row.label) for row in rows] == ROWS
    with pytest.raises(UserError, match=r"splits train: .*data\['train'\]"):
        table.read(datasets.DatasetDict(train=data), ["text"], "label")
    lists = datasets.Dataset.from_dict(
        {"tokens": [["Ada", "saw"]], "tags": [[1, 0]]},
        features=datasets.Features(
            {
                "tokens": datasets.List(text),
                "tags": datasets.List(datasets.ClassLabel(names=["O", "B-X"])),
            }
        ),
    )
    told = Options(kind="token_classification")
    (row,), goal = sources.read(lists, ["tokens"], "tags", None, told)
    assert row.label.tags == ("B-X", "O")
    assert goal.kind == told.kind


def test_data_frame():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"text": [t or None for t, _ in ROWS], "label": [1, 2, float("nan"), 2]}
    )
    rows = table.read(frame, ["text"], "label")
    assert [row.texts[0] for row in rows] == [t for t, _ in ROWS]
    assert [row.label for row in rows] == ["1", "2", "", "2"]


def test_dictionaries_and_tf_data():
    import tensorflow as tf

    columns = {"text": [t for t, _ in ROWS], "label": [x for _, x in ROWS]}
    dataset = tf.data.Dataset.from_tensor_slices(columns)
    dictionaries = [{"text": t, "label": x} for t, x in ROWS]
    for data in (dataset, dictionaries, columns):
        rows = table.read(data, ["text"], "label")
        assert [(row.texts[0], row.label) for row in rows] == ROWS


def test_two_texts_and_groups():
    rows = table.read(
        [{"q": " Is  IT? ", "a": "yes", "l": 1, "by": "me"}],
        ["q", "a"],
        "l",
        "by",
    )
    assert rows == [table.Row("row 0", ("Is  IT?", "yes"), "1", "me")]
    assert rows[0].key == ("is it?", "yes")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "text,label,label\nx,y,z\n", "two columns 'label'"),
        (
            "a.csv",
            "words,label\nx,y\n",
            "no column 'text'; the header reads 'words",
        ),
        ("a.csv", "text,label\n", "no rows"),
        ("a.csv", "text,label\nx\n", "line 2: 1 columns, expected 2"),
        ("a.csv", 'text,label\n"x,y\n', "line 2.*quote"),
        ("a.jsonl", '{"text": 1, "label": 2}\n{"text": \n', "line 2"),
        ("a.jsonl", "[1]\n", "line 1.*expected an object"),
        ("a.jsonl", '{"text": "x"}\n', "line 1: no key 'label'"),
        ("a.txt", "x\n", "ends in .txt, expected one of .csv"),
        ("a.parquet", "x\n", "cannot read .*Parquet"),
        ("a.csv", "", "is empty"),
    ],
)
def test_bad_files(name, content, message, tmp_path):
    (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(UserError, match=message):
        table.read(tmp_path / name, ["text"], "label")


def test_bad_objects(tmp_path):
    with pytest.raises(UserError, match="expected a file"):
        table.read(3, ["text"], "label")
    with pytest.raises(UserError, match="row 0 is a str"):
        table.read(["x"], ["text"], "label")
    with pytest.raises(UserError, match="different ones"):
        table.read([], ["text"], "text")
    with pytest.raises(UserError, match="expected one or two"):
        table.read([], [], "label")
    (tmp_path / "latin.csv").write_bytes(
        "text,label\nGrüße,a\n".encode("latin-1")
    )
    with pytest.raises(UserError, match="not UTF-8"):
        table.read(tmp_path / "latin.csv", ["text"], "label")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"t": ["a", "b"], "y": ["x"]}, "'t': 2, 'y': 1.* as many in each"),
        ([{"t": ["a", "b"], "y": "x"}], "row 0: a list in column 't'"),
        ([{"t": {"a": 1}, "y": "x"}], "row 0: a dict in column 't'"),
        ([{"t": "a", "y": [["x"]]}], "row 0: a list in column 0"),
        ([{"t": "a", "y": {"x": 1}}], "row 0: a dict in column 'y'"),
    ],
)
def test_values_that_are_no_text(data, message):
    with pytest.raises(UserError, match=message):
        table.read(data, ["t"], "y")


def test_columns_of_numbers_may_not_be_lists():
    with pytest.raises(UserError, match="row 0: a list in column 'z'"):
        table.read([{"t": "a", "y": 1, "z": [0]}], ["t"], ["y", "z"])
