"""Write predictions as the leaderboards of GLUE and SQuAD take them."""

import json
import os
import pathlib
from collections.abc import Mapping, Sequence

from tfminilm import files
from tfminilm.errors import UserError
from tfminilm.tasks.kinds import Result, kind_of
from tfminilm.tasks.task import Task


def write(
    task: Task, split: str, result: Result, folder: str | os.PathLike
) -> pathlib.Path | None:
    """Write predictions as the task's own leaderboard takes them.

    Returns:
        The file, or `None` if there is no such form for the split.

    Raises:
        UserError: a file cannot be written.
    """
    format = _FORMATS[kind_of(task).submission]
    return format(task, split, result, pathlib.Path(folder))


def write_glue(
    task: Task,
    split: str,
    ids: Sequence[str],
    predictions: Sequence[int | float],
    folder: str | os.PathLike,
) -> pathlib.Path:
    """Write a test split's predictions, such as `MNLI-m.tsv`.

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
        splits = ", ".join(task.submission) or "none"
        raise UserError(
            f"GLUE's leaderboard takes no file for {task.name}'s {split}; "
            f"of this task it takes {splits}"
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
        rows[int(name)] = kind_of(task).written_label(task, prediction)
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
    """Write answers by question id as JSON; "" says that there is none.

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


def _glue(
    task: Task, split: str, result: Result, folder: pathlib.Path
) -> pathlib.Path | None:
    if split not in task.submission:
        return None
    return write_glue(task, split, result.ids, result.predictions, folder)


def _squad(
    task: Task, split: str, result: Result, folder: pathlib.Path
) -> pathlib.Path:
    path = folder / f"{task.name}-{split}-predictions.json"
    answers = dict(zip(result.ids, result.predictions, strict=True))
    if result.no_answer is None:
        write_squad(answers, path)
        return path
    no_answer = dict(zip(result.ids, result.no_answer, strict=True))
    other = folder / f"{task.name}-{split}-no-answer.json"
    write_squad(answers, path, no_answer, other)
    return path


def _spans(
    task: Task, split: str, result: Result, folder: pathlib.Path
) -> pathlib.Path:
    """Write the entities of each text, a line of JSON each."""
    path = folder / f"{split}-predictions.jsonl"
    lines = [
        json.dumps({"id": name, "spans": [one._asdict() for one in entities]})
        for name, entities in zip(result.ids, result.predictions, strict=True)
    ]
    files.write_text(path, "".join(f"{line}\n" for line in lines))
    return path


_FORMATS = {"glue": _glue, "squad": _squad, "spans": _spans}
