"""Run a saved model, or a bundle, on all texts of a task's file."""

import pathlib

import numpy as np

from tfminilm import teachers
from tfminilm.errors import UserError
from tfminilm.export.bundle import reader
from tfminilm.export.bundle.evaluate import run
from tfminilm.tasks import heads
from tfminilm.tasks.batches import Batches
from tfminilm.tasks.evaluate import BATCH_SIZE, predict
from tfminilm.tasks.examples import read
from tfminilm.tasks.kinds import kind_of
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task
from tfminilm.teachers.load import run_folder

SPLIT = "all"


def outputs(model: pathlib.Path, task: Task) -> np.ndarray:
    """Return a model's logits `[examples, classes]` on a file's examples.

    Args:
        model: a bundle, a workdir or a preset folder with a head.
        task: made of the file.

    Raises:
        UserError: the model is none for the task, or damaged.
    """
    examples = read(task, SPLIT)
    if reader.is_bundle(model):
        bundle = reader.open_bundle(model)
        settings, tokenizer = bundle.settings, bundle.tokenizer
    else:
        folder = run_folder(model) / "student"
        settings = Settings.load(folder)
        tokenizer = teachers.load_tokenizer(folder)
    if settings is None or settings.labels != task.labels:
        raise UserError(
            f"{model} has not the labels {', '.join(task.labels)}: expected a "
            "model that was fine-tuned on them"
        )
    encoded = kind_of(task).encode(task, examples, tokenizer, settings)
    if reader.is_bundle(model):
        return np.stack(run(bundle.encoder, encoded))
    head = heads.load_head(folder)
    return np.stack(predict(head, Batches(encoded, BATCH_SIZE)))
