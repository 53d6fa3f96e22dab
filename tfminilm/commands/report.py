"""`tfminilm report`: measure a run and show it as one page."""

from absl import flags

from tfminilm import quiet
from tfminilm.errors import UsageError

DESCRIPTION = "Writes report.html: curves, tables, attention, trade-off."


def define_flags(flags: flags.FlagValues) -> None:
    """Define the command's flags."""
    flags.DEFINE_string(
        "workdir", None, "Workdir of a run of `tfminilm distill` or `finetune`."
    )
    flags.DEFINE_bool(
        "evaluate", True, "Measure the student if that is not done yet."
    )


def run(flags: flags.FlagValues) -> None:
    """Evaluate the run if necessary, write the page, print the table.

    The page of an unfinished run shows what exists already. If a run has
    several stages, the student of the last one is measured.

    Raises:
        UsageError: no workdir is given.
        UserError: it is no workdir, or the student cannot be measured.
    """
    if not flags.workdir:
        raise UsageError("report: expected --workdir=D, the workdir of a run")
    from tfminilm import families
    from tfminilm.report import evaluate, page, run_files, terminal

    last = run_files.read_stages(flags.workdir)[-1]
    # Only encoders have the attention that is measured.
    student = last.recipe.get("student", {})
    kind = student.get("kind", families.DEFAULT_KIND)
    is_encoder = families.of_student(kind).is_encoder
    is_due = (last.workdir / "student").is_dir() and is_encoder
    is_due &= not last.is_fine_tuning  # It has no teacher to be held against.
    if flags.evaluate and is_due and not evaluate.is_current(last.workdir):
        quiet.import_tensorflow()
        with terminal.progress(evaluate.STEPS) as progress:
            evaluate.evaluate_run(last.workdir, progress)
    path = page.write_page(flags.workdir)
    evaluation = run_files.read_run(last.workdir).evaluation
    if evaluation:
        terminal.print_table(evaluation)
    print(path)
