"""Make a small classifier from labelled text."""

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tfminilm.errors import UserError
from tfminilm.pipeline import sources, survey, table
from tfminilm.pipeline.options import Options

if TYPE_CHECKING:
    from tfminilm.inference.model import TextModel


def make(
    data: Any,
    text: str | Sequence[str] = "text",
    label: str | Sequence[str] | None = None,
    output: str | os.PathLike = "runs/made",
    *,
    unlabeled: str | os.PathLike | None = None,
    group: str | None = None,
    probabilities: Sequence[str] = (),
    options: Options | None = None,
    site: bool = False,
    **chosen: Any,
) -> "TextModel":
    """Make a small model from labelled text, and a bundle of it.

    It predicts one class of several, several labels, a number, or the names
    in a text, as the labels ask for it.

    A teacher is fine-tuned on the text; a student of half its layers learns
    from it, and is compared with the same student without a teacher on texts
    that none of them has seen. The bundle is the student within the budget.
    Started again, it goes on where it was stopped.

    Args:
        data: as `pipeline.table.read` takes it.
        text: the column of the text, or of the two texts.
        label: the column of what to predict, "label" by default; or a column
            for each class, of that name. Tagged texts need none: their words'
            and their tags' columns in a CoNLL file are `text` and `label` if
            these are numbers from 1.
        output: a new folder for all that is made, or that of an earlier start.
        unlabeled: text without labels to learn from first: a .txt file or a
            folder of them.
        group: a column whose equal values stay in one split.
        probabilities: columns of a probability for each class, beside the
            label; rows may have either, or both. They are learned where there
            are some; the label, or else the likeliest class, is what is right.
        options: all further choices.
        site: whether a page that runs the bundle in the browser is written
            into `output/site`, as `tfminilm web` does.
        **chosen: single ones, by the names in `Options`.

    Returns:
        The bundle, opened to `predict`; it lies in `output/bundle`.

    Raises:
        UserError: the data cannot be used, the folder holds another run, or
            a step fails.
        Interrupted: a signal stopped it; started again it goes on.
    """
    from tfminilm.inference.load import load
    from tfminilm.pipeline.steps import STUDENT, Steps
    from tfminilm.train.workdir import Workdir

    options = dataclasses.replace(options or Options(), **chosen)
    columns = [text] if isinstance(text, str) else list(text)
    name = table.name_of(data)
    rows, goal = sources.read(
        data, columns, label, group, options, [*probabilities]
    )
    report = survey.look(rows, name, goal)
    folder, text_folder = pathlib.Path(output), _existing(unlabeled)
    if text_folder:
        survey.require_like(pathlib.Path(text_folder), report)
    recipe = {
        # Where others look for the student.
        "stages": {STUDENT: {}},
        "options": _chosen(options),
        "data": _digest(report),
        "unlabeled": text_folder,
    }
    workdir = Workdir(folder, recipe)
    count = len(report.examples[0].texts)
    steps = Steps(folder, options, report, count, text_folder, site)
    steps.check()
    with workdir.lock():
        bundle = steps.run(name)
    return load(bundle)


def _chosen(options: Options) -> dict[str, Any]:
    """Return the options as runs note them, older ones too."""
    values = dataclasses.asdict(options)
    if options.soft_labels == Options.soft_labels:
        del values["soft_labels"]  # Runs are older than this option.
    return values


def _digest(report: survey.Survey) -> str:
    """Return a hash of the examples, to tell whether they have changed."""
    digest = hashlib.sha256()
    for row in report.examples:
        label = row.label if isinstance(row.label, str) else repr(row.label)
        for part in (*row.texts, label, row.group):
            digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()


def _existing(unlabeled: str | os.PathLike | None) -> str:
    """Return the absolute path of unlabelled text; empty if there is none."""
    if unlabeled is None:
        return ""
    path = pathlib.Path(unlabeled).expanduser()
    if not path.exists():
        raise UserError(
            f"--unlabeled={unlabeled} does not exist; expected a .txt file or "
            "a folder of them"
        )
    return os.fspath(path.absolute())
