"""Models that serve: small real ones, and one that a test steers."""

import threading
import time

import make_hugging_face as made
import pytest

from tfminilm.errors import UserError
from tfminilm.inference.model import TextModel
from tfminilm.inference.runtimes import KerasRuntime
from tfminilm.tasks.predictions import ScorePrediction
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import get_task

TASKS = {"classifier": "sst2", "span": "squad", "score": "stsb"}


@pytest.fixture(scope="session")
def make_model(randomise):
    """`make_model(head)`: a small BERT with that head, ready to be asked."""

    def make(head):
        task = get_task(TASKS[head])
        model = randomise(made.student(f"bert_{head}"))
        settings = Settings(
            task.name, task.kind, task.labels, 16, 4, num_texts=len(task.texts)
        )
        runtime = KerasRuntime(model, model, 16)
        return TextModel(head, runtime, made.tokenizer(), settings, 16)

    return make


class Steered:
    """A model that says how long a text is, when the test lets it.

    It has a token for each letter, refuses "bad" and breaks on "broken".
    """

    source, task, labels, precision = "steered", "regression", (), "float32"
    reads_pairs = embeds = False
    counts_quickly = True
    lengths, max_length = (4, 8), 8

    def __init__(self):
        self.batches = []
        self.seconds = 0.0
        self.may_run = threading.Event()
        self.may_run.set()
        self.has_begun = threading.Event()

    def token_counts(self, rows):
        return [min(len(text), 8) for (text,) in rows]

    def predict(self, texts, progress=True):
        self.has_begun.set()
        assert self.may_run.wait(10)
        self.batches.append(list(texts))
        time.sleep(self.seconds)
        if "bad" in texts:
            raise UserError("the text is bad")
        if "broken" in texts:
            raise RuntimeError("a secret of the server")
        return [ScorePrediction(float(len(text))) for text in texts]


@pytest.fixture
def steered():
    return Steered()
