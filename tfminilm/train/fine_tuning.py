"""Fine-tune as a job: a backbone learns a task, without a teacher."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tfminilm import teachers
from tfminilm.errors import UserError
from tfminilm.private import optimizers, trainers
from tfminilm.tasks import class_weights, windows
from tfminilm.tasks.batches import Batches
from tfminilm.tasks.encoded import Encoded
from tfminilm.tasks.evaluate import Scorer, require_calibratable, tuned
from tfminilm.tasks.kinds import kind_of
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task, get_task
from tfminilm.teachers.faster import faster
from tfminilm.train.build import shares_of
from tfminilm.train.distributed import DistributedContext
from tfminilm.train.job import Trained
from tfminilm.train.models import Models, TaskHead
from tfminilm.train.optimizer import build_optimizer
from tfminilm.train.progress import Progress
from tfminilm.train.recipe import TrainSpec
from tfminilm.train.score import Data
from tfminilm.train.sources.examples import num_tokens
from tfminilm.train.sources.training_data import Batch, TrainingData
from tfminilm.train.stage import HEAD
from tfminilm.train.trainer import Trainer
from tfminilm.train.workdir import Workdir
from tfminilm.typing import Tensor, Tokenizer

# Short texts make steps in which the update is a fifth: all kernels count.
_FUSED_ELEMENTS = 2**16
_MOST_STEPS_BETWEEN_CHECKPOINTS = 1000
# More would not end, or no memory would hold them.
_AT_MOST = {"epochs": 100_000, "batch_size": 10_000_000, "weight_decay": 1e6}


@dataclasses.dataclass(frozen=True)
class FineTuning:
    """Describe one run, as its workdir's recipe: backbone, task and seed.

    `epochs`, `batch_size` and `max_length` of 0 are the task's own. `warmup`
    is the share of the steps in which the learning rate rises; then it falls
    to 0. `max_examples` draws so many of every split, alike by label and
    always the same ones (0: all).

    `head_rate` > 0 lets the new head learn so many times as fast as the
    backbone, which has learned before.

    `class_weights` says how much an example of a class counts: "balanced", or
    as in "a:2,b:0.5". `oversampling` repeats examples of rare classes: 1 makes
    as many of each as of the most frequent, 0 none. `label_smoothing` gives a
    share of each label to all classes alike, and `focal_gamma` > 0 lets
    examples count less that the model is sure of (arXiv 1708.02002). `best_by`
    names the metric by which the best evaluated model is what the run ends
    with, and `patience` > 0
    ends it after so many evaluations in a row that were not the best.
    `calibrate` divides the logits of classes by the temperature that suits the
    evaluation examples (`tasks.calibrate`).
    """

    model: str
    task: str
    seed: int = 1
    data_dir: str | None = None
    language: str | None = None
    epochs: int = 0
    learning_rate: float = 5e-5
    batch_size: int = 0
    max_length: int = 0
    doc_stride: int = windows.DOC_STRIDE
    warmup: float = 0.1
    weight_decay: float = 0.01
    dropout: float = 0.1
    precision: str = "auto"
    max_examples: int = 0
    skip_bad_answers: bool = False
    class_weights: str = ""
    oversampling: float = 0.0
    label_smoothing: float = 0.0
    focal_gamma: float = 0.0
    best_by: str = ""
    patience: int = 0
    calibrate: bool = False
    head_rate: float = 0.0

    def resolved(self, task: Task) -> "FineTuning":
        """Return this with the task's own numbers in place of zeros.

        Raises:
            UserError: a number is out of its range.
        """
        for name in (
            *("epochs", "batch_size", "max_length", "max_examples"),
            *("warmup", "weight_decay"),
        ):
            value, most = getattr(self, name), _AT_MOST.get(name, 2**32)
            _require(value >= 0, self, name, "0 or more")
            _require(value <= most, self, name, f"{most:,} or less")
        has_stride = 1 <= self.doc_stride <= 2**32
        _require(has_stride, self, "doc_stride", "1 or more")
        has_rate = 0 < self.learning_rate < float("inf")
        _require(has_rate, self, "learning_rate", "above 0")
        _require(0 <= self.head_rate <= 1e4, self, "head_rate", "0 to 10,000")
        _require(0 <= self.dropout < 1, self, "dropout", "0 to below 1")
        _require(self.warmup <= 1, self, "warmup", "0 to 1")
        _require(0 <= self.seed < 2**32, self, "seed", "0 to 2**32 - 1")
        is_share = 0 <= self.label_smoothing < 1
        _require(is_share, self, "label_smoothing", "0 to below 1")
        _require(0 <= self.focal_gamma <= 10, self, "focal_gamma", "0 to 10")
        _require(0 <= self.oversampling <= 1, self, "oversampling", "0 to 1")
        self._require_classes(task)
        self._require_metric(task)
        return dataclasses.replace(
            self,
            epochs=self.epochs or task.epochs,
            batch_size=self.batch_size or task.batch_size,
            max_length=self.max_length or task.max_length,
        )

    def _require_metric(self, task: Task) -> None:
        """Refuse to end with the best by what is not measured."""
        _require(self.patience >= 0, self, "patience", "0 or more")
        can_stop = bool(self.best_by) or not self.patience
        _require(can_stop, self, "patience", "0 without --best_by=METRIC")
        names = [*task.metrics] if kind_of(task).is_scored_in_training else []
        is_known = self.best_by in ("", *names)
        expected = " or ".join(names) or f"none, as {task.name} is not scored"
        _require(is_known, self, "best_by", expected)

    def _require_classes(self, task: Task) -> None:
        """Refuse what is for classes alone, of other tasks."""
        kind = kind_of(task)
        can = kind.has_shaped_losses
        for name in ("label_smoothing", "focal_gamma", "oversampling"):
            expected = f"0, as {task.name} has no classes of texts"
            _require(can or not getattr(self, name), self, name, expected)
        expected = f"none, as {task.name} has no classes of texts"
        is_right = can or not self.class_weights
        _require(is_right, self, "class_weights", expected)
        expected = f"false, as {task.name} does not choose one of its classes"
        is_right = kind.picks_one or not self.calibrate
        _require(is_right, self, "calibrate", expected)


class OnTask(trainers.OnWorkers, keras.Model):
    """Train a model with a head by `fit`, on several workers as well."""


@dataclasses.dataclass(frozen=True)
class FineTuningJob:
    """Train a backbone with a new head on a task. A `Job`.

    Attributes:
        task: what to learn.
        spec: from what, and how, resolved.
        cache: where token ids are kept.
    """

    task: Task
    spec: FineTuning
    cache: pathlib.Path

    doing = "fine-tuning"
    split = "validation"
    loading = "loading the model"

    @property
    def seed(self) -> int:
        """Return the seed of all that is random."""
        return self.spec.seed

    @property
    def precision(self) -> str:
        """Return the dtype policy that is asked for."""
        return self.spec.precision

    @property
    def kind(self) -> TaskHead:
        """Return the task's head, on any backbone."""
        spec = self.spec
        settings = Settings.of(self.task, spec.max_length, spec.doc_stride)
        return TaskHead(self.task, settings, spec.dropout)

    @property
    def data(self) -> Data:
        """Return where examples come from."""
        spec = self.spec
        return Data(
            spec.data_dir,
            spec.language,
            spec.max_examples,
            spec.skip_bad_answers,
        )

    def load_models(self, precision: str, rules: str | None) -> Models:
        """Load the backbone, and build its head."""
        backbone = teachers.load_backbone(self.spec.model, dtype=precision)
        tokenizer = teachers.load_tokenizer(self.spec.model, rules)
        _require_length(self.spec, backbone)
        head = self.kind.attach_head(backbone)
        fast = faster(head)
        output = kind_of(self.task).trained_output(fast)
        return Models(OnTask(fast.input, output), head, tokenizer)

    def open_data(
        self, models: Models, folder: Workdir, progress: Progress
    ) -> TrainingData:
        """Read the task's examples: all, to find a mistake before training."""
        task, spec = self.task, self.spec
        kind, settings = kind_of(task), self.kind.settings
        with progress.working("reading examples"):
            dev = {
                name: self.data.read(task, name) for name in task.eval_splits
            }
            encoded = self._encode(models.tokenizer)
            encoded, scale = kind.standardise(encoded)
            encoded = class_weights.weighted(
                spec.class_weights,
                task.labels,
                encoded,
                kind.has_several_labels,
            )
        buckets = folder.context.buckets(spec.max_length)
        batches = Batches(encoded, spec.batch_size, spec.seed, buckets)
        progress.say(
            f"{task.name}: {len(encoded):,} sequences, "
            f"{len(batches):,} steps an epoch, {batches.waste():.1%} padding"
        )

        def as_read(inputs: Mapping, labels: Mapping, weights: Tensor) -> Batch:
            inputs = {name: inputs[name] for name in models.trained.input}
            return inputs, labels.get("labels", labels), weights

        first = dev[task.eval_splits[0]] if dev else []
        if spec.calibrate:
            require_calibratable(task, first)
        score = Scorer(task, models.tokenizer, first, settings, self.cache)

        def tune(head: keras.Model, tokenizer: Tokenizer) -> Settings:
            return tuned(task, head, tokenizer, first, settings, spec.calibrate)

        return TrainingData(
            batches=lambda first, count: batches.dataset(first, count).map(
                as_read
            ),
            num_tokens=lambda batch: num_tokens(batches, batch),
            probe=as_read(*batches.batch(0)),
            used_ids=lambda: np.unique(encoded.token_ids),
            whole_numbers=encoded.whole_numbers,
            # The last step's model is always scored, once it is saved.
            score=score if kind.is_scored_in_training and dev else None,
            tune=tune if (kind.is_tuned or spec.calibrate) and dev else None,
            batches_per_epoch=len(batches),
            label_scale=scale,
        )

    def train_spec(self, data: TrainingData, precision: str) -> TrainSpec:
        """Return as many steps as the epochs have."""
        spec, each = self.spec, data.batches_per_epoch
        steps = spec.epochs * each
        return TrainSpec(
            steps=steps,
            batch_size=spec.batch_size,
            learning_rate=spec.learning_rate,
            warmup_steps=round(spec.warmup * steps),
            weight_decay=spec.weight_decay,
            precision=precision,
            evaluate_every=each,
            checkpoint_every=min(each, _MOST_STEPS_BETWEEN_CHECKPOINTS),
            best_by=spec.best_by,
            patience=spec.patience,
        )

    def compile(
        self,
        models: Models,
        spec: TrainSpec,
        precision: str,
        context: DistributedContext,
    ) -> None:
        """Compile the model with the task's loss."""
        shape = self.spec.label_smoothing, self.spec.focal_gamma
        losses = None
        kind = kind_of(self.task)
        if self.spec.class_weights and kind.has_several_labels:
            losses = kind.losses_of_each(*shape)
        elif any(shape):
            losses = kind.shaped_losses(*shape)
        optimizer = build_optimizer(spec, precision)
        if rate := self.spec.head_rate:
            shares = shares_of(models.student, {HEAD: rate})
            optimizers.set_rates(optimizer, shares)
        compile_for(
            self.task,
            models.trained,
            optimizer,
            context.jit_compile(models.trained),
            losses,
        )

    def train(
        self, models: Models, trainer: Trainer, progress: Progress
    ) -> Trained:
        """Train the model; its scores end as the labels were."""
        trainer.run()
        student = self.kind.to_float32(models.student)
        kind_of(self.task).restore_scale(student, trainer.data.label_scale)
        return Trained(student, models.tokenizer)

    def _encode(self, tokenizer: Tokenizer) -> Encoded:
        """Return the training examples, which may be another task's."""
        task, spec = self.task, self.spec
        source = task
        if task.train_split is None:
            source = get_task(task.train_task or task.name)
        # The other task's data has one language only.
        data = dataclasses.replace(
            self.data, language=spec.language if source is task else None
        )
        examples = data.read(source, source.train_split or "train")
        examples = class_weights.oversampled(spec.oversampling, examples)
        encoded = kind_of(task).encode(
            source, examples, tokenizer, self.kind.settings, self.cache
        )
        if not encoded.labels:
            raise UserError(
                f"{task.name}: its training examples have no labels"
            )
        return encoded


def compile_for(
    task: Task,
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    jit_compile: bool | str = "auto",
    losses: Mapping[str, Any] | None = None,
) -> None:
    """Compile a model with the loss of a task's batches, or with others."""
    losses = losses or kind_of(task).losses(model)
    model.compile(optimizer, **losses, jit_compile=jit_compile)
    optimizers.prepare(model.optimizer, _FUSED_ELEMENTS)
    optimizer.build(model.trainable_variables)


def _require(
    is_right: bool, spec: FineTuning, name: str, expected: str
) -> None:
    if not is_right:
        raise UserError(
            f"--{name} is {getattr(spec, name)!r}, expected {expected}"
        )


def _require_length(spec: FineTuning, backbone: keras.Model) -> None:
    longest = getattr(backbone, "max_sequence_length", None)
    if longest is not None and spec.max_length > longest:
        raise UserError(
            f"--max_length is {spec.max_length}, but the position table of "
            f"{spec.model} ends at {longest}: give --max_length={longest} or "
            "less"
        )
