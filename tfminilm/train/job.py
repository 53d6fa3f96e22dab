"""Run a job: load models, open data, compile, train, save.

Distillation is one (`distillation.py`), and fine-tuning, which has no teacher,
another (`finetune.py`). What they have in common stands here.
"""

import dataclasses
from typing import Any, Protocol

import keras

from tfminilm import files
from tfminilm.compress import fake_quantization
from tfminilm.train.distributed import DistributedContext
from tfminilm.train.models import ModelKind, Models, TaskHead
from tfminilm.train.precision import resolve_precision
from tfminilm.train.progress import Progress
from tfminilm.train.recipe import TrainSpec
from tfminilm.train.sources.training_data import TrainingData
from tfminilm.train.trainer import Trainer
from tfminilm.train.workdir import Workdir
from tfminilm.typing import Tokenizer

# What a run notes in its decisions, so that any of its checkpoints is a model.
SCALE = "label_scale"
SETTINGS_OF_HEAD = "settings"


@dataclasses.dataclass(frozen=True)
class Trained:
    """Hold what a job ends with: a float32 student.

    Attributes:
        student: as it is saved.
        tokenizer: its own.
        ranges: that it was rounded in, by quantisation-aware training.
    """

    student: keras.Model
    tokenizer: Tokenizer
    ranges: dict[str, Any] | None = None


class Job(Protocol):
    """Define a training, from its models to its student."""

    @property
    def doing(self) -> str:
        """Return what a person sees beside the steps."""

    @property
    def split(self) -> str:
        """Return the name of evaluations in metrics.jsonl."""

    @property
    def loading(self) -> str:
        """Return what a person sees while models are loaded."""

    @property
    def seed(self) -> int:
        """Return the seed of all that is random."""

    @property
    def precision(self) -> str:
        """Return the dtype policy that is asked for, or "auto"."""

    @property
    def kind(self) -> ModelKind:
        """Return the kind of model that is trained."""

    def load_models(self, precision: str, rules: str | None) -> Models:
        """Load or build the models, not yet compiled."""

    def open_data(
        self, models: Models, folder: Workdir, progress: Progress
    ) -> TrainingData:
        """Open what is trained on."""

    def train_spec(self, data: TrainingData, precision: str) -> TrainSpec:
        """Return steps, optimizer and rhythm."""

    def compile(
        self,
        models: Models,
        spec: TrainSpec,
        precision: str,
        context: DistributedContext,
    ) -> None:
        """Compile what is trained."""

    def train(
        self, models: Models, trainer: Trainer, progress: Progress
    ) -> Trained:
        """Run the trainer; return the student in float32."""


def run_job(job: Job, folder: Workdir, progress: Progress) -> keras.Model:
    """Train a student and save it, going on where an earlier start stopped.

    Args:
        job: what to train on what.
        folder: the run's.
        progress: what a person sees.

    Returns:
        The student, in float32.

    Raises:
        UserError: models and data do not go together, the folder holds
            another run, the disk is full, or the loss is no longer finite.
        Interrupted: a signal stopped the run; its checkpoint is kept.
    """
    context = folder.context
    keras.utils.set_random_seed(job.seed)
    precision = folder.pin(
        "precision", lambda: resolve_precision(job.precision)
    )
    with progress.working(job.loading), context.scope():
        models = job.load_models(precision, folder.tokenizer_rules())
    for note in models.notes:
        progress.say(note)
    with context.chief_first():
        data = job.open_data(models, folder, progress)
    _note_head(job, data, folder)
    context.barrier()  # The chief is about to remove what kills have left.
    spec = job.train_spec(data, precision)
    with context.scope():
        job.compile(models, spec, precision, context)
    with folder.lock():
        if data.sentences is not None:
            folder.write("held_out", {"sentences": data.sentences})
        trainer = Trainer(
            models, data, spec, folder, progress, job.doing, job.split
        )
        trained = job.train(models, trainer, progress)
        if context.is_chief:
            _save(trained, _tuned(job.kind, trained, data), folder)
            folder.log_event("finished", trainer.step)
    context.barrier()
    return trained.student


def _note_head(job: Job, data: TrainingData, folder: Workdir) -> None:
    """Note what a checkpoint's head means, which its weights do not say."""
    settings = getattr(job.kind, "settings", None)
    if settings is not None:
        facts = dataclasses.asdict(settings)
        facts["labels"] = list(settings.labels)
        folder.pin(SETTINGS_OF_HEAD, lambda: facts)
        folder.pin(SCALE, lambda: [*data.label_scale])


def _tuned(kind: ModelKind, trained: Trained, data: TrainingData) -> ModelKind:
    """Return the kind with the settings that suit the trained model best."""
    if data.tune is None or not isinstance(kind, TaskHead):
        return kind
    settings = data.tune(trained.student, trained.tokenizer)
    return dataclasses.replace(kind, settings=settings)


def _save(trained: Trained, kind: ModelKind, folder: Workdir) -> None:
    """Write the student, and the ranges it was rounded in, if so."""
    # float32, and a megabyte for the vocabulary and HDF5's tables.
    size = 4 * trained.student.count_params() + 2**20
    with files.new_directory(folder.student, size) as beside:
        kind.save(trained.student, trained.tokenizer, beside)
        if trained.ranges is not None:
            path = beside / fake_quantization.RANGES
            files.write_json(path, trained.ranges)
