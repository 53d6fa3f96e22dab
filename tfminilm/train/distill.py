"""Run a recipe: students learn from teachers, and survive a kill."""

import dataclasses
import pathlib

import keras

from tfminilm.compress.optimization import import_tfmot
from tfminilm.errors import UserError
from tfminilm.train import dry_run
from tfminilm.train.distillation import Distillation, select_job
from tfminilm.train.distributed import SINGLE_DEVICE, DistributedContext
from tfminilm.train.job import run_job
from tfminilm.train.outputs.teach import teach
from tfminilm.train.progress import Progress
from tfminilm.train.recipe import CompressSpec, Recipe
from tfminilm.train.stage import AUTO
from tfminilm.train.workdir import Workdir
from tfminilm.typing import Source


def distill(
    recipe: Recipe, workdir: Source, context: DistributedContext = SINGLE_DEVICE
) -> keras.Model:
    """Distil as the recipe says, going on where an earlier start stopped.

    Writes `recipe.json`, `metrics.jsonl`, `events.jsonl`, `checkpoints/`,
    `held_out.json` and, at the end, `student/` (a KerasHub preset) into
    `workdir`; of a recipe of several stages, `recipe.json` and a folder with
    those for each.

    Args:
        recipe: what to run.
        workdir: the run's folder, of all workers the same.
        context: the replicas that share each batch.

    Returns:
        The trained student, of the last stage, in float32: a KerasHub
        backbone, or a model with a head where the method trains one.

    Raises:
        UserError: the recipe cannot be run, the workdir holds another
            recipe's run, the disk is full, or the loss is no longer finite.
        Interrupted: a signal stopped the run; its checkpoint is kept.
    """
    path = pathlib.Path(workdir)
    stages = recipe.runs()
    for stage in stages.values():
        spec = stage.train
        context.check_batch(
            spec.batch_size,
            spec.gradient_accumulation,
            spec.steps_per_execution,
        )
        _check_compression(stage.compress, context)
    with (
        Progress(quiet=not context.is_chief) as progress,
        context.explain_errors(),
    ):
        context.check_equal({"recipe": recipe.to_dict()})
        whole = Workdir(path, recipe.to_dict(), context=context)
        tokens = {}
        if recipe.stages or recipe.student.init_from:
            tokens = dry_run.check_vocabularies(stages)
        if not recipe.stages:
            return _run_stage(recipe, whole, {}, progress)
        if not (path / "recipe.json").exists():
            with progress.working("checking all stages"):
                dry_run.dry_run(stages, tokens)
        done: dict[str, pathlib.Path] = {}
        for number, (name, stage) in enumerate(stages.items(), 1):
            progress.say(f"stage {number} of {len(stages)}: {name}")
            folder = Workdir(
                path / name, stage.to_dict(), inside=whole, context=context
            )
            student = _run_stage(stage, folder, done, progress)
            done[name] = path / name
    return student


def _run_stage(
    stage: Recipe,
    folder: Workdir,
    done: dict[str, pathlib.Path],
    progress: Progress,
) -> keras.Model:
    """Train the stage's student, or load it if it is done."""
    job = select_job(stage, done)
    if folder.context.broadcast(folder.student.is_dir()):
        progress.say(f"already finished: {folder.student}")
        return job.kind.load(folder.student)
    if stage.data.teacher_outputs == AUTO:
        job = _taught(job, folder, progress)
    student = run_job(job, folder, progress)
    progress.say(f"student: {folder.student}")
    return student


def _taught(
    job: Distillation, folder: Workdir, progress: Progress
) -> Distillation:
    """Return the job with its teacher's outputs, kept in the run's folder."""
    path = folder.path / "teacher_outputs"
    with folder.context.chief_first():
        if folder.context.is_chief:
            teach(job, path, progress)
    return dataclasses.replace(job, taught=str(path))


def _check_compression(spec: CompressSpec, context: DistributedContext) -> None:
    """Raise `UserError` where a student cannot be made smaller so."""
    if spec.sparsity or spec.quantization_aware:
        import_tfmot()
    if spec.quantization_aware and context.num_replicas > 1:
        raise UserError(
            "compress.quantization_aware measures the ranges of one replica, "
            f"and {context.num_replicas} would share a batch: start with "
            "--strategy=one"
        )
