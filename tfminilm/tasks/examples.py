"""Read a task's examples from its files or from TensorFlow Datasets."""

import os
from typing import Any

from tfminilm.errors import UserError
from tfminilm.tasks.example import Example, QAExample
from tfminilm.tasks.kinds import kind_of
from tfminilm.tasks.readers import (
    csv_file,
    imdb,
    paths,
    squad,
    tagged,
    tfds,
    tsv,
)
from tfminilm.tasks.task import Task

__all__ = ["Example", "QAExample", "read"]


def read(
    task: Task,
    split: str,
    data_dir: str | os.PathLike | None = None,
    language: str | None = None,
    skip_bad_answers: bool = False,
) -> list[Any]:
    """Read all examples of a split, in an order that never changes.

    Args:
        split: one of `task.splits`, as TFDS calls them.
        data_dir: the folder of the original files (of GLUE's, the one that
            holds the tasks' folders, or a task's own); TFDS is read if None.
            A task of `csv_task` or `tagged_task` knows its file and needs
            neither.
        language: one of `task.languages`, the first if None. MLQA also takes
            a pair, the context's language first: "de-en".
        skip_bad_answers: leave out the answers that do not stand at their
            offset, and questions that have no other, and log how many.

    Returns:
        A list of `Example`; of `QAExample` for a task of kind "qa", and of
        `TaggedText` for one of kind "token_classification".

    Raises:
        UserError: the data is missing, cut, or not the task's. The message is
            one line and names the file and the line, or the question's id.
    """
    if split not in task.splits:
        trained = f"it is trained on {task.train_task}'s"
        raise UserError(
            f"{task.name} has no split {split!r}, only "
            f"{', '.join(task.splits)}"
            + (f"; {trained}" if task.train_split is None else "")
        )
    language = _language(task, language)
    if task.files[0].reader == "csv":
        return csv_file.read(task, split)
    if task.files[0].reader in tagged.READERS:
        return tagged.read(task, split)
    if data_dir is None:
        return tfds.read(task, split, language, skip_bad_answers)
    path, layout = paths.find(task, split, data_dir, language)
    if layout.reader == "squad":
        return squad.read(task, path, skip_bad_answers)
    if layout.reader == "imdb":
        return imdb.read(task, path)
    labelled = split not in task.test_splits
    return tsv.read(task, path, layout.columns, labelled, language)


def _language(task: Task, language: str | None) -> str:
    if language is None:
        return task.languages[0] if task.languages else ""
    if not task.languages:
        raise UserError(f"{task.name} has one language only; give none")
    pair = language.split("-")
    most = kind_of(task).most_languages
    if len(pair) > most or not set(pair) <= set(task.languages):
        raise UserError(
            f"{task.name} has no language {language!r}, only "
            f"{', '.join(task.languages)}"
        )
    return language
