"""Read examples from TensorFlow Datasets."""

from typing import TYPE_CHECKING, Any

import numpy as np

from tfminilm.data import tfds_text
from tfminilm.errors import UserError
from tfminilm.tasks.example import Example, QAExample
from tfminilm.tasks.kinds.regression import check_score
from tfminilm.tasks.readers import squad
from tfminilm.tasks.task import Task

if TYPE_CHECKING:
    import tensorflow_datasets as tfds


def read(
    task: Task, split: str, language: str = "", skip_bad_answers: bool = False
) -> list[Any]:
    """Read the examples of a split: GLUE's by their index, others as stored.

    Raises:
        UserError: the data set is not on this machine and cannot be
            downloaded, lacks the split, the language or the label's names, or
            holds what the readers of files refuse too.
    """
    if "-" in language:
        raise UserError(
            f"TFDS has {task.name} with context and question in one language, "
            f"not {language}; give the folder of its original files"
        )
    builder = tfds_text.prepared(task.tfds.format(language=language))
    source = f"TFDS data set {builder.info.full_name}, {split}"
    if split not in builder.info.splits:
        raise UserError(
            f"{source}: no such split; it has {', '.join(builder.info.splits)}"
        )
    rows = builder.as_dataset(split=split, shuffle_files=False)
    stored = list(rows.as_numpy_iterator())
    if task.files[0].reader == "squad":
        questions = [_question(row) for row in stored]
        return squad.check(task, questions, source, skip_bad_answers)
    indices = [row.get("idx", i) for i, row in enumerate(stored)]
    names = _label_names(task, builder, source)
    return [
        Example(
            id=str(indices[i]),
            texts=tuple(
                _text(stored[i][key], language)
                for key in task.tfds_texts or task.texts
            ),
            label=_label(task, stored[i]["label"], names, source, indices[i]),
        )
        for i in np.argsort(indices, kind="stable")
    ]


def _question(row: dict[str, Any]) -> QAExample:
    answers = tuple(text.decode() for text in row["answers"]["text"])
    return QAExample(
        id=row["id"].decode(),
        question=row["question"].decode(),
        context=row["context"].decode(),
        answers=answers,
        answer_starts=tuple(map(int, row["answers"]["answer_start"])),
        is_impossible=bool(row.get("is_impossible", False)),
    )


def _text(value: bytes | dict, language: str) -> str:
    """Decode a text, in XNLI's two kinds of translations that of `language`."""
    if isinstance(value, dict) and "translation" in value:
        place = list(value["language"]).index(language.encode())
        return value["translation"][place].decode()
    return (value[language] if isinstance(value, dict) else value).decode()


def _label_names(
    task: Task, builder: "tfds.core.DatasetBuilder", source: str
) -> list[str]:
    if not task.labels:
        return []
    names = builder.info.features["label"].names
    if set(names) != set(task.labels):
        raise UserError(
            f"{source}: its labels are {', '.join(names)}, those of "
            f"{task.name} {', '.join(task.labels)}"
        )
    return names


def _label(
    task: Task, value: int | float, names: list[str], source: str, index: int
) -> int | float | None:
    """Read a label; TFDS writes -1 where there is none."""
    if value == -1:
        return None
    if names:
        return task.labels.index(names[int(value)])
    check_score(task, float(value), f"{source}, example {index}")
    return float(value)
