"""`tfminilm teach`: run a teacher once, for all students that learn from it."""

import pathlib
import time
from typing import TYPE_CHECKING

from absl import flags

from tfminilm import quiet
from tfminilm.errors import UsageError

if TYPE_CHECKING:
    from tfminilm.train.recipe import Recipe

DESCRIPTION = "Writes a teacher's outputs once, so that runs need not."


def define_flags(flags: flags.FlagValues) -> None:
    """Define the command's flags."""
    flags.DEFINE_config_file(
        "config",
        None,
        "Recipe: a file or a shipped name, such as distilbert_d. Its teacher "
        "reads its texts, those held out too, each once; its method says "
        "whether logits or embeddings are kept. Its keys are flags: "
        "--config.data.folder=GLUE.",
    )
    flags.DEFINE_string(
        "output",
        None,
        "Folder of the outputs, for --config.data.teacher_outputs of distill. "
        "Started again, the command goes on where it stopped.",
    )
    flags.DEFINE_string(
        "stage",
        "",
        "Of a recipe of several stages: the one whose teacher is run.",
    )
    flags.DEFINE_string(
        "workdir",
        "",
        "Folder of a run of that recipe, if the teacher is an earlier stage's "
        "student.",
    )


def run(flags: flags.FlagValues) -> None:
    """Write the outputs, or go on, and print what the folder holds.

    Raises:
        UsageError: a flag is missing, or the recipe is malformed.
        UserError: the method compares too much to keep, the folder holds
            something else, or the disk is full.
    """
    from tfminilm.train.recipe import Recipe

    if not flags.config or not flags.output:
        raise UsageError("teach: expected --config=RECIPE and --output=FOLDER")
    recipe = Recipe.parse(flags.config)
    stage = _stage(recipe, flags.stage)
    quiet.import_tensorflow()
    from tfminilm.train.distillation import select_job
    from tfminilm.train.outputs.teach import teach
    from tfminilm.train.progress import Progress

    done = {}
    if stage.teacher in recipe.stages:
        if not flags.workdir:
            raise UsageError(
                f"teach: the teacher is the student of stage {stage.teacher}: "
                "expected --workdir=, the folder of a run that made it"
            )
        folder = pathlib.Path(flags.workdir)
        done = {name: folder / name for name in recipe.stages}
    start = time.monotonic()
    with Progress() as progress:
        manifest = teach(select_job(stage, done), flags.output, progress)
    origin = manifest.origin
    what = ", ".join(
        f"{name} of {shape[-1]:,} numbers"
        for name, shape in origin.outputs.items()
    )
    size = sum(shard.bytes for shard in manifest.shards)
    print(
        f"{origin.teacher}: {what}\n{origin.texts:,} texts of {origin.source}, "
        f"{len(manifest.shards):,} files, {size / 1e6:,.1f} MB\n"
        f"{flags.output} in {time.monotonic() - start:.0f} s; give it to "
        f"distill as --config.data.teacher_outputs={flags.output}"
    )


def _stage(recipe: "Recipe", name: str) -> "Recipe":
    """Return the stage that a flag names, or the only one.

    Raises:
        UsageError: there is no such stage, or there are several.
    """
    stages = recipe.runs()
    if not name and len(stages) == 1:
        return next(iter(stages.values()))
    if name not in stages or not recipe.stages:
        names = ", ".join(recipe.stages) or "one, without a name"
        raise UsageError(
            f"teach: --stage={name}, and the recipe's stages are {names}"
        )
    return stages[name]
