"""Save and load how a fine-tuned model reads a task."""

import dataclasses
import os
import pathlib

from tfminilm import files, json_files
from tfminilm.errors import UserError
from tfminilm.tasks import windows
from tfminilm.tasks.task import TASKS, Task

SETTINGS = "tfminilm.json"

_SHAPE = {
    "task": str,
    "kind": str,
    "labels": [str],
    "max_length": int,
    "doc_stride?": int,
    "null_threshold?": (float, None),
    "num_texts?": int,
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a fine-tuned model reads a task; saved beside it.

    `num_texts` is 2 where it reads two together, such as a pair of sentences.
    `null_threshold` is SQuAD 2.0's: an answer that is this much less likely
    than "no answer" is not given. `None` where every question has one.
    """

    task: str
    kind: str
    labels: tuple[str, ...]
    max_length: int
    doc_stride: int = windows.DOC_STRIDE
    null_threshold: float | None = None
    num_texts: int = 1

    @classmethod
    def of(
        cls, task: Task, max_length: int, doc_stride: int = windows.DOC_STRIDE
    ) -> "Settings":
        """Return those of a model that is to be fine-tuned on `task`.

        Args:
            task: what it learns.
            max_length: tokens of the longest sequence.
            doc_stride: tokens from one window on a context to the next.
        """
        return cls(
            task=task.name,
            kind=task.kind,
            labels=task.labels,
            max_length=max_length,
            doc_stride=doc_stride,
            null_threshold=0.0 if task.has_impossible else None,
            num_texts=len(task.texts),
        )

    def save(self, folder: str | os.PathLike) -> None:
        """Write them into a model's folder."""
        path = pathlib.Path(folder) / SETTINGS
        files.write_json(path, dataclasses.asdict(self))

    @classmethod
    def load(cls, folder: str | os.PathLike) -> "Settings":
        """Read them from a model's folder.

        Raises:
            UserError: there are none, or they are damaged.
        """
        path = pathlib.Path(folder) / SETTINGS
        if not path.is_file():
            raise UserError(
                f"{folder} was not fine-tuned on a task: it has no {SETTINGS}; "
                "use tfminilm finetune first"
            )
        content = json_files.read(path, _SHAPE, "fine-tune the model again")
        if content["task"] in TASKS:  # Older files do not have it.
            content["num_texts"] = len(TASKS[content["task"]].texts)
        return cls(
            **{
                field.name: content[field.name]
                for field in dataclasses.fields(cls)
                if field.name in content
            }
            | {"labels": tuple(content["labels"])}
        )
