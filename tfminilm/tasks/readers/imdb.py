"""Read IMDb's folders: one file a review, in a folder for each class."""

import pathlib

from tfminilm.errors import UserError
from tfminilm.tasks.example import Example
from tfminilm.tasks.readers import paths
from tfminilm.tasks.task import Task


def read(task: Task, folder: pathlib.Path) -> list[Example]:
    """Read the reviews of a split, class after class; ids are as "neg/0_3".

    Raises:
        UserError: a class' folder is missing or holds no review, or a review
            is empty or not UTF-8.
    """
    return [
        Example(
            id=f"{name}/{path.stem}",
            texts=(paths.text(path).strip(),),
            label=label,
        )
        for label, name in enumerate(task.labels)
        for path in _reviews(folder / name)
    ]


def _reviews(folder: pathlib.Path) -> list[pathlib.Path]:
    files = sorted(folder.glob("*.txt"), key=_number)
    if not files:
        raise UserError(
            f"{folder} holds no review; expected *.txt files, as in aclImdb"
        )
    return files


def _number(path: pathlib.Path) -> tuple[int, str]:
    """Return a sorting key for "{number}_{stars}.txt": 2_7 before 10_8."""
    number = path.stem.partition("_")[0]
    return int(number) if number.isdecimal() else -1, path.name
