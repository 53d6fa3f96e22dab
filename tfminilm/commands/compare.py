"""`tfminilm compare A B`: whether one model is better, and how sure that is."""

import dataclasses
from typing import TYPE_CHECKING

from absl import flags

from tfminilm import quiet
from tfminilm.commands import task_flags
from tfminilm.errors import UsageError

if TYPE_CHECKING:
    from tfminilm.inference.compare import Comparison
    from tfminilm.tasks.evidence import Interval

DESCRIPTION = "Compares models on the same examples, with intervals."
ARGUMENTS = "models"


def define_flags(flags: flags.FlagValues) -> None:
    """Define the command's flags."""
    flags.DEFINE_list(
        "models",
        None,
        "The models, as arguments or with commas: workdirs, RUN@STEP, presets, "
        "Hugging Face folders or bundles, each with a head.",
    )
    flags.DEFINE_list("splits", None, "Splits (default: to validate on).")
    flags.DEFINE_integer(
        "draws", 1000, "Bootstrap samples for the intervals.", lower_bound=100
    )
    flags.DEFINE_string("output", None, "Writes the numbers into this .json.")
    task_flags.define(flags)


def run(flags: flags.FlagValues) -> None:
    """Score all models, and print how they differ from the first.

    Raises:
        UsageError: a flag is missing.
        UserError: a model or the data cannot be used.
    """
    if len(flags.models or ()) < 2:
        raise UsageError("compare: expected two models or more: compare A B")
    if len(flags.models) > 26:
        raise UsageError("compare: expected up to 26 models")
    if not flags.task:
        raise UsageError("compare: expected --task=, such as sst2")
    quiet.import_tensorflow()
    from tfminilm import files
    from tfminilm.inference.compare import compare
    from tfminilm.inference.load import load
    from tfminilm.train import score

    models = [load(name) for name in flags.models]
    is_file = ":" in flags.task
    task = task_flags.parse(
        flags, "compare", models[0].labels or None if is_file else None
    )
    splits = flags.splits or task.eval_splits or task.test_splits
    data = score.Data.of(flags)
    results = {
        split: compare(models, task, data.read(task, split), flags.draws)
        for split in splits
    }
    for split, result in results.items():
        _print(flags.models, f"{task.name} {split}", result)
    if flags.output:
        content = {
            "models": flags.models,
            "task": task.name,
            "splits": {k: dataclasses.asdict(v) for k, v in results.items()},
        }
        files.write_json(flags.output, content)


def _print(models: list[str], title: str, result: "Comparison") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD,
        caption="In points, with 95 % intervals of bootstrap samples. A "
        "difference whose interval does not hold 0 is hardly chance.",
        caption_justify="left",
    )
    for name in ("", "metric", "score", "less A's", "answers as A"):
        table.add_column(name, justify="left" if name == "" else "right")
    letters = [chr(ord("A") + index) for index in range(len(models))]
    for name, scores in result.scores.items():
        for index, letter in enumerate(letters):
            gap = result.differences[name][index - 1] if index else None
            table.add_row(
                letter,
                name,
                _interval(scores[index], ".1f"),
                _interval(gap, "+.1f") if gap else "",
                f"{result.same[index - 1]:.1%}" if index else "",
            )
    console = Console()
    line = f"{title}, {result.examples:,} examples"
    console.print(line, markup=False, soft_wrap=True)
    for letter, model in zip(letters, models, strict=True):
        console.print(f"  {letter}  {model}", markup=False, soft_wrap=True)
    console.print(table)


def _interval(value: "Interval", form: str) -> str:
    low, high = (format(100 * x, form) for x in (value.low, value.high))
    return f"{100 * value.value:{form}} ({low} to {high})"
