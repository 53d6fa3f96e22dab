"""What labels ask to predict is told from how they look, and why is said."""

import collections
import json

import pytest

from tfminilm.errors import UserError
from tfminilm.pipeline import sources, survey
from tfminilm.pipeline.goals import (
    LabelColumns,
    Number,
    OneClass,
    SeveralLabels,
    SoftClasses,
    Tags,
)
from tfminilm.pipeline.options import Options
from tfminilm.pipeline.splits import SPLITS, split
from tfminilm.tasks.examples import read as read_task
from tfminilm.train.recipe import DataSpec
from tfminilm.train.sources.task import task_of

YES_NO = [(1, 1, 0), (0, 1, 1), (0, 0, 0), (1, 0, 1)]
ONE_HOT = [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
SHARES = [(0.7, 0.2, 0.1), (0.1, 0.8, 0.1), (0.2, 0.2, 0.6)]
NAMES = ["a", "b", "c"]


def rows(labels, times=4):
    return [
        {"text": f"text {place} of {turn}", "label": label}
        for turn in range(times)
        for place, label in enumerate(labels)
    ]


def columns(values, times=4):
    return [
        {
            "text": f"text {place} of {turn}",
            **dict(zip(NAMES, row, strict=True)),
        }
        for turn in range(times)
        for place, row in enumerate(values)
    ]


def looked_at(data, label=None, **options):
    found, goal = sources.read(data, ["text"], label, None, Options(**options))
    return survey.look(found, "d", goal)


@pytest.mark.parametrize(
    ("data", "label", "options", "goal", "labels", "reason"),
    [
        (rows(["x", "y"]), None, {}, OneClass, "xy", "are names"),
        (rows([3, 1, 2]), None, {}, OneClass, "123", "--kind=regression"),
        (rows([1.5, 1, 2]), None, {}, Number, "", "with fractions"),
        (rows([3, 1]), None, {"kind": "regression"}, Number, "", "as told"),
        (rows(["x;y", "y"]), None, {}, SeveralLabels, "xy", "';'"),
        (rows(["x|y", "y|z", "z|x"]), None, {}, SeveralLabels, "xyz", r"'\|'"),
        # Of "x;y" no part stands elsewhere: it is a name.
        (rows(["x;y", "z"]), None, {}, OneClass, ["x;y", "z"], "are names"),
        (
            rows(["x,y", "y", ""]),
            None,
            {"kind": "multi_label"},
            SeveralLabels,
            "xy",
            "as told",
        ),
        (
            rows(["x/y", "y"]),
            None,
            {"label_separator": "/"},
            SeveralLabels,
            "xy",
            "as told",
        ),
        (rows([["x", "y"], [], ["x"]]), None, {}, SeveralLabels, "xy", "lists"),
        (columns(YES_NO), NAMES, {}, LabelColumns, "abc", "1 and 0"),
        (columns(ONE_HOT), NAMES, {}, SoftClasses, "abc", "one is true"),
        (columns(SHARES), NAMES, {}, SoftClasses, "abc", "one is true"),
        (
            columns(SHARES),
            NAMES,
            {"soft_labels": "logits"},
            SoftClasses,
            "abc",
            "one is true",
        ),
        (
            columns([(0.7, 0.9, 0.1), (0.1, 0.2, 0.8)]),
            NAMES,
            {"kind": "multi_label"},
            LabelColumns,
            "abc",
            "as told",
        ),
    ],
)
def test_what_labels_ask_for(
    data, label, options, goal, labels, reason, tmp_path
):
    report = looked_at(data, label, **options)
    assert type(report.goal) is goal
    assert report.goal.labels(report.examples) == tuple(labels)
    assert any(reason.replace("\\", "") in line for line in report.lines())
    # What is written is read back as the same, by the task of the goal.
    path = tmp_path / f"d{goal.suffix}"
    path.write_text(report.goal.content(report.examples), "utf-8")
    task = report.goal.task(path, 1, tuple(labels))
    examples = read_task(task, "all")
    assert [one.texts for one in examples] == [r.texts for r in report.examples]
    if not labels:
        wanted = [float(row.label) for row in report.examples]
    elif task.kind == "multi_label":
        wanted = [
            tuple(float(x in report.goal.names(row)) for x in labels)
            for row in report.examples
        ]
        examples_labels = [tuple(map(round, one.label)) for one in examples]
        assert examples_labels == wanted
        return
    else:
        wanted = [
            tuple(labels).index(report.goal.names(row)[0])
            for row in report.examples
        ]
    assert [one.label for one in examples] == wanted


LINES = [
    {"text": "Ada saw Rome.", "spans": [(0, 3, "PER"), (8, 12, "LOC")]},
    {"text": "Nothing is here.", "spans": []},
]


def write_spans(path):
    with path.open("w", encoding="utf-8") as file:
        for turn in range(4):
            for line in LINES:
                spans = [
                    dict(zip(("start", "end", "label"), one, strict=True))
                    for one in line["spans"]
                ]
                row = {"text": f"{line['text']} {turn}", "spans": spans}
                file.write(json.dumps(row) + "\n")


def write_conll(path):
    sentence = "Ada I-PER\nsaw O\nNew B-LOC\nYork I-LOC\n{} O\n\n"
    path.write_text("".join(sentence.format(n) for n in range(4)))


@pytest.mark.parametrize(
    ("name", "write", "begin"),
    [("d.jsonl", write_spans, False), ("d.conll", write_conll, True)],
)
def test_tagged_texts(name, write, begin, tmp_path):
    write(tmp_path / name)
    report = looked_at(tmp_path / name)
    assert type(report.goal) is Tags
    assert report.labels == {"LOC": 4, "PER": 4}
    lines = "\n".join(report.lines())
    assert ("begin with I-" in lines) is begin
    path = tmp_path / "again.jsonl"
    path.write_text(report.goal.content(report.examples), "utf-8")
    task = report.goal.task(path, 1, report.goal.labels(report.examples))
    for one, row in zip(read_task(task, "all"), report.examples, strict=True):
        assert (one.text, one.words) == (row.label.text, row.label.words)
        expected = [tag.replace("I-PER", "B-PER") for tag in row.label.tags]
        assert list(one.tags) == expected


def test_rare_labels_are_in_each_split():
    labels = [["x"], ["x", "y"], ["x"], [], ["x"], ["x", "y", "z"]]
    report = looked_at(rows(labels, 10))
    strata = report.goal.strata(report.examples)
    parts = split(report.examples, strata)
    for name in SPLITS:
        counts = collections.Counter(
            label for row in parts[name] for label in row.label
        )
        assert {*counts} == {"x", "y", "z"}


def test_low_and_high_numbers_are_in_each_split():
    report = looked_at(rows([x + 0.5 for x in range(100)], 1))
    parts = split(report.examples, report.goal.strata(report.examples))
    for name in SPLITS:
        values = [float(row.label) for row in parts[name]]
        assert min(values) < 15
        assert max(values) > 85


@pytest.mark.parametrize(
    ("data", "label", "options", "message"),
    [
        (columns(YES_NO), NAMES, {"kind": "regression"}, "names 3 columns"),
        (columns(YES_NO), NAMES, {"kind": "classification"}, "sum to 2"),
        (
            columns([(0.5, 0.2, 0.2), (0, 1, 0)]),
            NAMES,
            {},
            "row 0: the probabilities 0.5, 0.2, 0.2 sum to 0.9, expected 1",
        ),
        (columns([(1, float("nan"), 0)]), NAMES, {}, "row 0: .* column 'b'"),
        (columns([(1, 0, 0), (1, 1, 0)]), NAMES, {}, "no row has 'c'"),
        (columns(SHARES), ["a,b", "c"], {}, "no column 'a,b'"),
        (rows(["x", "y"]), None, {"soft_labels": "logits"}, "for each class"),
        (rows(["1.5", "y"]), None, {"kind": "regression"}, "row 1: score 'y'"),
        (rows([1.5, float("inf")]), None, {}, "row 1: score 'inf' is not a"),
        (rows(["2.5"]), None, {}, "every number is 2.5"),
        (rows([["x", "x"], ["y"]]), None, {}, "row 0: the labels are x, x"),
        (rows([["x"], ["X"]]), None, {}, "'x' .row 0. and 'X' .row 1. differ"),
        (rows([["x"]]), None, {}, "the labels are x; expected two"),
        (
            rows([["x"], ["y"]]),
            None,
            {"kind": "classification"},
            "row 0: the label is a list, and --kind=classification",
        ),
        (
            rows(["x;y", "y"]),
            None,
            {"kind": "classification", "label_separator": ";"},
            "--label_separator is ';' and --kind=classification",
        ),
        (
            [*rows([["x", "y"]]), {"text": "one", "label": ["z"]}],
            None,
            {},
            r"'z' has 1 text \(row 4\)",
        ),
        (
            rows(["x"]),
            None,
            {"kind": "token_classification"},
            "no column 'tags'",
        ),
        (
            rows(["x"]),
            None,
            {"kind": "token_classification", "label_separator": ";"},
            "have no --label_separator, --prob",
        ),
    ],
)
def test_refused(data, label, options, message):
    with pytest.raises(UserError, match=message):
        looked_at(data, label, **options)


def both(*values):
    """Rows of a label and probabilities, four times with other texts."""
    return [
        {"text": f"text {place} of {turn}", "label": label} | shares(numbers)
        for turn in range(4)
        for place, (label, numbers) in enumerate(values)
    ]


def shares(numbers):
    return dict(zip(NAMES, numbers or ("", "", ""), strict=True))


def looked_at_both(data, label="label", classes=NAMES, **options):
    options = Options(**options)
    found, goal = sources.read(data, ["text"], label, None, options, classes)
    return survey.look(found, "d", goal)


def test_labels_and_probabilities(tmp_path):
    report = looked_at_both(
        both(
            ("a", (0.5, 0.25, 0.25)),
            ("b", (0.5, 0.375, 0.125)),  # It is learned that "a" is likelier.
            ("c", None),
            (None, (0.125, 0.25, 0.625)),
            (None, None),
        )
    )
    assert report.labels == {"c": 8, "a": 4, "b": 4}
    assert len(report.unlabelled) == 4
    goal = report.goal
    lines = report.lines()
    assert "4 rows have no probabilities, and teach their label" in lines
    assert any("in 4 rows another class is likelier" in one for one in lines)
    path = tmp_path / "train.jsonl"
    path.write_text(goal.content(report.examples))
    made = read_task(goal.task(path, 1, goal.labels(report.examples)), "all")
    assert [(one.label, one.soft) for one in made[:4]] == [
        (0, (0.5, 0.25, 0.25)),
        (1, (0.5, 0.375, 0.125)),
        (2, None),
        (2, (0.125, 0.25, 0.625)),
    ]
    spec = DataSpec(**goal.data(path, 1), eval_file=str(path))
    assert read_task(task_of(spec), "all") == made


def test_a_class_may_be_called_label(tmp_path):
    data = [
        {"text": f"{number}", "y": name, "label": one, "text_": 1 - one}
        for number in range(3)
        for name, one in (("label", 1), ("text_", 0))
    ]
    for row in data:
        row["text"] += row["y"]
    report = looked_at_both(data, "y", ["label", "text_"])
    (tmp_path / "a.jsonl").write_text(report.goal.content(report.examples))
    task = report.goal.task(tmp_path / "a.jsonl", 1, ("label", "text_"))
    assert [one.label for one in read_task(task, "all")][:2] == [0, 1]


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ([("d", (1, 0, 0))], {}, "row 0: the label 'd' has no column of prob"),
        ([("a", (1, 1, 0))], {}, "row 0: the probabilities .* sum to 2"),
        ([("a", (1, "", 0))], {}, "row 0: '' in column 'b' is no finite"),
        ([("a", None)], {"kind": "multi_label"}, "one label of several class"),
        (
            [("a", None)],
            {"label": ["label", "c"], "classes": ["a", "b"]},
            "one label of several",
        ),
        ([("a", None)], {"classes": ["a"]}, "expected a column for each class"),
    ],
)
def test_labels_and_probabilities_refused(values, options, message):
    with pytest.raises(UserError, match=message):
        looked_at_both(both(*values), **options)


