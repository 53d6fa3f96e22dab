"""Runs a recipe: students learn from teachers, and survive a kill."""

import math
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import keras

from tfminilm import files, teachers
from tfminilm.compress import (
    fake_quantization,
    magnitude,
    prune,
    vocabulary,
)
from tfminilm.compress.optimization import import_tfmot
from tfminilm.distiller import Distiller
from tfminilm.errors import UserError
from tfminilm.private import optimizers
from tfminilm.train import plan
from tfminilm.train.assemble import assemble, kind_of
from tfminilm.train.build import shares_of
from tfminilm.train.loop import Loop
from tfminilm.train.optimizer import build_optimizer
from tfminilm.train.precision import resolve_precision
from tfminilm.train.progress import Progress
from tfminilm.train.recipe import CompressSpec, Recipe
from tfminilm.train.team import ALONE, Team
from tfminilm.train.workdir import Workdir

_BATCHES_TO_PRUNE = 16
_TEXTS_TO_ROUND = 64  # As many as an export measures scales on.


def distill(
    recipe: Recipe, workdir: str | os.PathLike, team: Team = ALONE
) -> keras.Model:
    """Distils as the recipe says, going on where an earlier start stopped.

    Writes `recipe.json`, `metrics.jsonl`, `events.jsonl`, `checkpoints/`,
    `held_out.json` and, at the end, `student/` (a KerasHub preset) into
    `workdir`; of a recipe of several stages, `recipe.json` and a folder with
    those for each.

    Args:
        recipe: what to run.
        workdir: the run's folder, of all workers the same.
        team: the replicas that share each batch.

    Returns:
        The trained student, of the last stage, in float32: a KerasHub
        backbone, or a model with a head where the method trains one.

    Raises:
        UserError: the recipe cannot be run, the workdir holds another
            recipe's run, the disk is full, or the loss is no longer finite.
        Interrupted: a signal stopped the run; its checkpoint is kept.
    """
    path = pathlib.Path(workdir)
    runs = recipe.runs()
    for run in runs.values():
        spec = run.train
        team.check_batch(
            spec.batch_size,
            spec.gradient_accumulation,
            spec.steps_per_execution,
        )
        _check_compression(run.compress, team)
    with Progress(quiet=not team.is_chief) as progress, team.running():
        team.agree({"recipe": recipe.to_dict()})
        whole = Workdir(path, recipe.to_dict(), team=team)
        if recipe.stages or recipe.student.init_from:
            plan.check_vocabularies(runs)
        if not recipe.stages:
            return _Stage(recipe, whole).run(progress)
        if not (path / "recipe.json").exists():
            with progress.working("checking all stages"):
                plan.rehearse(runs)
        done: dict[str, pathlib.Path] = {}
        for number, (name, run) in enumerate(runs.items(), 1):
            progress.say(f"stage {number} of {len(runs)}: {name}")
            folder = Workdir(
                path / name, run.to_dict(), inside=whole, team=team
            )
            student = _Stage(run, folder, done).run(progress)
            done[name] = path / name
    return student


def _check_compression(spec: CompressSpec, team: Team) -> None:
    """Raises `UserError` where a student cannot be made smaller so."""
    if spec.sparsity or spec.quantization_aware:
        import_tfmot()
    if spec.quantization_aware and team.num_replicas > 1:
        raise UserError(
            "compress.quantization_aware measures the ranges of one replica, "
            f"and {team.num_replicas} would share a batch: start with "
            "--strategy=one"
        )


