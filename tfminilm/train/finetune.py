"""Fine-tunes a backbone on a task, scores it, and survives a kill."""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from tfminilm import files, teachers
from tfminilm.errors import UserError
from tfminilm.private import optimizers, trainers
from tfminilm.tasks import heads, windows
from tfminilm.tasks.batches import Batches
from tfminilm.tasks.encode import Encoded
from tfminilm.tasks.evaluate import evaluate
from tfminilm.tasks.kinds import kind_of
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task, get_task
from tfminilm.teachers.faster import faster
from tfminilm.train.loop import Loop
from tfminilm.train.optimizer import build_optimizer
from tfminilm.train.precision import resolve_precision
from tfminilm.train.progress import Progress
from tfminilm.train.recipe import TrainSpec
from tfminilm.train.score import Data, Scores, score_splits
from tfminilm.train.team import ALONE, Team
from tfminilm.train.workdir import Workdir

# Short texts make steps in which the update is a fifth: all kernels count.
_FUSED_ELEMENTS = 2**16
_MOST_STEPS_BETWEEN_CHECKPOINTS = 1000
# More would not end, or no memory would hold them.
_AT_MOST = {"epochs": 100_000, "batch_size": 10_000_000, "weight_decay": 1e6}


@dataclasses.dataclass(frozen=True)
class FineTuning:
    """One run: a backbone, a task and a seed. It makes the workdir's recipe.

    `epochs`, `batch_size` and `max_length` of 0 are the task's own. `warmup`
    is the share of the steps in which the learning rate rises; then it falls
    to 0. `max_examples` draws so many of every split, alike by label and
    always the same ones (0: all).
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

    def resolved(self, task: Task) -> "FineTuning":
        """With the task's own numbers where this has zeros.

        Raises:
            UserError: a number is out of its range.
        """
        for name in (
            *("epochs", "batch_size", "max_length", "max_examples"),
            *("warmup", "weight_decay"),
        ):
            most = _AT_MOST.get(name, 2**32)
            _require(getattr(self, name) >= 0, self, name, "0 or more")
            fine = getattr(self, name) <= most
            _require(fine, self, name, f"{most:,} or less")
        fine = 1 <= self.doc_stride <= 2**32
        _require(fine, self, "doc_stride", "1 or more")
        fine = 0 < self.learning_rate < float("inf")
        _require(fine, self, "learning_rate", "above 0")
        _require(0 <= self.dropout < 1, self, "dropout", "0 to below 1")
        _require(self.warmup <= 1, self, "warmup", "0 to 1")
        _require(0 <= self.seed < 2**32, self, "seed", "0 to 2**32 - 1")
        return dataclasses.replace(
            self,
            epochs=self.epochs or task.epochs,
            batch_size=self.batch_size or task.batch_size,
            max_length=self.max_length or task.max_length,
        )


def finetune(
    task: Task,
    spec: FineTuning,
    workdir: str | os.PathLike,
    cache_dir: str | os.PathLike | None = None,
    team: Team = ALONE,
) -> Scores:
    """Fine-tunes and scores, going on where an earlier start stopped.

    Writes `recipe.json`, `metrics.jsonl`, `events.jsonl`, `checkpoints/`,
    `student/` (a KerasHub preset of the model with its head) and predictions
    in the benchmark's own form into `workdir`. What is scored is the model as
    it was saved.

    Args:
        task: what to learn.
        spec: from what, and how.
        workdir: the run's folder.
        cache_dir: where token ids are kept; in `workdir` if `None`.
        team: the replicas that share each batch.

    Returns:
        The metrics of each of the task's evaluation splits; nothing on a
        worker that is not the chief.

    Raises:
        UserError: the model, the data or a number cannot be used, the
            workdir holds another run, the disk is full, or the loss is no
            longer finite.
        Interrupted: a signal stopped the run; its checkpoint is kept.
    """
    spec = spec.resolved(task)
    team.check_batch(spec.batch_size)
    with Progress(quiet=not team.is_chief) as progress, team.running():
        team.agree({"run": dataclasses.asdict(spec)})
        folder = Workdir(workdir, spec, team=team)
        cache = pathlib.Path(cache_dir or folder.text)
        if not team.chiefs(folder.student.is_dir()):
            _train(task, spec, folder, cache, progress)
        elif spec.max_examples:
            folder.require_data_noted()
        scores: Scores = {}
        if team.is_chief:
            progress.say(f"model: {folder.student}")
            scores = score_splits(
                task,
                folder.student,
                task.eval_splits,
                _data(spec),
                cache,
                folder.path,
                progress,
            )
        team.wait()  # One that left would be missed.
        return scores


def _train(
    task: Task,
    spec: FineTuning,
    folder: Workdir,
    cache: pathlib.Path,
    progress: Progress,
) -> None:
    """Trains and saves the model."""
    keras.utils.set_random_seed(spec.seed)
    precision = folder.decide(
        "precision", lambda: resolve_precision(spec.precision)
    )
    with progress.working("loading the model"), folder.team.scope():
        head, tokenizer = _models(
            task, spec, precision, folder.tokenizer_rules()
        )
    kind = kind_of(task)
    settings = Settings.of(task, spec.max_length, spec.doc_stride)
    with progress.working("reading examples"), folder.team.chief_first():
        # All of them: a mistake is to be found before hours of training.
        dev = {name: _data(spec).read(task, name) for name in task.eval_splits}
        encoded = _training_data(task, spec, tokenizer, settings, cache)
        encoded, scale = kind.standardise(encoded)
    buckets = folder.team.buckets(spec.max_length)
    batches = Batches(encoded, spec.batch_size, spec.seed, buckets)
    progress.say(
        f"{task.name}: {len(encoded):,} sequences, "
        f"{len(batches):,} steps an epoch, {batches.waste():.1%} padding"
    )
    train = _train_spec(spec, len(batches), precision)
    with folder.team.scope():
        fast = faster(head)
        model = OnTask(fast.input, fast.output)
        optimizer = build_optimizer(train, precision)
        compile_for(task, model, optimizer, folder.team.jit_compile(model))
    folder.team.wait()  # For what the chief is about to sweep up.

    def score() -> dict[str, float]:
        examples = dev[task.eval_splits[0]]
        return evaluate(
            task, head, tokenizer, examples, settings, cache
        ).metrics

    # The last step's model is always scored, once it is saved.
    scored = score if kind.is_scored_in_training and dev else None
    with folder.hold():
        TaskLoop(train, folder, model, head, batches, scored, progress).run()
        if not folder.team.is_chief:
            return
        whole = heads.plain(head)
        kind.restore_scale(whole, scale)
        _save(whole, tokenizer, settings, folder)
        folder.tell("finished", train.steps)


def _models(
    task: Task, spec: FineTuning, precision: str, rules: str | None
) -> tuple[keras.Model, Any]:
    """The backbone with a new head, and its tokenizer."""
    backbone = teachers.load_backbone(spec.model, dtype=precision)
    tokenizer = teachers.load_tokenizer(spec.model, rules)
    _require_length(spec, backbone)
    return heads.build_head(task, backbone, spec.dropout), tokenizer


def _save(
    head: keras.Model, tokenizer: Any, settings: Settings, folder: Workdir
) -> None:
    # float32, and a megabyte for the vocabulary and HDF5's tables.
    size = 4 * head.count_params() + 2**20
    with files.new_directory(folder.student, size) as beside:
        head.save_to_preset(str(beside))
        tokenizer.save_to_preset(str(beside))
        settings.save(beside)


def _training_data(
    task: Task,
    spec: FineTuning,
    tokenizer: Any,
    settings: Settings,
    cache: pathlib.Path,
) -> Encoded:
    source = task
    if task.train_split is None:
        source = get_task(task.train_task or task.name)
    # The other task's data has one language only.
    data = dataclasses.replace(
        _data(spec), language=spec.language if source is task else None
    )
    examples = data.read(source, source.train_split or "train")
    encoded = kind_of(task).encode(source, examples, tokenizer, settings, cache)
    if not encoded.labels:
        raise UserError(f"{task.name}: its training examples have no labels")
    return encoded


def _train_spec(
    spec: FineTuning, steps_per_epoch: int, precision: str
) -> TrainSpec:
    steps = spec.epochs * steps_per_epoch
    return TrainSpec(
        steps=steps,
        batch_size=spec.batch_size,
        learning_rate=spec.learning_rate,
        warmup_steps=round(spec.warmup * steps),
        weight_decay=spec.weight_decay,
        precision=precision,
        evaluate_every=steps_per_epoch,
        checkpoint_every=min(steps_per_epoch, _MOST_STEPS_BETWEEN_CHECKPOINTS),
    )


def compile_for(
    task: Task,
    model: keras.Model,
    optimizer: Any,
    jit_compile: bool | str = "auto",
) -> None:
    """Makes a model ready to train on the batches of a `TaskLoop`."""
    losses = kind_of(task).losses(model)
    model.compile(optimizer, **losses, jit_compile=jit_compile)
    optimizers.prepare(model.optimizer, _FUSED_ELEMENTS)
    optimizer.build(model.trainable_variables)


class OnTask(trainers.OnWorkers, keras.Model):
    """A model with a head, as `fit` trains it."""


class TaskLoop(Loop):
    """Fine-tunes on batches of a task."""

    doing = "fine-tuning"
    split = "validation"

    def __init__(
        self,
        spec: TrainSpec,
        folder: Workdir,
        model: keras.Model,
        head: keras.Model,
        data: Batches,
        score: Callable[[], dict[str, float]] | None,
        progress: Progress,
    ):
        super().__init__(spec, folder, model, head, progress)
        self.data = data
        self.score = score

    def batches(self, first: int, count: int) -> Any:
        return self.data.dataset(first, count).map(self._given)

    def whole_numbers(self) -> Iterator[np.ndarray]:
        yield from self.data.encoded.whole_numbers()

    def tokens(self, batch: int) -> int:
        rows = self.data.rows(batch)
        return int(self.data.encoded.lengths[rows[rows >= 0]].sum())

    def losses(self, step: int, num_batches: int | None) -> dict[str, float]:
        if num_batches is None and self.score is not None:
            return self.score()
        row = self.means([self._given(*self.data.batch(0))])
        self.require_finite(row, f"after step {step}")
        return row

    def is_due(self, step: int) -> bool:
        return (
            self.score is not None
            and 0 < step < self.spec.steps
            and step % self.spec.evaluate_every == 0
        )

    def _given(self, inputs: Any, labels: Any, weights: Any) -> tuple:
        """What the model reads and is compared with."""
        inputs = {name: inputs[name] for name in self.model.input}
        return inputs, labels.get("labels", labels), weights


def _data(spec: FineTuning) -> Data:
    return Data(
        spec.data_dir, spec.language, spec.max_examples, spec.skip_bad_answers
    )


def _require(fine: bool, spec: FineTuning, name: str, expected: str) -> None:
    if not fine:
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
