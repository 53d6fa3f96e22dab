"""`tfminilm report`: measures a run and shows it as one page."""

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

    A run without a student yet gets a page of what there is.

    Raises:
        UsageError: no workdir is given.
        UserError: it is no workdir, or the student cannot be measured.
    """
    from tfminilm.report import evaluate, page, run_files, terminal

    if not flags.workdir:
        raise UsageError("report: expected --workdir=D, the workdir of a run")
    workdir = run_files.check_workdir(flags.workdir)
    has_student = (workdir / "student").is_dir()
    if flags.evaluate and has_student and not evaluate.is_current(workdir):
        quiet.import_tensorflow()
        with terminal.progress(evaluate.STEPS) as progress:
            evaluate.evaluate_run(workdir, progress)
    path = page.write_page(workdir)
    evaluation = run_files.read_run(workdir).evaluation
    if evaluation:
        terminal.print_table(evaluation)
    print(path)
