import json

import numpy as np
import pytest

from tfminilm.errors import UserError
from tfminilm.tasks import TASKS, get_task
from tfminilm.tasks.submission import write_glue, write_squad

NAMES = ("CoLA SST-2 MRPC STS-B QQP MNLI-m MNLI-mm QNLI RTE WNLI AX").split()


def test_the_eleven_files_of_glue(tmp_path):
    for task in TASKS.values():
        for split in task.submission:
            write_glue(task, split, ["1", "0"], [0, 1], tmp_path / "new")
    written = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert written == sorted(f"{name}.tsv" for name in NAMES)


@pytest.mark.parametrize(
    ("name", "split", "predictions", "expected"),
    [
        ("cola", "test", [1, 0], ["1", "0"]),
        ("wnli", "test", [1, 0], ["1", "0"]),
        ("qqp", "test", np.array([1, 0]), ["1", "0"]),
        ("rte", "test", [1, 0], ["not_entailment", "entailment"]),
        ("ax", "test", [2, 1], ["contradiction", "neutral"]),
        ("mnli", "test_mismatched", [0, 2], ["entailment", "contradiction"]),
        ("stsb", "test", np.float32([2.3456, 5.2]), ["2.346", "5.000"]),
        ("stsb", "test", [-0.1, 0], ["0.000", "0.000"]),
    ],
)
def test_glue_is_sorted_by_index(tmp_path, name, split, predictions, expected):
    path = write_glue(get_task(name), split, ["10", "9"], predictions, tmp_path)
    first, second = expected
    content = f"index\tprediction\n9\t{second}\n10\t{first}\n"
    assert path.read_text() == content


@pytest.mark.parametrize(
    ("name", "split", "ids", "predictions", "message"),
    [
        ("rte", "train", ["0"], [0], "takes no file for rte's train"),
        ("imdb", "test", ["0"], [0], "for imdb's test; of this .* none"),
        ("rte", "test", ["0"], [0, 1], "2 predictions for 1 examples"),
        ("rte", "test", ["x"], [0], "id 'x' is not an index"),
        ("rte", "test", ["0", "0"], [0, 1], "comes twice"),
        ("rte", "test", ["0"], [2], "not one of the classes 0 to 1"),
        ("rte", "test", ["0"], [0.5], "not one of the classes 0 to 1"),
        ("rte", "test", ["0"], [-1], "not one of the classes 0 to 1"),
        ("stsb", "test", ["0"], [float("nan")], "nan is not finite"),
    ],
)
def test_bad_submissions_write_nothing(
    tmp_path, name, split, ids, predictions, message
):
    with pytest.raises(UserError, match=message):
        write_glue(get_task(name), split, ids, predictions, tmp_path)
    assert not list(tmp_path.iterdir())


def test_squad_json(tmp_path):
    answers = {"q1": "Fluß 😀", "q2": ""}
    path = tmp_path / "new/predictions.json"
    write_squad(answers, path)
    assert json.loads(path.read_text()) == answers
    assert "😀" in path.read_text()
    probs = {"q1": np.float32(0.25), "q2": 1}
    write_squad(answers, path, probs, tmp_path / "na.json")
    found = json.loads((tmp_path / "na.json").read_text())
    assert found == {"q1": 0.25, "q2": 1.0}
    with pytest.raises(UserError, match="together"):
        write_squad(answers, path, probs)
