"""Save and load how a fine-tuned model reads a task."""

import dataclasses
import os
import pathlib
from typing import TYPE_CHECKING, Any

from tfminilm import files, json_files
from tfminilm.errors import UserError
from tfminilm.tasks import windows
from tfminilm.tasks.task import TASKS, Task

if TYPE_CHECKING:
    from tfminilm.teachers.heads import Head

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
# What `tfminilm export` wrote beside a head before there was `SETTINGS`.
_MANIFEST = "manifest.json"
_MANIFEST_SHAPE = {
    "task_name?": (str, None),
    "num_texts?": int,
    "question_answering?": (
        {"document_stride": int, "null_threshold": (float, None)},
        None,
    ),
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """Describe how a fine-tuned model reads a task; saved beside it.

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
        from tfminilm.teachers.heads import find_head  # Late: it needs Keras.

        path = pathlib.Path(folder) / SETTINGS
        head = find_head(folder)
        if not path.is_file():
            if head is not None:
                return _of_head(head, pathlib.Path(folder))
            raise UserError(
                f"{folder} was not fine-tuned on a task: it has no {SETTINGS}; "
                "use tfminilm finetune first"
            )
        content = json_files.read(path, _SHAPE, "fine-tune the model again")
        if content["task"] in TASKS:  # Older files do not have it.
            content["num_texts"] = len(TASKS[content["task"]].texts)
        settings = cls(
            **{
                field.name: content[field.name]
                for field in dataclasses.fields(cls)
                if field.name in content
            }
            | {"labels": tuple(content["labels"])}
        )
        of_task = settings.kind, settings.labels
        if head and (head.kind, head.labels) != of_task:
            raise UserError(
                f"{path} is for {_in_words(settings)}, and config.json beside "
                f"it for {_in_words(head)}: expected the files of one model"
            )
        return settings

    def without_path(self) -> "Settings":
        """Return them with the name of a user's file, without its folders."""
        kind, colon, path = self.task.partition(":")
        if not colon:
            return self
        task = f"{kind}:{pathlib.Path(path).stem}"
        return dataclasses.replace(self, task=task)


def has_head(folder: str | os.PathLike) -> bool:
    """Tell whether a model's folder holds a head for a task.

    Raises:
        UserError: it is a Hugging Face folder whose head is not read.
    """
    from tfminilm.teachers.heads import find_head  # Late: it needs Keras.

    path = pathlib.Path(folder)
    return (path / "task.json").is_file() or find_head(folder) is not None


def _in_words(model: "Settings | Head") -> str:
    return ", ".join(model.labels) or model.kind


def _of_head(head: "Head", folder: pathlib.Path) -> Settings:
    """Make settings of what a Hugging Face folder says, or its manifest."""
    manifest: dict[str, Any] = {}
    if (folder / _MANIFEST).is_file():
        manifest = json_files.read(folder / _MANIFEST, _MANIFEST_SHAPE)
    task = manifest.get("task_name") or head.task or folder.resolve().name
    num_texts = len(TASKS[task].texts) if task in TASKS else head.num_texts
    answers = manifest.get("question_answering") or {}
    stride = min(windows.DOC_STRIDE, head.max_length // 3)
    return Settings(
        task=task,
        kind=head.kind,
        labels=head.labels,
        max_length=head.max_length,
        doc_stride=answers.get("document_stride", stride),
        null_threshold=answers.get("null_threshold"),
        num_texts=manifest.get("num_texts", num_texts),
    )