class _Stage:
    """One stage of a run.

    Args:
        recipe: the stage, as a recipe of its own.
        folder: its folder.
        done: the folders of earlier stages by their names.
    """

    def __init__(
        self,
        recipe: Recipe,
        folder: Workdir,
        done: Mapping[str, pathlib.Path] | None = None,
    ):
        self.recipe = recipe
        self.folder = folder
        self.sources = {
            key: (done or {}).get(source, source)
            for key, source in recipe.sources.items()
        }
        self.kind = kind_of(recipe)

    def run(self, progress: Progress) -> keras.Model:
        """Trains the student, or goes on, or loads it if it is done."""
        folder, team = self.folder, self.folder.team
        if team.chiefs(folder.student.is_dir()):
            progress.say(f"already finished: {folder.student}")
            return self.kind.load(folder.student)
        keras.utils.set_random_seed(self.recipe.seed)
        precision = folder.decide(
            "precision",
            lambda: resolve_precision(self.recipe.train.precision),
        )
        with progress.working("loading the teacher"), team.scope():
            distiller, tokenizer = self._models(precision)
        teacher = self.sources["teacher"]
        with team.chief_first():
            self.kind.read(teacher, tokenizer, folder, progress)
        team.wait()  # For what the chief is about to sweep up.
        self._compile(distiller, precision)
        with folder.hold():
            folder.write("held_out", {"sentences": self.kind.sentences()})
            ranges = self._learn(distiller, progress)
            student = self.kind.plain(distiller.student)
            if self.recipe.compress.trim_vocabulary:
                student, tokenizer = vocabulary.trim_vocabulary(
                    student, tokenizer, self.kind.used_ids()
                )
            if team.is_chief:
                self._save(student, tokenizer, ranges)
        team.wait()
        progress.say(f"student: {folder.student}")
        return student

    def _compile(self, distiller: Distiller, precision: str) -> None:
        """Gives the distiller its optimizer, with a rate for each layer."""
        train, team = self.recipe.train, self.folder.team
        with team.scope():
            optimizer = build_optimizer(train, precision)
            shares = shares_of(distiller.student, train.shares())
            optimizers.set_rates(optimizer, shares)
            distiller.compile(
                optimizer,
                jit_compile=team.jit_compile(distiller),
                steps_per_execution=train.batches_per_execution,
            )
            optimizer.build(distiller.trainable_variables)

    def _learn(
        self, distiller: Distiller, progress: Progress
    ) -> dict[str, Any] | None:
        """Trains the student, compressed if so wanted.

        Returns:
            The ranges that it was rounded in, if it was.
        """
        loop = self.kind.loop(self.folder, distiller, progress)
        if self.recipe.student.init == "pruned":
            with progress.working("pruning the teacher"):
                prune.prune_into(
                    distiller.student,
                    distiller.teacher,
                    _first_inputs(loop, _BATCHES_TO_PRUNE),
                    self.recipe.student.kept_heads or None,
                )
        rounding = self._compress(distiller, loop)
        loop.run()
        if rounding is None:
            return None
        ranges = rounding.ranges()
        rounding.remove()
        return ranges

    def _compress(
        self, distiller: Distiller, loop: Loop
    ) -> fake_quantization.FakeQuantization | None:
        """What makes the student smaller while it learns.

        Returns:
            What is to be removed in the end.
        """
        compress, steps = self.recipe.compress, self.recipe.train.steps
        if compress.sparsity:
            loop.callbacks.append(
                magnitude.MagnitudePruning(
                    distiller.student,
                    compress.sparsity,
                    steps,
                    compress.sparsity_schedule,
                )
            )
        if not compress.quantization_aware:
            return None
        rounding = fake_quantization.FakeQuantization(
            distiller.student,
            _first_inputs(
                loop, math.ceil(_TEXTS_TO_ROUND / self.recipe.train.batch_size)
            ),
        )
        loop.variables += rounding.variables
        return rounding

    def _save(
        self,
        student: keras.Model,
        tokenizer: Any,
        ranges: dict[str, Any] | None,
    ) -> None:
        """Writes the run's student, and the ranges it was rounded in, if so."""
        # float32, and a megabyte for the vocabulary and HDF5's tables.
        size = 4 * student.count_params() + 2**20
        with files.new_directory(self.folder.student, size) as beside:
            self.kind.save(student, tokenizer, beside)
            if ranges is not None:
                path = beside / fake_quantization.RANGES
                files.write_json(path, ranges)
        self.folder.tell("finished", self.recipe.train.steps)

    def _models(self, precision: str) -> tuple[Distiller, Any]:
        """The student, initialised, beside its teacher; and the tokenizer.

        Raises:
            UserError: student, teacher and method do not go together.
        """
        teacher = self.kind.load_teacher(self.sources["teacher"], precision)
        tokenizer = teachers.load_tokenizer(
            self.sources["teacher"], self.folder.tokenizer_rules()
        )
        source = None
        if self.recipe.student.init_from:
            source = teachers.load_backbone(self.sources["student.init_from"])
        count = tokenizer.vocabulary_size()
        distiller = assemble(self.kind, teacher, source, count, precision)
        return distiller, tokenizer


def _first_inputs(loop: Loop, count: int) -> Iterator[Any]:
    """What models read in the first batches, to measure them on."""
    for batch in loop.batches(0, count):
        yield batch[0] if isinstance(batch, tuple) else batch
