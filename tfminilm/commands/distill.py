"""`tfminilm distill`: run a recipe, or continue a run."""

from absl import flags

from tfminilm import quiet
from tfminilm.commands import strategy_flags
from tfminilm.errors import UsageError

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

    # Imported after the flags are checked, as it takes seconds.
    quiet.import_tensorflow()
    from tfminilm.export.card.publish import write_beside
    from tfminilm.train.distill import distill

    context = strategy_flags.parse(flags)
    student = distill(recipe, flags.workdir, context)
    if context.is_chief:
        write_beside(student, flags.workdir)
