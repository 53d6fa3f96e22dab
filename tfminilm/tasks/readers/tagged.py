"""Make a task of a user's own file of tagged texts, and read it.

"conll:FILE" has a word and its tag a line, "spans:FILE" a text a line of JSON.
"""

import logging
import os
import pathlib
from collections.abc import Sequence

from tfminilm.errors import UserError
from tfminilm.tasks import entities
from tfminilm.tasks.example import PlacedText, TaggedText
from tfminilm.tasks.kinds import KINDS
from tfminilm.tasks.readers import conll, spans
from tfminilm.tasks.readers.csv_file import held_out
from tfminilm.tasks.task import Files, Task

_LOG = logging.getLogger(__name__)

KIND = "token_classification"
READERS = {"conll": conll.read, "spans": spans.read}


def tagged_task(
    name: str,
    columns: tuple[str, str] = ("", ""),
    labels: Sequence[str] | None = None,
    eval_path: str | os.PathLike | None = None,
) -> Task:
    """Make a task of a user's own file of tagged texts.

    The task's splits are "train" and "validation", and "all" for every text of
    the file. Validation is `eval_path`, or else a tenth of the texts, always
    the same ones, which "train" then leaves out.

    Args:
        name: "conll:FILE" or "spans:FILE".
        columns: of CoNLL's the numbers, from 1, of the word's and the tag's;
            by default the first and the last.
        labels: the tags by index; if None, those found in the file, and "O".
        eval_path: a file of the same form.

    Raises:
        UserError: `labels` is None, and the file is not as it should be, or
            has no entities.
    """
    prefix, _, file = name.partition(":")
    if labels is None:
        texts = READERS[prefix](pathlib.Path(file), columns)
        tags = {tag for text in texts for tag in text.example.tags or ()}
        _tell_begun(texts, file)
        labels = entities.complete(tags, file)
    validation = file if eval_path is None else os.fspath(eval_path)
    names = {"train": (file,), "validation": (validation,), "all": (file,)}
    return Task(
        name=name,
        kind=KIND,
        metrics=KINDS[KIND].metrics_of(labels),
        files=(Files(names, reader=prefix, columns=columns),),
        labels=tuple(labels),
        texts=("text",),
        label="tags",
        test_splits=("all",),
    )


def _tell_begun(texts: Sequence[PlacedText], file: str) -> None:
    """Log that entities begin with "I-", which may be a mistake."""
    counts = [
        (entities.begin_inside(example.tags or ()), place)
        for place, example in texts
    ]
    if places := [place for count, place in counts if count]:
        _LOG.warning(
            "%s: entities that begin with I- are taken to begin there: %d, "
            "the first in %s; write B- for an entity's first word",
            file,
            sum(count for count, _ in counts),
            places[0],
        )


def read(task: Task, split: str) -> list[TaggedText]:
    """Read the texts of a split of a `tagged_task`; ids are numbers from 0.

    Raises:
        UserError: the file is missing or not as it should be, a tag is none
            of the task's, or no text is left for the split. The message names
            the file and the line.
    """
    files = task.files[0]
    path = files.names[split][0]
    columns = (files.columns[0], files.columns[1])
    examples = []
    for place, example in READERS[files.reader](pathlib.Path(path), columns):
        for tag in example.tags or ():
            if tag not in task.labels:
                raise UserError(
                    f"{place}: tag {tag[:60]!r} is not of {task.name}; "
                    f"expected one of {', '.join(task.labels)}"
                )
        examples.append(example)
    if split != "all" and files.names["train"] == files.names["validation"]:
        rows = held_out(len(examples))
        examples = [
            example
            for index, example in enumerate(examples)
            if (index in rows) == (split == "validation")
        ]
    if not examples:
        raise UserError(
            f"{path} has too few texts to keep one of ten for validation; "
            "name a file to validate on"
        )
    return examples
