"""Predictions in the form that the leaderboards of GLUE and SQuAD take."""

import math
import os
import pathlib
from collections.abc import Mapping, Sequence

from tfminilm import files
from tfminilm.errors import UserError
from tfminilm.tasks.task import Task


def write_glue(
    task: Task,
    split: str,
    ids: Sequence[str],
    predictions: Sequence[int | float],
    folder: str | os.PathLike,
) -> pathlib.Path:
    """Writes a test split's predictions, such as `MNLI-m.tsv`.

    Two columns, `index` and `prediction`, sorted by index. Classes are written
    as the task's own files write them ("entailment", "1"); scores with three
    decimals and cut to the task's range.

    Args:
        ids: the examples' ids, which are their indices.
        predictions: class indices, or scores.

    Returns:
        The file's path; the folder is made if there is none.

    Raises:
        UserError: the leaderboard takes no file for this split, the lengths
            differ, an id is no index or comes twice, a prediction is no class
            or no finite number, or the file cannot be written.
    """
    if split not in task.submission:
        known = ", ".join(task.submission) or "none"
        raise UserError(
            f"GLUE's leaderboard takes no file for {task.name}'s {split}; "
            f"of this task it takes {known}"
        )
    if len(ids) != len(predictions):
        raise UserError(
            f"{task.name}: {len(predictions)} predictions for {len(ids)} "
            "examples"
        )
    rows: dict[int, str] = {}
    for name, prediction in zip(ids, predictions, strict=True):
        if not name.isdecimal() or int(name) in rows:
            raise UserError(
                f"{task.name}: id {name!r} is not an index, or comes twice"
            )
        rows[int(name)] = _written(task, prediction)
    lines = ["index\tprediction"]
    lines += [f"{index}\t{rows[index]}" for index in sorted(rows)]
    path = pathlib.Path(folder).expanduser() / task.submission[split]
    files.write_text(path, "\n".join(lines) + "\n")
    return path


def write_squad(
    predictions: Mapping[str, str],
    path: str | os.PathLike,
    no_answer_probs: Mapping[str, float] | None = None,
    no_answer_path: str | os.PathLike | None = None,
) -> None:
    """Writes answers by question id as JSON; "" says that there is none.

    Args:
        no_answer_probs: SQuAD 2.0's second file, written to `no_answer_path`:
            for each question how sure it is that it has no answer.

    Raises:
        UserError: only one of the last two is given, or a file cannot be
            written.
    """
    if (no_answer_probs is None) != (no_answer_path is None):
        raise UserError("give no_answer_probs and no_answer_path together")
    files.write_json(path, dict(predictions))
    if no_answer_probs is not None and no_answer_path is not None:
        probs = {name: float(p) for name, p in no_answer_probs.items()}
        files.write_json(no_answer_path, probs)


def _written(task: Task, prediction: int | float) -> str:
    if task.kind == "classification":
        names = task.file_labels or task.labels
        if prediction not in range(len(names)):
            raise UserError(
                f"{task.name}: prediction {prediction} is not one of the "
                f"classes 0 to {len(names) - 1}"
            )
        return names[int(prediction)]
    if not math.isfinite(prediction):
        raise UserError(f"{task.name}: prediction {prediction} is not finite")
    least, greatest = task.score_range or (-math.inf, math.inf)
    return f"{min(max(float(prediction), least), greatest):.3f}"
