"""Labels and scores as files write them, as numbers."""

import math

from tfminilm.errors import UserError
from tfminilm.tasks.task import Task


def parse(task: Task, written: str, where: str) -> int | float:
    """The class' index in `task.labels`, or the score.

    Args:
        written: the label as the file writes it.
        where: what the error calls its place, such as "dev.tsv, line 7".

    Raises:
        UserError: it is none of the task's classes, no finite number, or out
            of the range of the task's scores.
    """
    if task.kind == "classification":
        known = task.file_labels or task.labels
        if written not in known:
            raise UserError(
                f"{where}: label {written[:60]!r} is not of {task.name}; "
                f"expected one of {', '.join(known)}"
            )
        return known.index(written)
    try:
        score = float(written)
    except ValueError:
        raise UserError(
            f"{where}: score {written[:60]!r} is not a number; expected one "
            "such as 3.5"
        ) from None
    check_score(task, score, where)
    return score


def check_score(task: Task, score: float, where: str) -> None:
    """Refuses a score that is not finite or out of the task's range.

    Raises:
        UserError: it is.
    """
    least, greatest = task.score_range or (-math.inf, math.inf)
    if not math.isfinite(score):
        raise UserError(
            f"{where}: score {score} is not a finite number; expected one "
            "such as 3.5"
        )
    if not least <= score <= greatest:
        raise UserError(
            f"{where}: score {score:g} is out of {task.name}'s range, "
            f"{least:g} to {greatest:g}"
        )
