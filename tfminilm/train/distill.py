"""Runs a recipe: students learn from teachers, and survive a kill."""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

import keras

from tfminilm import files, teachers
from tfminilm.distiller import Distiller
from tfminilm.errors import UserError
from tfminilm.train import plan
from tfminilm.train.build import build_student, start_student
from tfminilm.train.example_stage import (
    SentenceStage,
    TaskStage,
    TaskTextStage,
)
from tfminilm.train.masked_stage import MaskedStage
from tfminilm.train.optimizer import build_optimizer
from tfminilm.train.precision import resolve_precision
from tfminilm.train.progress import Progress
from tfminilm.train.recipe import Recipe
from tfminilm.train.text_stage import TextStage
from tfminilm.train.workdir import Workdir


def distill(recipe: Recipe, workdir: str | os.PathLike) -> keras.Model:
    """Distils as the recipe says, going on where an earlier start stopped.

    Writes `recipe.json`, `metrics.jsonl`, `checkpoints/`, `held_out.json`
    and, at the end, `student/` (a KerasHub preset) into `workdir`; of a
    recipe of several stages, `recipe.json` and a folder with those for each.

    Returns:
        The trained student, of the last stage, in float32: a KerasHub
        backbone, or a model with a head where the method trains one.

    Raises:
        UserError: the recipe cannot be run, the workdir holds another
            recipe's run, the disk is full, the loss is no longer finite, or
            the run was interrupted (its checkpoint is kept).
    """
    path = pathlib.Path(workdir)
    runs = recipe.runs()
    with Progress() as progress:
        whole = Workdir(path, recipe.to_dict())
        if recipe.stages or recipe.student.init_from:
            plan.check(runs)
        if not recipe.stages:
            return _Stage(recipe, whole).run(progress)
        done: dict[str, pathlib.Path] = {}
        for number, (name, run) in enumerate(runs.items(), 1):
            progress.say(f"stage {number} of {len(runs)}: {name}")
            folder = Workdir(path / name, run.to_dict(), inside=whole)
            student = _Stage(run, folder, done).run(progress)
            done[name] = path / name
    return student


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
        self.kind = _kind(recipe)

    def run(self, progress: Progress) -> keras.Model:
        """Trains the student, or goes on, or loads it if it is done."""
        folder, train = self.folder, self.recipe.train
        if folder.student.is_dir():
            progress.say(f"already finished: {folder.student}")
            return self.kind.load(folder.student)
        keras.utils.set_random_seed(self.recipe.seed)
        precision = folder.decide(
            "precision", lambda: resolve_precision(train.precision)
        )
        with progress.working("loading the teacher"):
            tokenizer = teachers.load_tokenizer(self.sources["teacher"])
            distiller = self._distiller(tokenizer, precision)
        self.kind.read(tokenizer, folder, progress)
        needs_labels = any(term.teacher is None for term in distiller.terms)
        if needs_labels and not self.kind.has_labels():
            raise UserError(
                f"recipe: {type(self.recipe.method).__name__} compares with "
                "labels, and not all of its examples have one: give data with "
                "labels and no data.augment_copies, or leave that term out"
            )
        optimizer = build_optimizer(train, precision)
        distiller.compile(optimizer)
        optimizer.build(distiller.trainable_variables)
        with folder.hold():
            sentences = {"sentences": self.kind.sentences()}
            files.write_json(folder.path / "held_out.json", sentences)
            self.kind.loop(folder, distiller, progress).run()
            student = self.kind.plain(distiller.student)
            # float32, and a megabyte for the vocabulary and HDF5's tables.
            size = 4 * student.count_params() + 2**20
            with files.new_directory(folder.student, size) as beside:
                self.kind.save(student, tokenizer, beside)
        progress.say(f"student: {folder.student}")
        return student

    def _distiller(self, tokenizer: Any, precision: str) -> Distiller:
        """The stage's student, initialised, beside its teacher.

        Raises:
            UserError: student, teacher and method do not go together.
        """
        recipe = self.recipe
        teacher = self.kind.load_teacher(self.sources["teacher"], precision)
        backbone = getattr(teacher, "backbone", teacher)
        _require_same_tokens(recipe, backbone, tokenizer)
        _require_positions(recipe, backbone)
        spec = recipe.student
        student = build_student(
            spec,
            backbone.vocabulary_size,
            precision,
            pairs=self.kind.reads_pairs,
        )
        source = backbone
        if spec.init_from:
            source = teachers.load_backbone(self.sources["student.init_from"])
        start_student(student, spec, source)
        student = self.kind.with_head(student, teacher)
        return Distiller(teacher, student, recipe.method)


def _kind(recipe: Recipe) -> TextStage:
    """What handles the stage's models and data.

    Raises:
        UserError: the method does not learn from such data.
    """
    reads, task = recipe.method.reads, recipe.data.task
    name = type(recipe.method).__name__
    if reads == "labels" and not task:
        raise UserError(
            f"recipe: {name} learns a task: data.source is "
            f"{recipe.data.source!r}, expected task:NAME, such as task:sst2"
        )
    if reads == "labels":
        stage = TaskStage(recipe)
        if recipe.student.kind == "bilstm" and stage.task.kind == "qa":
            raise UserError(
                f"recipe: a bilstm finds no answers in texts, as {task} asks: "
                "expected a task of classes or scores"
            )
        return stage
    if reads == "masked_text" and (task or recipe.data.sentences):
        raise UserError(
            f"recipe: {name} learns from masked text: expected data.source to "
            "be text, and no data.sentences"
        )
    if reads == "masked_text":
        return MaskedStage(recipe)
    if task:
        return TaskTextStage(recipe)
    return SentenceStage(recipe) if recipe.data.sentences else TextStage(recipe)


def _require_positions(recipe: Recipe, teacher: keras.Model) -> None:
    length = recipe.data.sequence_length
    longest = getattr(teacher, "max_sequence_length", length)
    if length > longest:
        raise UserError(
            f"recipe: data.sequence_length is {length}, but the teacher's "
            f"position table ends at {longest}"
        )


def _require_same_tokens(
    recipe: Recipe, teacher: keras.Model, tokenizer: Any
) -> None:
    """A teacher's table may be longer, as padded ones are, never shorter."""
    tokens = tokenizer.vocabulary_size()
    if tokens > teacher.vocabulary_size:
        raise UserError(
            f"teacher {recipe.teacher}: its tokenizer has {tokens} tokens, "
            f"its embedding table {teacher.vocabulary_size}; expected the "
            "tokenizer that the model was trained with"
        )
