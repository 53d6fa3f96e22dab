"""Distil as a job: a student learns from its teacher."""

import dataclasses
import functools
import pathlib
from collections.abc import Mapping

import keras

from tfminilm import families, teachers
from tfminilm.compress import prune, vocabulary
from tfminilm.config import names_in
from tfminilm.distiller import Distiller
from tfminilm.errors import UserError
from tfminilm.private import optimizers
from tfminilm.tasks import windows
from tfminilm.tasks.kinds import kind_of
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task
from tfminilm.teachers.cross_encoders import SIGMOID
from tfminilm.teachers.embedding import known_embedding, set_embedding
from tfminilm.train import checks, projections, vocabularies
from tfminilm.train.build import (
    build_student,
    layers_of,
    shares_of,
    start_student,
)
from tfminilm.train.compression import Compression
from tfminilm.train.distributed import DistributedContext
from tfminilm.train.job import Trained
from tfminilm.train.models import (
    Backbone,
    MaskedLM,
    ModelKind,
    Models,
    TaskHead,
)
from tfminilm.train.optimizer import build_optimizer
from tfminilm.train.outputs.opened import (
    is_table,
    read_table,
    recorded_teacher,
)
from tfminilm.train.outputs.store import Store
from tfminilm.train.outputs.table import Table
from tfminilm.train.progress import Progress
from tfminilm.train.recipe import Recipe, TrainSpec
from tfminilm.train.several import with_others
from tfminilm.train.sources import sentences, text, translations
from tfminilm.train.sources import task as task_source
from tfminilm.train.sources.examples import Examples, example_data
from tfminilm.train.sources.training_data import TrainingData
from tfminilm.train.stage import AUTO, BY_SCORE
from tfminilm.train.trainer import Trainer
from tfminilm.train.vocabularies import Vocabularies, teacher_cut
from tfminilm.train.workdir import Workdir
from tfminilm.typing import Source

_BATCHES_TO_PRUNE = 16


