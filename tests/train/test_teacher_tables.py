"""A teacher's outputs from tables that others wrote."""

import json

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet
from scipy.special import log_softmax

from tfminilm import teachers
from tfminilm.errors import UserError
from tfminilm.methods import BiLSTMSoft, SentenceEmbedding, SoftTargets
from tfminilm.students import bert
from tfminilm.tasks.encode import encode_texts
from tfminilm.tasks.example import Example
from tfminilm.tasks.head_models import text_classifier
from tfminilm.tasks.readers import columns
from tfminilm.tasks.task import get_task
from tfminilm.train.outputs.opened import read_table, recorded_teacher
from tfminilm.train.recipe import DataSpec, Recipe

TEXTS = ("a good film", "a bad one", "so so")
SHARES = np.array([[0.9, 0.1], [0.25, 0.75], [0.5, 0.5]])
PAIR = "negative,positive"


def write(folder, suffix, rows):
    path = folder / f"outputs{suffix}"
    if suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif suffix == ".parquet":
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        names = list(rows[0])
        lines = [names, *([str(row[n]) for n in names] for row in rows)]
        path.write_text("".join("\t".join(line) + "\n" for line in lines))
    return path


def rows_of(values, name="p", texts=TEXTS):
    return [
        {"sentence": text, name: row}
        for text, row in zip(texts, values, strict=True)
    ]


def read(path, columns="p", labels=PAIR, head=True, task="sst2", **data):
    spec = DataSpec(
        source=f"task:{task}",
        teacher_outputs=str(path),
        teacher_columns=columns,
        **data,
    )
    recipe = Recipe(teacher_labels=labels, data=spec)
    return read_table(recipe, get_task(task), head)


@pytest.mark.parametrize("suffix", [".tsv", ".jsonl", ".parquet"])
def test_a_column_of_lists_is_read(suffix, tmp_path):
    path = write(tmp_path, suffix, rows_of(SHARES.tolist()))
    table = read(path)
    # Softened by any temperature they are the teacher's, softened.
    expected = log_softmax(np.log(SHARES) / 3, -1)
    np.testing.assert_allclose(
        log_softmax(table.values / 3.0, -1), expected, atol=1e-6
    )
    assert table.shapes == {"logits": (2,)}
    table = read(path, labels="positive,negative", soft_labels="logits")
    np.testing.assert_allclose(table.values, SHARES[:, ::-1], atol=1e-6)


def test_columns_are_found_by_the_names_of_classes(tmp_path):
    rows = [
        {"sentence": text, "positive": high, "negative": low}
        for text, (low, high) in zip(TEXTS, SHARES.tolist(), strict=True)
    ]
    table = read(write(tmp_path, ".tsv", rows), "positive,negative", "")
    np.testing.assert_allclose(np.exp(table.values), SHARES, atol=1e-6)


def test_texts_find_their_rows(tmp_path, tiny):
    values = np.arange(6.0).reshape(3, 2).tolist()
    path = write(tmp_path, ".jsonl", rows_of(values, "e"))
    table = read(path, "e", "", head=False)
    assert table.shapes == {"embedding": (1, 2)}
    texts = ["so  so", *TEXTS[:2], "so so"]
    examples = [Example(str(i), (x,), None) for i, x in enumerate(texts)]
    encoded = encode_texts(
        [(x,) for x in texts], teachers.load_tokenizer(tiny.teacher), 16
    )
    attached = table.attach(encoded, "texts", examples)
    (found,) = attached.outputs.of(np.arange(4)).values()
    np.testing.assert_array_equal(found[:, 0], [[4, 5], [0, 1], [2, 3], [4, 5]])
    with pytest.raises(
        UserError, match=r"augment_copies or data.unlabeled adds"
    ):
        table.attach(encoded, "texts", examples[1:])
    others = [Example("0", ("unheard of",), None)] * 4
    with pytest.raises(
        UserError,
        match=r"4 of the 4 of texts .* as 'unheard of': add rows",
    ):
        table.attach(encoded, "texts", others)


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ([0.5], "line 2: 1 numbers in p, expected 2, as negative, positive"),
        ([0.5, None], "line 2: 'None' in p is no finite number"),
        ("[0.5, NaN]", "line 2: 'nan' in p is no finite number"),
        ("[0.5, ", "line 2, column 'p': .* is no list of numbers"),
        (["a", 0.5], "line 2: 'a' in p is no finite number"),
        ([2.0, -1.0], "line 2: the probabilities are 2, -1, expected 0 to 1"),
        ([0.5, 0.2], "line 2: the probabilities 0.5, 0.2 sum to 0.7"),
    ],
)
def test_numbers_that_are_none_are_refused(value, fault, tmp_path):
    rows = rows_of([SHARES[0].tolist(), value, SHARES[2].tolist()])
    with pytest.raises(UserError, match=fault):
        read(write(tmp_path, ".jsonl", rows))


def test_what_does_not_fit_is_refused(tmp_path):
    path = write(tmp_path, ".jsonl", rows_of(SHARES.tolist()))
    for fault, arguments in {
        "expected the columns of the teacher's numbers": {"columns": ""},
        "numbers are of p, and the classes of sst2": {"labels": ""},
        "numbers are of a, b, and the classes of sst2": {"labels": "a,b"},
        "no key 'q'": {"columns": "q"},
        "gives numbers for each token": {"task": "squad_v2"},
    }.items():
        with pytest.raises(UserError, match=fault):
            read(path, **arguments)
    twice = rows_of(SHARES.tolist(), texts=(*TEXTS[:2], TEXTS[0]))
    with pytest.raises(UserError, match=r"line 3: .* other numbers in a row"):
        read(write(tmp_path, ".jsonl", twice))


def test_a_method_that_needs_more_is_refused(tmp_path):
    path = write(tmp_path, ".jsonl", rows_of(SHARES.tolist()))
    backbone = bert(1, 8, 2, vocabulary_size=20)
    student = text_classifier(backbone, 2, 0.0)
    table = read(path)

    def teacher(method, student=student, table=table):
        return recorded_teacher(table, method, (), backbone, student)

    assert teacher(SoftTargets()).output["logits"].shape == (None, 2)
    with pytest.raises(UserError, match="BiLSTMSoft compares logits, and the"):
        teacher(BiLSTMSoft())
    embeddings = read(path, head=False)
    with pytest.raises(
        UserError, match=r"outputs.jsonl alone: .* have 2 numbers"
    ):
        teacher(SentenceEmbedding(), backbone, embeddings)
    teacher(SentenceEmbedding(project=True), backbone, embeddings)


def test_a_table_of_labels_may_be_parquet(tmp_path):
    rows = [{"t": "one", "y": 1, "z": [0.5]}, {"t": "two", "y": None, "z": []}]
    path = write(tmp_path, ".parquet", rows)
    found = list(columns.rows(path, ["t", "y"]))
    assert found == [
        (f"{path}, row 1", {"t": "one", "y": "1"}),
        (f"{path}, row 2", {"t": "two", "y": ""}),
    ]
    with pytest.raises(UserError, match="no column 'w'"):
        list(columns.rows(path, ["w"]))
