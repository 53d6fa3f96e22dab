"""Save and load how a fine-tuned model reads a task."""

import dataclasses
import math
import os
import pathlib
from collections.abc import Sequence
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
    "score_activation?": str,
    "thresholds?": [float],
    "temperature?": float,
    "unsure_below?": float,
}
# Left out where they are empty: they came later.
_LATER = ("score_activation", "thresholds", "temperature", "unsure_below")
_ANY_LABEL = "LABEL_0"
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
    `score_activation`, "linear" or "sigmoid", makes a cross-encoder's score of
    its logit; empty where the logit is the score. `thresholds` has for each
    of several labels the probability from which on it is given; 0.5 where it
    is empty. `temperature` is what the logits were divided by, in the model's
    weights, so that probabilities are calibrated; None where they were not.
    Where the likeliest class has less than `unsure_below`, the model is not
    sure; 0 where it always is.
    """

    task: str
    kind: str
    labels: tuple[str, ...]
    max_length: int
    doc_stride: int = windows.DOC_STRIDE
    null_threshold: float | None = None
    num_texts: int = 1
    score_activation: str = ""
    thresholds: tuple[float, ...] = ()
    temperature: float | None = None
    unsure_below: float = 0.0

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
        content = {
            name: value
            for name, value in dataclasses.asdict(self).items()
            if value or name not in _LATER
        }
        files.write_json(path, content)

    @classmethod
    def load(
        cls, folder: str | os.PathLike, labels: Sequence[str] = ()
    ) -> "Settings":
        """Read them from a model's folder.

        Args:
            folder: of a model with a head.
            labels: what its classes are called, in the order of its outputs,
                if the folder does not say so.

        Raises:
            UserError: there are none, or they are damaged; or the labels are
                others, or another number, than the model's.
        """
        settings, num_classes = cls._load(pathlib.Path(folder))
        return _named(settings, num_classes, labels, folder)

    @classmethod
    def _load(cls, folder: pathlib.Path) -> tuple["Settings", int]:
        """Return them, and the number of classes without a name."""
        from tfminilm.teachers.heads import find_head  # Late: it needs Keras.
        from tfminilm.teachers.task_presets import find_preset_head

        path = folder / SETTINGS
        head = find_head(folder)
        if not path.is_file():
            head = head or find_preset_head(folder)
            if head is not None:
                return _of_head(head, folder), head.num_classes
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
            | {"thresholds": tuple(content.get("thresholds", ()))}
        )
        _require_thresholds(settings, path)
        _require_calibration(settings, path)
        of_task = settings.kind, settings.labels
        if head and (head.kind, head.labels) != of_task:
            raise UserError(
                f"{path} is for {_in_words(settings)}, and config.json beside "
                f"it for {_in_words(head)}: expected the files of one model"
            )
        return settings, 0

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
        UserError: it holds a head that is not read.
    """
    from tfminilm.teachers.heads import find_head  # Late: it needs Keras.
    from tfminilm.teachers.task_presets import find_preset_head

    path = pathlib.Path(folder)
    if all((path / name).is_file() for name in (SETTINGS, "task.json")):
        return True
    return (find_head(path) or find_preset_head(path)) is not None


def _require_thresholds(settings: Settings, path: pathlib.Path) -> None:
    count, labels = len(settings.thresholds), len(settings.labels)
    is_right = all(0 <= value <= 1 for value in settings.thresholds)
    if count not in (0, labels) or not is_right:
        raise UserError(
            f"{path}: the thresholds are {settings.thresholds}, expected a "
            f"number from 0 to 1 for each of {labels} labels"
        )


def _require_calibration(settings: Settings, path: pathlib.Path) -> None:
    temperature, least = settings.temperature, settings.unsure_below
    if temperature is not None and not 0 < temperature < math.inf:
        raise UserError(
            f"{path}: the temperature is {temperature}, expected above 0"
        )
    if not 0 <= least <= 1:
        raise UserError(f"{path}: unsure_below is {least}, expected 0 to 1")


def _in_words(model: "Settings | Head") -> str:
    labels = ", ".join(model.labels)
    return f"{model.kind} of {labels}" if labels else model.kind


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
        score_activation=head.score_activation,
    )


def _named(
    settings: Settings,
    num_classes: int,
    labels: Sequence[str],
    folder: str | os.PathLike,
) -> Settings:
    """Give a model's classes the names that its folder does not say."""
    count = num_classes or len(settings.labels)
    if not labels:
        if not num_classes:
            return settings
        raise UserError(
            f"{folder} does not name its {count} classes: give their names in "
            "the order of its outputs, such as --labels=a,b (in a recipe "
            "teacher_labels=a,b)"
        )
    if len({*labels}) < len(labels) or len(labels) != count or not all(labels):
        raise UserError(
            f"the labels are {', '.join(labels)}, and {folder} has "
            f"{count or 'no'} classes: expected a name for each, or no labels"
        )
    names = settings.labels
    if names and names[0] != _ANY_LABEL and names != tuple(labels):
        raise UserError(
            f"the labels are {', '.join(labels)}, and {folder} says "
            f"{', '.join(names)}: give no labels, as it names its own"
        )
    return dataclasses.replace(settings, labels=tuple(labels))