@dataclasses.dataclass(frozen=True)
class Distillation:
    """Train one student: a stage of a run. A `Job`.

    Attributes:
        recipe: the stage, as a recipe of its own.
        kind: of teacher and student.
        task: that its data is of, or `None` for text.
        done: the folders of earlier stages by their names.
        taught: the folder of the teacher's outputs; empty if it runs.
    """

    recipe: Recipe
    kind: ModelKind
    task: Task | None = None
    done: Mapping[str, pathlib.Path] = dataclasses.field(default_factory=dict)
    taught: str = ""

    doing = "distilling"
    split = "held_out"
    loading = "loading the teacher"

    @property
    def seed(self) -> int:
        """Return the seed of all that is random."""
        return self.recipe.seed

    @property
    def precision(self) -> str:
        """Return the dtype policy that is asked for."""
        return self.recipe.train.precision

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the classes in the order of the outputs, if there are some."""
        return self.kind.task.labels if isinstance(self.kind, TaskHead) else ()

    @property
    def sources(self) -> dict[str, str | pathlib.Path]:
        """Return where models come from, by the key that names each."""
        return {
            key: self.done.get(source, source)
            for key, source in self.recipe.sources.items()
        }

    def load_models(self, precision: str, rules: str | None) -> Models:
        """Load the teacher, and build its student beside it.

        Raises:
            UserError: student, teacher and method do not go together.
        """
        sources = self.sources
        teacher = self.load_teacher(sources["teacher"], precision)
        tokens = Vocabularies.load(sources, rules)
        backbone = getattr(teacher, "backbone", teacher)
        start = None
        if "student.init_from" in sources:
            start = teachers.load_backbone(sources["student.init_from"])
        notes: tuple[str, ...] = ()
        if self.recipe.student.init != "random":
            start, notes = tokens.started(start or backbone, self.seed)
        distiller = build_distiller(self, teacher, start, tokens, precision)
        if before := sources.get("student.init_from"):
            notes += projections.load(distiller, before)
        cut = None
        if tokens.differ:
            cut = teacher_cut(self.recipe, backbone, tokens.teacher)
        return Models(distiller, distiller.student, tokens.student, cut, notes)

    def open_data(
        self, models: Models, folder: Workdir, progress: Progress
    ) -> TrainingData:
        """Open the source that the recipe names."""
        examples = self.examples(models, folder, progress)
        if examples is not None:
            return example_data(
                examples, self.recipe, folder, progress, self.outputs
            )
        open_source = text.packed_text
        if self.recipe.reads_masked:
            open_source = text.masked_text
        return open_source(self.recipe, models.tokenizer, folder, progress)

    def examples(
        self, models: Models, folder: Workdir, progress: Progress
    ) -> Examples | None:
        """Read the texts of the stage; `None` where they are packed."""
        if self.task is not None:
            return task_source.task_examples(
                self.recipe,
                self.task,
                self.kind.settings
                if isinstance(self.kind, TaskHead)
                else settings_of(self.recipe, self.task),
                self.sources["teacher"],
                models,
                folder,
                progress,
            )
        if self.recipe.data.translations:
            return translations.translations(
                self.recipe, models, folder, progress
            )
        if self.recipe.data.sentences:
            return sentences.sentences(self.recipe, models, folder, progress)
        return None

    @functools.cached_property
    def outputs(self) -> Store | Table | None:
        """Read what the teacher has computed before, if it has."""
        if not self.taught:
            return None
        if is_table(self.taught):
            has_head = isinstance(self.kind, TaskHead)
            return read_table(self.recipe, self.task, has_head)
        return Store.open(self.taught)

    def load_teacher(self, source: Source, precision: str) -> keras.Model:
        """Load the teacher, or what stands beside a table of its outputs.

        Raises:
            UserError: there is none of this kind.
        """
        if is_table(self.taught):
            return teachers.load_backbone(source, precision)
        return self.kind.load_teacher(source, precision)

    def train_spec(self, data: TrainingData, precision: str) -> TrainSpec:
        """Return the steps and rhythm of the recipe."""
        spec = self.recipe.train
        if spec.best_by != BY_SCORE:
            return spec
        return dataclasses.replace(spec, best_by=data.metric or "loss")

    def compile(
        self,
        models: Models,
        spec: TrainSpec,
        precision: str,
        context: DistributedContext,
    ) -> None:
        """Give the distiller its optimizer, with a rate for each layer."""
        distiller = models.trained
        optimizer = build_optimizer(spec, precision)
        shares = shares_of(models.student, spec.shares())
        optimizers.set_rates(optimizer, shares)
        distiller.compile(
            optimizer,
            jit_compile=context.jit_compile(distiller),
            steps_per_execution=spec.batches_per_execution,
        )
        optimizer.build(distiller.trainable_variables)

    def train(
        self, models: Models, trainer: Trainer, progress: Progress
    ) -> Trained:
        """Train the student, made smaller if so wanted."""
        student, spec = models.student, self.recipe.student
        if spec.init == "pruned":
            with progress.working("pruning the teacher"):
                prune.prune_into(
                    student,
                    models.trained.teacher,
                    trainer.data.inputs(_BATCHES_TO_PRUNE),
                    spec.kept_heads or None,
                )
        compression = Compression(self.recipe, student, trainer.data)
        trainer.callbacks += compression.callbacks
        trainer.variables += compression.variables
        trainer.run()
        if trainer.folder.context.is_chief:
            projections.save(models.trained, trainer.folder.path)
        ranges = compression.finish()
        student = self.kind.to_float32(student)
        tokenizer = models.tokenizer
        if self.recipe.compress.trim_vocabulary:
            student, tokenizer = vocabulary.trim_vocabulary(
                student, tokenizer, trainer.data.used_ids()
            )
        if isinstance(self.kind, Backbone):
            # Who takes the student for its teacher embeds texts alike.
            set_embedding(student, known_embedding(models.trained.teacher))
        return Trained(student, tokenizer, ranges)


def select_job(
    recipe: Recipe, done: Mapping[str, pathlib.Path] | None = None
) -> Distillation:
    """Return the job of a stage: its kind of model, and its data.

    Args:
        recipe: the stage, as a recipe of its own.
        done: the folders of earlier stages by their names.

    Raises:
        UserError: the method does not learn from such data.
    """
    checks.check_data(recipe)
    reads, source = recipe.method.reads, recipe.data.task
    task = None
    if source:
        task = task_source.task_of(recipe.data)
        task_source.check_task(recipe.data, task)
    kind: ModelKind = Backbone()
    if recipe.reads_masked:
        kind = MaskedLM(
            type(recipe.method).__name__,
            needs_teacher=getattr(recipe.method, "needs_teacher", True),
            has_pairs=reads == "masked_pairs",
            copies_head=recipe.student.init != "random",
        )
    elif reads == "labels" and task is not None:
        teacher = (done or {}).get(recipe.teacher, recipe.teacher)
        task = task_source.in_order_of(teacher, task)
        kind = _task_head(recipe, task, teacher)
    taught = recipe.data.teacher_outputs
    return Distillation(
        recipe, kind, task, done or {}, "" if taught == AUTO else taught
    )


def _task_head(recipe: Recipe, task: Task, teacher: Source) -> TaskHead:
    """Return the kind of models that answer the task of a stage.

    Args:
        recipe: the stage.
        task: with its labels in the teacher's order.
        teacher: where the stage's comes from.

    Raises:
        UserError: such a student cannot answer it.
    """
    student = recipe.student.kind
    is_encoder = families.of_student(student).is_encoder
    if kind_of(task).reads_all_tokens and not is_encoder:
        raise UserError(
            f"recipe: a {student} finds no answers or entities in texts, "
            f"as {recipe.data.task} asks: expected a task of classes or scores"
        )
    runs = not is_table(recipe.data.teacher_outputs)
    settings = dataclasses.replace(
        settings_of(recipe, task),
        score_activation=task_source.score_of(teacher) if runs else "",
    )
    labels = tuple(names_in(recipe.teacher_labels))
    return TaskHead(task, settings, recipe.student.dropout, labels)


def settings_of(recipe: Recipe, task: Task) -> Settings:
    """Return how the student reads a task."""
    length = recipe.data.sequence_length
    return Settings.of(task, length, min(windows.DOC_STRIDE, length // 3))


def build_distiller(
    job: Distillation,
    teacher: keras.Model,
    start: keras.Model | None,
    tokens: Vocabularies,
    precision: str,
) -> Distiller:
    """Build the stage's student, initialised, beside its teacher.

    Args:
        job: the stage.
        teacher: its teacher.
        start: the backbone of its first weights, with the student's
            vocabulary; the teacher's if `None`.
        tokens: what both read.
        precision: the dtype policy to compute in.

    Raises:
        UserError: student, teacher and method do not go together.
    """
    recipe = job.recipe
    backbone = getattr(teacher, "backbone", teacher)
    vocabularies.require_own_tokens(
        recipe, backbone, tokens.teacher.vocabulary_size()
    )
    rows = backbone.token_embedding.input_dim
    if tokens.differ:
        vocabularies.check(recipe)
        rows = tokens.student.vocabulary_size()
        if start is not None:
            rows = start.token_embedding.input_dim
    else:
        vocabularies.require_positions(recipe, backbone)
    student = build_student(
        recipe.student,
        rows,
        precision,
        pairs=job.task is not None and len(job.task.texts) == 2,
    )
    start_student(student, recipe.student, start or backbone)
    runs = not is_table(job.taught)
    student = job.kind.attach_head(student, teacher if runs else None)
    for part in recipe.train.shares():
        layers_of(student, part, "train.layer_rates")
    if recipe.student.init == "pruned":
        prune.require_fit(student, teacher)
    if tokens.differ:
        vocabularies.check_terms(recipe, teacher, student)
    if runs:
        teacher = with_others(
            recipe, job.kind, teacher, student, tokens.teacher, precision
        )
    if job.outputs is not None:
        teacher = recorded_teacher(
            job.outputs, recipe.method, job.labels, teacher, student
        )
    distiller = Distiller(teacher, student, recipe.method)
    if not distiller.trainable_variables:
        raise UserError("recipe: student.frozen leaves nothing to train")
    if any(term.teacher is None for term in distiller.terms):
        _require_labels(job)
    return distiller


def _require_labels(job: Distillation) -> None:
    """Refuse to compare with labels what has none, or a score's logits."""
    method = type(job.recipe.method).__name__
    settings = job.kind.settings if isinstance(job.kind, TaskHead) else None
    if settings is not None and settings.score_activation == SIGMOID:
        raise UserError(
            f"recipe: {method} compares logits with labels, and the scores of "
            f"{job.recipe.teacher} are sigmoids of its logits: set "
            "method.alpha=1, to learn from its logits alone"
        )
    if job.recipe.data.has_unlabelled:
        raise UserError(
            f"recipe: {method} compares with labels, and what "
            "data.augment_copies and data.unlabeled add has none: leave them "
            "out, or that term"
        )
