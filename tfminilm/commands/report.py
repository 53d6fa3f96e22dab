"""`tfminilm report`: measures a run and shows it as one page."""

import pathlib
from typing import Any

from tfminilm.commands import quiet
from tfminilm.errors import UsageError

DESCRIPTION = "Writes report.html: curves, tables, attention, trade-off."


def define_flags(flags: Any) -> None:
    """Defines the command's flags."""
    flags.DEFINE_string(
        "workdir", None, "Workdir of a run of `tfminilm distill`."
    )
    flags.DEFINE_bool(
        "evaluate", True, "Measure the student if that is not done yet."
    )


def run(flags: Any) -> None:
    """Evaluates the run if that is due, writes the page, prints the table.

    A run without a student yet gets a page of what there is; one of several
    stages a page in the folder of each that has begun.

    Raises:
        UsageError: no workdir is given.
        UserError: it is no workdir, or the student cannot be measured.
    """
    from tfminilm.report import run_files

    if not flags.workdir:
        raise UsageError("report: expected --workdir=D, the workdir of a run")
    for workdir in run_files.stages(flags.workdir):
        _report(workdir, flags.evaluate)


def _report(workdir: pathlib.Path, may_evaluate: bool) -> None:
    from tfminilm.report import evaluate, page, run_files, terminal

    student = run_files.read_run(workdir).recipe.get("student", {})
    # What is measured is inside an encoder.
    is_encoder = student.get("kind") != "bilstm"
    is_due = (workdir / "student").is_dir() and is_encoder
    if may_evaluate and is_due and not evaluate.is_current(workdir):
        quiet.import_tensorflow()
        with terminal.progress(evaluate.STEPS) as progress:
            evaluate.evaluate_run(workdir, progress)
    path = page.write_page(workdir)
    evaluation = run_files.read_run(workdir).evaluation
    if evaluation:
        terminal.print_table(evaluation)
    print(path)
