"""Running a task's examples through a bundle."""

import numpy as np
import pytest

from tfminilm.errors import UserError
from tfminilm.export.bundle import evaluate
from tfminilm.export.bundle.evaluate import TaskExamples, run
from tfminilm.export.check import calibration
from tfminilm.export.manifest import Evaluation
from tfminilm.tasks.example import Example
from tfminilm.tasks.task import get_task
from tfminilm.train.score import Data


def test_outputs_of_each_sequence(tokenizer):
    _, encoded = calibration.encode(tokenizer, [("no",), ("the", "cat")], 8)

    def lengths(token_ids, segment_ids):
        assert segment_ids.shape == token_ids.shape
        return {"logits": np.array([[len(token_ids), segment_ids.sum()]])}

    counts = []
    found = run(lengths, encoded, counts.append)
    # [CLS] no [SEP], and [CLS] the [SEP] cat [SEP].
    np.testing.assert_array_equal(found, [[3, 0], [5, 2]])
    assert counts == [1, 2]


def test_broken_weights(tokenizer):
    _, encoded = calibration.encode(tokenizer, [("no",)], 8)

    def broken(*_):
        return {"logits": np.array([[0.0, np.nan]])}

    with pytest.raises(UserError, match="bundle's output is not finite"):
        run(broken, encoded)


def test_texts_of_a_task_that_is_trained_on_another(monkeypatch):
    asked = []

    def read(self, task, split):
        asked.append((task.name, split, self.language, self.max_examples))
        return [Example("0", ("one", "two"), 0)]

    monkeypatch.setattr(Data, "read", read)
    data = Data(language="de", max_examples=9)
    assert TaskExamples(get_task("xnli"), data).texts() == [("one", "two")]
    assert TaskExamples(get_task("mrpc"), data).texts() == [("one", "two")]
    assert asked == [("mnli", "train", None, 9), ("mrpc", "train", "de", 9)]


def test_texts_are_spread_over_the_split(monkeypatch):
    examples = [Example(str(i), (str(i),), 0) for i in range(127)]
    monkeypatch.setattr(Data, "read", lambda *_: examples)
    texts = TaskExamples(get_task("sst2"), Data()).texts()
    assert texts == [(str(i),) for i in range(0, 127, 2)]


def test_a_score_names_what_it_is_of(monkeypatch):
    """A bundle's manifest says of which language, and of how many."""
    scores = {"validation": {"accuracy": 0.5}}
    monkeypatch.setattr(evaluate, "score_bundle", lambda *_: scores)
    of = TaskExamples(get_task("xnli"), Data(language="de", max_examples=9))
    assert of.evaluate(None) == Evaluation("xnli", "de", 9, scores)