def test_bad_options():
    with pytest.raises(UserError, match="--kind is 'x', expected classif"):
        Options(kind="x")
    with pytest.raises(UserError, match="--patience is 2, expected 0 without"):
        Options(patience=2)
    with pytest.raises(UserError, match="--soft_labels is 'x'"):
        Options(soft_labels="x")


@pytest.mark.parametrize("number", [3, 6, 20, 40])
def test_few_numbers_are_for_training(number):
    report = looked_at(
        [{"text": f"t{n}", "label": n + 0.5} for n in range(number)]
    )
    parts = split(report.examples, report.goal.strata(report.examples))
    sizes = {name: len(part) for name, part in parts.items()}
    tenth = max(1, int(number / 10 + 0.5))
    assert sizes["validation"] == sizes["test"] == tenth


def test_votes_that_are_the_same_number_agree():
    data = columns(ONE_HOT)
    data.append({"text": data[0]["text"], "a": "1.0", "b": "0.00", "c": "0"})
    report = looked_at(data, NAMES)
    assert (report.duplicates, report.conflicts) == (1, ())


@pytest.mark.parametrize("text", ["one\rtwo", 'a "b"\r\nc', "\r"])
def test_a_carriage_return_stays_in_its_text(text, tmp_path):
    report = looked_at(
        [{"text": f"x{text}{n}", "label": "ab"[n % 2]} for n in range(6)]
    )
    path = tmp_path / "d.csv"
    path.write_bytes(report.goal.content(report.examples).encode())
    task = report.goal.task(path, 1, ("a", "b"))
    texts = [example.texts for example in read_task(task, "all")]
    assert texts == [row.texts for row in report.examples]


@pytest.mark.parametrize("sign", ["\0", "\ud800"])
def test_what_no_file_holds_is_refused(sign):
    with pytest.raises(UserError, match=r"row 0: the character U\+[0D]"):
        looked_at(rows([f"a{sign}", "b"]))
    with pytest.raises(UserError, match=r"row 1: the character U\+[0D]"):
        looked_at([*rows(["a"], 1), {"text": f"{sign}x", "label": "b"}])
