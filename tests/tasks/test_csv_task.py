import csv
import dataclasses
import io

import pytest

from tfminilm.errors import UserError
from tfminilm.tasks import Example, csv_task, read
from tfminilm.tasks.kinds import kind_of


@pytest.fixture
def write(tmp_path):
    def _write(content, name="mine.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode())
        return path

    return _write


def test_quoted_fields(write):
    path = write(
        "\ufeffname,text,note\r\n"
        'good,"a, b ""c""\r\nd",x\r\n'
        "\r\n"
        "bad,😀 plain,y\r\n"
    )
    task = csv_task(path, ["text"], "name")
    assert task.name == f"csv:{path}"
    assert task.labels == ("bad", "good")
    assert task.metrics == ("accuracy", "f1")
    assert read(task, "all") == [
        Example("0", ('a, b "c"\r\nd',), 1),
        Example("1", ("😀 plain",), 0),
    ]


def test_tabs_and_two_texts(write):
    path = write('b\ta\ty\n"x\ty"\tz\t1.5\n\tw\t-2\n', "mine.tsv")
    task = csv_task(path, ["a", "b"], "y", kind="regression")
    assert task.labels == ()
    assert kind_of(task).num_outputs(task) == 1
    assert task.metrics == ("spearman", "pearson")
    assert read(task, "all") == [
        Example("0", ("z", "x\ty"), 1.5),
        Example("1", ("w", ""), -2.0),
    ]


@pytest.mark.parametrize("between", ["It cost more.", 'It cost 5" more.'])
def test_a_tsv_with_lone_quotes_has_a_row_a_line(write, caplog, between):
    """The two quotes made one row of three, in silence."""
    texts = ['"Well, he said.', between, '... and left."', "So.", "No."]
    rows = [f"{text}\t{n % 2}\r\n" for n, text in enumerate(texts)]
    path = write("text\ty\r\n" + "".join(rows), "mine.tsv")
    found = read(csv_task(path, ["text"], "y"), "all")
    assert [(e.texts[0], e.label) for e in found] == [
        (text, n % 2) for n, text in enumerate(texts)
    ]
    assert f"{path}: quotes are read as part of its texts" in caplog.text


def test_a_tsv_as_spreadsheets_write_it(write, caplog):
    """Python's own writer quotes what has quotes, tabs or line ends in it."""
    texts = ["a\tb", 'He said "so".', "two\nlines", '"', "plain"]
    file = io.StringIO(newline="")
    writer = csv.writer(file, csv.excel_tab)
    writer.writerow(["text", "y"])
    writer.writerows((text, n % 2) for n, text in enumerate(texts))
    path = write(file.getvalue(), "mine.tsv")
    found = read(csv_task(path, ["text"], "y"), "all")
    assert [e.texts[0] for e in found] == texts
    assert not caplog.records


def test_a_tsv_that_is_neither(write):
    path = write('t\ty\n"a\t1\nb\n', "mine.tsv")
    message = r"line 2: .*quotes are part of the text: .*line 3: 1 columns"
    with pytest.raises(UserError, match=message):
        csv_task(path, ["t"], "y")


@pytest.mark.parametrize("name", ["mine.csv", "mine.tsv"])
def test_texts_of_any_length(write, name):
    """`csv` ends fields at 131,072 characters unless told otherwise."""
    limit = csv.field_size_limit()
    delimiter = "\t" if name.endswith("tsv") else ","
    rows = [f'"{c * 200_000}"{delimiter}{c}\n' for c in "ab"]
    path = write(f"t{delimiter}y\n" + "".join(rows), name)
    found = read(csv_task(path, ["t"], "y"), "all")
    assert [len(example.texts[0]) for example in found] == [200_000] * 2
    assert csv.field_size_limit() == limit


def test_blank_rows_are_no_examples(write):
    path = write("\n\nt,y\n,,\na,1\n,\n \t, \n\nb,2\n,\n".replace(",,", ","))
    found = read(csv_task(path, ["t"], "y"), "all")
    assert [(e.id, e.texts[0]) for e in found] == [("0", "a"), ("1", "b")]


def test_columns_and_labels_as_people_write_them(write):
    """Other columns may be called alike; labels may have blanks in them."""
    path = write("x,t,x,y\n1,a,2,very good \n3,b,4, bad\n5,c,6,very good\n")
    task = csv_task(path, ["t"], "y")
    assert task.labels == ("bad", "very good")
    assert [example.label for example in read(task, "all")] == [1, 0, 1]


def test_a_tenth_of_the_rows_is_kept_for_validation(write):
    rows = "".join(f"text {i},{i % 5}\n" for i in range(205))
    task = csv_task(write("t,y\n" + rows), ["t"], "y")
    assert task.metrics == ("accuracy", "macro_f1")
    kept = read(task, "validation")
    assert kept == read(task, "validation")
    assert len(kept) == 20
    # Of every tenth row all were of one class.
    assert {example.label for example in kept} == {0, 1, 2, 3, 4}
    train = read(task, "train")
    assert sorted(train + kept, key=lambda e: int(e.id)) == read(task, "all")


def test_a_file_to_validate_on(write):
    rows = "".join(f"t {i},{'ab'[i % 2]}\n" for i in range(12))
    path = write("t,y\n" + rows)
    other = write("y,t\nb,new\n", "other.csv")
    task = csv_task(path, ["t"], "y", eval_path=other)
    assert read(task, "validation") == [Example("0", ("new",), 1)]
    assert len(read(task, "train")) == len(read(task, "all")) == 12


def test_labels_found_are_sorted_and_given_ones_are_not(write):
    path = write("t,y\na,10\nb, 9 \nc,-1\n")
    assert csv_task(path, ["t"], "y").labels == ("-1", "9", "10")
    task = csv_task(path, ["t"], "y", labels=["9", "10", "-1", "8"])
    assert [e.label for e in read(task, "all")] == [1, 0, 2]
    assert kind_of(task).num_outputs(task) == 4


def test_a_file_without_labels(write):
    path = write("t\na\n")
    task = csv_task(path, ["t"], None, labels=["no", "yes"])
    assert read(task, "all") == [Example("0", ("a",), None)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("t,y\n", "a header and no rows"),
        ("x,y\na,1\nb,2\n", "line 1: no column 't'; the header reads 'x, y'"),
        ("t,t,y\na,b,1\n", "line 1: two columns 't'"),
        ("t,y\na,1\n\nb,c,2\n", "line 4: 3 columns, expected 2"),
        ('t,y\n"a\nb",1\nc\n', "line 4: 1 columns, expected 2"),
        ('t,y\na,1\n"b,2\nc,1\n', "line 3: unexpected end of data; is a quote"),
        ('t,y\n"a"b,1\n', "line 2: .*expected after"),
        ("t,y\na,1\nb,\n", "line 3: no label in column 'y'"),
        ("t,y\na,1\nb,1\n", "the labels are 1; expected two or more"),
        ("t,y\na,1\n\0,2\n", "binary file"),
        ("\ufeff", "is empty"),
        ("\ufeff\n", "is empty"),
    ],
)
def test_bad_files(write, content, message):
    path = write(content)
    with pytest.raises(UserError, match=message) as raised:
        read(csv_task(path, ["t"], "y"), "all")
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf_16_is_named(tmp_path, encoding):
    """What Excel calls Unicode text; `utf-16` writes a mark of its own."""
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    path = tmp_path / "mine.csv"
    path.write_bytes(f"{mark}t,y\na,1\n".encode(encoding))
    with pytest.raises(UserError, match=r"mine.csv is UTF-16; convert it"):
        csv_task(path, ["t"], "y")


