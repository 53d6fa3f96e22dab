"""`tfminilm distill`: run a recipe, or continue a run."""

from typing import TYPE_CHECKING

from absl import flags

from tfminilm import quiet
from tfminilm.commands import strategy_flags
from tfminilm.errors import UsageError

if TYPE_CHECKING:
    from tfminilm.train.distributed import DistributedContext

DESCRIPTION = "Runs a recipe in a workdir; started again, it goes on."


def define_flags(flags: flags.FlagValues) -> None:
    """Define the command's flags."""
    flags.DEFINE_config_file(
        "config",
        None,
        "Recipe: a file or a shipped name, such as minilm_l3_h384. Its keys "
        "are flags: --config.train.steps=1000.",
    )
    flags.DEFINE_string(
        "workdir", None, "Folder of the run: checkpoints, metrics, student."
    )
    flags.DEFINE_multi_string(
        "sweep",
        [],
        "A key of the recipe and its values, such as method.alpha=0.2,0.5. "
        "All settings run, each in a folder in --workdir, and sweep.json in it "
        "lists them, the best by the dev set first. May repeat.",
    )
    flags.DEFINE_string(
        "sweep_by",
        "",
        "The metric that settings are compared by; by default the one that "
        "the task's papers report first, or the held-out loss.",
    )
    strategy_flags.define(flags)


def run(flags: flags.FlagValues) -> None:
    """Run the recipe in the workdir.

    Raises:
        UsageError: a flag is missing, or the recipe is malformed.
        UserError: the run failed, or it was interrupted.
    """
    from tfminilm.train.recipe import Recipe

    if not flags.config:
        raise UsageError("distill: expected --config=, such as demo")
    recipe = Recipe.parse(flags.config)
    if not flags.workdir:
        raise UsageError("distill: expected --workdir=, the run's folder")
    if flags.sweep_by and not flags.sweep:
        raise UsageError("distill: --sweep_by without --sweep compares nothing")

    # Imported after the flags are checked, as it takes seconds.
    quiet.import_tensorflow()
    from tfminilm.export.card.publish import write_beside
    from tfminilm.train.distill import distill

    context = strategy_flags.parse(flags)
    if flags.sweep:
        _sweep(flags, context)
        return
    student = distill(recipe, flags.workdir, context)
    if context.is_chief:
        write_beside(student, flags.workdir)


def _sweep(flags: flags.FlagValues, context: "DistributedContext") -> None:
    """Run all settings and print them, the best first."""
    from tfminilm.train import sweep

    config = flags.config.to_dict()
    grid = sweep.read_grid(config, flags.sweep)
    cells = sweep.sweep(config, grid, flags.workdir, flags.sweep_by, context)
    if context.is_chief:
        for cell in cells:
            score = "not finite" if cell.score is None else f"{cell.score:.4f}"
            print(f"{score}  {cell.folder}")