def test_bad_labels_and_scores(write):
    path = write("t,y\na,1\nb,x\n")
    task = csv_task(path, ["t"], "y", labels=["1", "2"])
    with pytest.raises(UserError, match=r"line 3: label 'x'.*one of 1, 2"):
        read(task, "all")
    task = csv_task(path, ["t"], "y", kind="regression")
    with pytest.raises(UserError, match="line 3: score 'x' is not a number"):
        read(task, "all")
    write("t,y\na,nan\n")
    with pytest.raises(UserError, match="line 2: score nan is not a finite"):
        read(task, "all")
    narrow = dataclasses.replace(task, score_range=(0.0, 1.0))
    write("t,y\na,2\n")
    with pytest.raises(UserError, match="line 2: score 2 is out of"):
        read(narrow, "all")


def test_bad_declarations(write, tmp_path):
    path = write("t,y\na,1\nb,2\n")
    with pytest.raises(UserError, match="kind 'qa'"):
        csv_task(path, ["t"], "y", kind="qa")
    with pytest.raises(UserError, match="0 text columns"):
        csv_task(path, [], "y")
    with pytest.raises(UserError, match="name the label's column"):
        csv_task(path, ["t"], None)
    with pytest.raises(UserError, match="labels are 1, 1; expected two"):
        csv_task(path, ["t"], "y", labels=["1", "1"])
    with pytest.raises(UserError, match=r"cannot read .*gone.csv"):
        csv_task(tmp_path / "gone.csv", ["t"], "y")
    task = csv_task(path, ["t"], "y")
    with pytest.raises(UserError, match=r"too few rows .* a file to validate"):
        read(task, "validation")
    with pytest.raises(UserError, match="no split 'test'"):
        read(task, "test")
